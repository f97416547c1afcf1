"""What the mail services need beyond their protocols."""
