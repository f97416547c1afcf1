"""Speed beside HAProxy and nginx: CPU per unit of work, as ratios. See README.md."""
