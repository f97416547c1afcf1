"""A static directory in LDIF, with the attributes of the schema in `ldap/`: what can be loaded
into an LDAP server can be used without one. Comments do not survive changes; other entries do.
"""

from __future__ import annotations

from dataclasses import replace

from l7lb.accounts import Account, Status
from l7lb.directory import hashes
from l7lb.directory.entries import account_of
from l7lb.directory.static_document import ACCOUNTS_LIMIT
from l7lb.errors import ConfigError, DirectoryConfused, Problem
from l7lb.model import Place
from l7lb.model_directory import EntrySpec
from l7lb_protocols.ldap import ldif
from l7lb_protocols.ldap.names import child

ENTRY = EntrySpec()
ACCOUNT_CLASS = b"inetlocalmailrecipient"
"""Entries of this object class are accounts; others are only kept."""
_NAMES = (ENTRY.name, ENTRY.aliases, ENTRY.server, ENTRY.quota, ENTRY.status, *ENTRY.passwords)
MEANT = frozenset(name.lower() for name in _NAMES)
"""Attributes that are something else of an account."""
HEADER = "version: 1\n\n"


class LdifDocument:
    """Made from a text; see `static_document.Document`."""

    def __init__(self, text: str, file: str) -> None:
        """Raises ConfigError."""
        self._file = file
        self.accounts: dict[str, Account] = {}
        self.places: dict[str, Place] = {}
        self._records: dict[str, ldif.Record] = {}
        """By name; of entries that are no accounts, by DN."""
        self._problems: list[Problem] = []
        try:
            for record in ldif.parse(text):
                self._take(record)
        except ldif.LdifError as error:
            self._wrong(error.line, str(error))
        if len(self.accounts) > ACCOUNTS_LIMIT:
            self._wrong(1, f"more than {ACCOUNTS_LIMIT} users")
        if self._problems:
            raise ConfigError(self._problems)

    def _take(self, record: ldif.Record) -> None:
        classes = {each.lower() for each in record.attributes.get("objectclass", [])}
        if ACCOUNT_CLASS not in classes:
            self._records[record.dn] = record
            return
        try:
            account = account_of(record.dn, record.attributes, _carrying(record))
        except DirectoryConfused as error:
            self._wrong(record.line, str(error))
            return
        if account.name in self.accounts:
            first = self.places[account.name]
            self._wrong(record.line, f"{account.name} stands here and at {first}")
        if not all(map(hashes.is_known, account.passwords)):
            message = "userPassword is not a hash of a scheme that is known"
            self._wrong(record.line, f"entry {record.dn}: {message}")
        self.accounts[account.name] = account
        self.places[account.name] = Place(self._file, record.line, 1)
        self._records[account.name] = record

    def _wrong(self, line: int, message: str) -> None:
        self._problems.append(Problem(Place(self._file, line, 1), message))

    # ----------------------------------------------------------------- changing

    def put(self, account: Account) -> None:
        """Raises ValueError for the first account of a file: where to put it, others tell."""
        record = self._records.get(account.name) or self._new(account.name)
        given = {
            ENTRY.passwords[0]: [*account.passwords],
            ENTRY.aliases: [address.encode() for address in account.addresses],
            ENTRY.server: [account.server.encode()] if account.server else [],
            ENTRY.quota: [str(account.quota_bytes).encode()] if account.quota_bytes else [],
            ENTRY.status: [b"disabled"] if account.status is Status.DISABLED else [],
        }
        for name in ENTRY.passwords[1:]:
            record.attributes.pop(name.lower(), None)
        for name, values in given.items():
            record.attributes.pop(name.lower(), None)
            if values:
                record.attributes[name.lower()] = values
        self._records[account.name] = record
        self.accounts[account.name] = account
        self.places.setdefault(account.name, Place(self._file, 1, 1))

    def _new(self, name: str) -> ldif.Record:
        if not self.accounts:
            raise ValueError("the file has no account beside which a new one could stand")
        beside = self._records[next(iter(self.accounts))].dn
        dn = child(ENTRY.name, name, _parent(beside))
        local = (name.partition("@")[0] or name).encode()
        classes = [b"inetOrgPerson", b"inetLocalMailRecipient", b"l7lbMailAccount"]
        attributes = {"objectclass": classes, "cn": [local], "sn": [local]}
        return ldif.Record(dn, attributes | {ENTRY.name.lower(): [name.encode()]}, 1)

    def remove(self, name: str) -> None:
        del self._records[name]
        del self.accounts[name]

    def text(self) -> str:
        records = (ldif.written(each.dn, each.attributes) for each in self._records.values())
        return HEADER + "".join(records)


def _carrying(record: ldif.Record) -> EntrySpec:
    """With whatever else of the entry is text."""
    names = (name for name, values in record.attributes.items() if all(map(_is_text, values)))
    return replace(ENTRY, kept=tuple(name for name in names if name.lower() not in MEANT))


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _parent(dn: str) -> str:
    """The DN without its first part."""
    position = 0
    while position < len(dn) and dn[position] != ",":
        position += 2 if dn[position] == "\\" else 1
    return dn[position + 1 :].lstrip()
