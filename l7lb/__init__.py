"""l7lb: a Linux Virtual Server cluster with a content-aware tier."""

__version__ = "0.1.0"
