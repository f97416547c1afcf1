"""HTTP cases, one file by topic, and the configurations of all that take part."""
