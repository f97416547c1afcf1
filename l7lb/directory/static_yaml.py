"""A static directory in YAML: `users:`, a mapping of names to accounts. Comments survive changes.

Owns: what may stand there, with the place of every problem.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from l7lb.accounts import Account, Status, normal_name
from l7lb.directory import hashes
from l7lb.directory.static_document import ACCOUNTS_LIMIT
from l7lb.errors import ConfigError, Problem
from l7lb.model import Place

USERS = "users"
KEYS = ("password", "aliases", "server", "quota", "status", "attributes")
_QUOTA = re.compile(r"([0-9]{1,19})(B|kB|MB|GB|KiB|MiB|GiB)")
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class YamlDocument:
    """Made from a text; see `static_document.Document`."""

    def __init__(self, text: str, file: str) -> None:
        """Raises ConfigError with every problem."""
        self._file = file
        self._problems: list[Problem] = []
        self._yaml = YAML(typ="rt", pure=True)
        self._yaml.width = 4096
        self._yaml.preserve_quotes = True
        self._root = self._parsed(text)
        self.accounts: dict[str, Account] = {}
        self.places: dict[str, Place] = {}
        self._keys: dict[str, object] = {}
        users = self._root.get(USERS)
        if isinstance(users, CommentedMap):
            self._read(users)
        elif users is not None:
            self._wrong(self._place(self._root, USERS), "users are not a mapping of names")
        if self._problems:
            raise ConfigError(self._problems)

    # ----------------------------------------------------------------- reading

    def _parsed(self, text: str) -> CommentedMap:
        try:
            found = self._yaml.load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            problem = str(error.problem).partition(" with value ")[0]  # it may be a hash
            self._wrong(Place(self._file, line, column), f"not YAML: {problem}")
        except (YAMLError, ValueError, RecursionError) as error:
            self._wrong(Place(self._file, 1, 1), f"not YAML: {error}")
        else:
            if found is None:
                return CommentedMap()
            if isinstance(found, CommentedMap) and set(found) <= {USERS}:
                return found
            self._wrong(Place(self._file, 1, 1), "the file is not a mapping with the key users")
        raise ConfigError(self._problems)

    def _read(self, users: CommentedMap) -> None:
        if len(users) > ACCOUNTS_LIMIT:
            self._wrong(self._place(self._root, USERS), f"more than {ACCOUNTS_LIMIT} users")
            return
        for key, given in users.items():
            place = self._place(users, key)
            name = normal_name(key) if isinstance(key, str) else None
            if name is None:
                self._wrong(place, f"{key!r} is no name for an account")
            elif name in self.accounts:
                self._wrong(place, f"{name} stands here and at {self.places[name]}")
            elif not isinstance(given, CommentedMap):
                self._wrong(place, f"{name} is not a mapping such as {{password: …}}")
            else:
                self.accounts[name] = self._account(name, given)
                self.places[name] = place
                self._keys[name] = key

    def _account(self, name: str, given: CommentedMap) -> Account:
        for key in given:
            if key not in KEYS:
                known = ", ".join(KEYS)
                self._wrong(self._place(given, key), f"unknown key {key!r} (known keys: {known})")
        passwords = tuple(self._password(given, text) for text in self._texts(given, "password"))
        server = self._texts(given, "server")
        if len(server) > 1:
            self._wrong(self._place(given, "server"), "server is one name")
        return Account(
            name=name,
            addresses=tuple(self._address(given, text) for text in self._texts(given, "aliases")),
            server=server[0] if server else None,
            quota_bytes=self._quota(given),
            status=self._status(given),
            attributes=self._attributes(given),
            passwords=passwords,
            scram=hashes.scram_keys(passwords),
            handle=name,
        )

    def _texts(self, given: CommentedMap, key: str) -> list[str]:
        value = given.get(key, [])
        values = value if isinstance(value, list) else [value]
        if all(isinstance(each, str) and each for each in values):
            return [str(each) for each in values]
        self._wrong(self._place(given, key), f"{key} is not text, or a list of texts")
        return []

    def _password(self, given: CommentedMap, text: str) -> bytes:
        if not hashes.is_known(text.encode()):
            # Perhaps it is a password in plain text: it is not repeated here.
            self._wrong(
                self._place(given, "password"),
                "password is not a hash of a scheme that is known",
                "`l7lb users password` makes one",
            )
        return text.encode()

    def _address(self, given: CommentedMap, text: str) -> str:
        normal = normal_name(text)
        if normal is None or "@" not in normal:
            self._wrong(self._place(given, "aliases"), f"{text!r} is not an address")
        return normal or ""

    def _quota(self, given: CommentedMap) -> int:
        value = given.get("quota", 0)
        if isinstance(value, int) and not isinstance(value, bool) and value == 0:
            return 0
        found = _QUOTA.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            self._wrong(self._place(given, "quota"), f"{value!r} is not a size", "such as 1GiB")
            return 0
        return int(found[1]) * _UNITS[found[2]]

    def _status(self, given: CommentedMap) -> Status:
        value = given.get("status", Status.ACTIVE.value)
        if value in {each.value for each in Status}:
            return Status(str(value))
        self._wrong(self._place(given, "status"), f"{value!r} is not active or disabled")
        return Status.ACTIVE

    def _attributes(self, given: CommentedMap) -> dict[str, tuple[str, ...]]:
        value = given.get("attributes", {})
        if not isinstance(value, CommentedMap):
            if value:
                self._wrong(self._place(given, "attributes"), "attributes are not a mapping")
            return {}
        return {str(key).lower(): tuple(self._texts(value, key)) for key in value}

    def _wrong(self, place: Place, message: str, hint: str = "") -> None:
        self._problems.append(Problem(place, message, hint))

    def _place(self, mapping: CommentedMap, key: object) -> Place:
        line, column = mapping.lc.key(key) if key in mapping else (0, 0)
        return Place(self._file, line + 1, column + 1)

    # ----------------------------------------------------------------- changing

    def put(self, account: Account) -> None:
        if not isinstance(self._root.get(USERS), CommentedMap):
            self._root[USERS] = CommentedMap()
        users = self._root[USERS]
        key = self._keys.setdefault(account.name, account.name)
        given = users.setdefault(key, CommentedMap())
        before = self.accounts.get(account.name)
        unchanged = _plain(before).items() if before else ()
        for name, value in _plain(account).items():
            if (name, value) in unchanged:
                continue  # as it was written, in whatever form
            if value:
                given[name] = value
            else:
                given.pop(name, None)
        self.accounts[account.name] = account
        self.places.setdefault(account.name, Place(self._file, 1, 1))

    def remove(self, name: str) -> None:
        del self._root[USERS][self._keys.pop(name)]
        del self.accounts[name]

    def text(self) -> str:
        out = io.StringIO()
        self._yaml.dump(self._root, out)
        return out.getvalue()


def _plain(account: Account) -> Mapping[str, Any]:
    """What can be changed, as it stands in the file; empty: it is left out."""
    passwords = [each.decode() for each in account.passwords]
    return {
        "password": passwords[0] if len(passwords) == 1 else passwords,
        "aliases": [*account.addresses],
        "server": account.server or "",
        "quota": _size(account.quota_bytes),
        "status": account.status.value if account.status is Status.DISABLED else "",
    }


def _size(size: int) -> str:
    """In the largest unit that says it exactly; empty for none."""
    if not size:
        return ""
    unit = max((each for each in _UNITS if size % _UNITS[each] == 0), key=_UNITS.__getitem__)
    return f"{size // _UNITS[unit]}{unit}"
