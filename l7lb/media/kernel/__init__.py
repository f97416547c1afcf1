"""Media packets in the director's kernel: rules, the process that owns them, and its client."""
