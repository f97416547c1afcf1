"""SMTP: CPU for each message that is taken and handed to an LMTP server, beside Postfix."""
