"""POP3 up to login, both ways, without I/O (RFC 1939, RFC 2449)."""
