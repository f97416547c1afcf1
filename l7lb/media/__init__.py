"""What media needs beyond its protocol: control, modes of its packets, files that are hot."""
