"""Moving the mail of accounts from server to server, so that a crash at any step loses nothing."""
