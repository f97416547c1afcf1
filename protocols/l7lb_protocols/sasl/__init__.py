"""SASL without I/O: server side of PLAIN, LOGIN, EXTERNAL, SCRAM-SHA-256; client side of the first
three. Must not know which protocol carries the messages: it sees them decoded."""
