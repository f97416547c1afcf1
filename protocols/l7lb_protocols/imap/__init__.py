"""IMAP up to login, both ways, without I/O (RFC 3501, RFC 9051)."""
