"""The embedded engine: a small lock server on SQLite, and its client."""
