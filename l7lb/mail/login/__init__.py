"""IMAP and POP3: from the greeting to the relay."""
