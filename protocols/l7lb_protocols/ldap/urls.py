"""URLs of directory servers (RFC 4516), as far as they name a server and nothing to search."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

PORTS = {"ldap": 389, "ldaps": 636}
SOCKET_PATH_LIMIT = 107
_URL = re.compile(r"(ldap|ldaps)://(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?/?")
_SOCKET = re.compile(r"ldapi://((?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+)/?")


@dataclass(frozen=True, slots=True)
class LdapUrl:
    scheme: str
    """`ldap`, `ldaps` or `ldapi`."""
    host: str
    """Name, literal address, or for `ldapi` the path of the socket."""
    port: int

    def __str__(self) -> str:
        if self.scheme == "ldapi":
            return f"ldapi://{quote(self.host, safe='')}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_url(text: str) -> LdapUrl:
    """Raises ValueError, whose message says what is wrong."""
    local = _SOCKET.fullmatch(text)
    if local:
        path = unquote(local[1])
        if not path.startswith("/") or len(path.encode()) > SOCKET_PATH_LIMIT:
            raise ValueError("ldapi takes the path of a socket, such as ldapi://%2Frun%2Fldapi")
        return LdapUrl("ldapi", path, 0)
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError("not the URL of a directory server, such as ldap://10.0.5.1")
    port = int(found[3]) if found[3] else PORTS[found[1]]
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is not a port")
    return LdapUrl(found[1], found[2].strip("[]").lower(), port)
