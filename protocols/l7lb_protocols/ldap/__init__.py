"""LDAP's text forms: filters, distinguished names, URLs, LDIF. No I/O, no LDAP library."""
