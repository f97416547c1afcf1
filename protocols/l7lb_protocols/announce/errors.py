"""What is wrong with bytes that claim to be an announcement."""

from __future__ import annotations


class AnnounceRefusal(Exception):
    """Cut short, too long, of another version, or not signed by whoever knows the secret."""


class Forged(AnnounceRefusal):
    """The signature does not fit."""
