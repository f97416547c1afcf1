"""What the mail protocols do alike before login; imap and pop3 build on it."""
