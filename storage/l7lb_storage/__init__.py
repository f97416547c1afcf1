"""Locks and store of the cluster, usable without the rest of it."""
