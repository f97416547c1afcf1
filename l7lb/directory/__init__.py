"""The directory of accounts: LDAP by python-ldap, and a static file with the same interface.

Owns: connections to directory servers, what is remembered of their answers, password hashes,
changes to accounts. Must not know: the rules file, mail protocols, sessions.
"""
