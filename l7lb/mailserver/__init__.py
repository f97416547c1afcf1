"""A small mail server: SMTP, LMTP, POP3 and IMAP on Maildirs that several servers share.

Each process owns the accounts that it serves by a cluster lock, and every change of a mailbox
passes the fence on the storage with that lock's token. For the demo, for tests, and for sites
that want the servers of the cluster to prove who may write.
"""
