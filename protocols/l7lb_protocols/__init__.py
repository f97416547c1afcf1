"""Protocols without I/O: bytes in, messages and wishes out; no socket, no clock, no randomness."""
