"""Look-ups in slapd: CPU of the client for each, and how many in a second."""
