"""Entries of the directory as accounts. Must not know: how they were fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from l7lb.accounts import Account, Status, normal_name
from l7lb.directory.hashes import scram_keys
from l7lb.errors import DirectoryConfused
from l7lb.model_directory import EntrySpec

QUOTA_LIMIT = 2**63 - 1

Attributes = Mapping[str, Sequence[bytes]]


def wanted(spec: EntrySpec, with_passwords: bool) -> tuple[str, ...]:
    """Attributes to ask for, each once."""
    names = [spec.name, spec.aliases, spec.server, spec.quota, spec.status, *spec.kept]
    names += spec.passwords if with_passwords else ()
    return tuple(dict.fromkeys(name for name in names if name))


def account_of(dn: str, attributes: Attributes, spec: EntrySpec) -> Account:
    """Raises DirectoryConfused, which names the entry and what is wrong with it."""
    entry = _Entry(dn, {name.lower(): [*values] for name, values in attributes.items()})
    passwords = tuple(value for name in spec.passwords for value in entry.raw(name))
    status = entry.one(spec.status).lower()
    return Account(
        name=entry.name(spec.name),
        addresses=tuple(sorted(map(entry.address, entry.texts(spec.aliases)))),
        server=entry.one(spec.server) or None,
        quota_bytes=entry.number(spec.quota),
        status=Status.DISABLED if status in spec.disabled else Status.ACTIVE,
        attributes={name.lower(): tuple(entry.texts(name)) for name in spec.kept},
        passwords=passwords,
        scram=scram_keys(passwords),
        handle=dn,
    )


class _Entry:
    def __init__(self, dn: str, attributes: Mapping[str, list[bytes]]) -> None:
        self._dn = dn
        self._attributes = attributes

    def _confused(self, message: str) -> DirectoryConfused:
        return DirectoryConfused(f"entry {self._dn}: {message}")

    def raw(self, name: str) -> list[bytes]:
        return self._attributes.get(name.lower(), []) if name else []

    def texts(self, name: str) -> list[str]:
        try:
            return [value.decode() for value in self.raw(name)]
        except UnicodeDecodeError:
            raise self._confused(f"a value of {name} is not UTF-8") from None

    def one(self, name: str) -> str:
        """Its only value; empty when there is none."""
        found = self.texts(name)
        if len(found) > 1:
            raise self._confused(f"{len(found)} values of {name}, where one is expected")
        return found[0] if found else ""

    def name(self, attribute: str) -> str:
        text = self.one(attribute)
        if not text:
            raise self._confused(f"no {attribute}, which names the account")
        return self.address(text)

    def address(self, text: str) -> str:
        normal = normal_name(text)
        if normal is None:
            raise self._confused(f"{text!r} is no name for an account")
        return normal

    def number(self, name: str) -> int:
        text = self.one(name)
        if not text:
            return 0
        if not (text.isascii() and text.isdigit() and int(text) <= QUOTA_LIMIT):
            raise self._confused(f"{name} is not a number of bytes")
        return int(text)
