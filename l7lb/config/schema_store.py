"""What may stand below `store:` in a rules file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from l7lb.config import addresses, shorthand, texts
from l7lb.config.fields import TEXT, Parsed, Section, Short
from l7lb.config.schema_secret import FileName, Secret
from l7lb.model import Address
from l7lb.model_store import EtcdStore, StoreTls

_ETCD = EtcdStore(())
_TLS = StoreTls()

Url = Annotated[str, Parsed(texts.store_url, {**TEXT, "x-unit": "URL"})]
SecretReference = Annotated[Secret, Short(shorthand.secret, None)]


class StoreTlsSection(Section):
    """TLS to the store's servers."""

    verify: bool = _TLS.verify
    """Verify their certificates."""
    ca: FileName | None = None
    """PEM file with the authorities; without it, the system's."""
    certificate: FileName | None = None
    """PEM file with a certificate of ours."""
    key: FileName | None = None
    """PEM file with its key; without it, the key stands in `certificate`."""


class Etcd(Section):
    """etcd, version 3.4 or newer. Short form: the URLs of its members."""

    urls: Annotated[list[Url], Short(shorthand.listed, ())] = Field(
        default=[], json_schema_extra={"x-required": True}
    )
    """Members, as `http://HOST:PORT` or `https://HOST:PORT`; one that does not answer is passed
    over."""
    prefix: Annotated[str, Parsed(texts.store_prefix, TEXT)] = _ETCD.prefix
    """What all keys begin with: clusters that share an etcd have different ones."""
    user: Annotated[str, Parsed(texts.plain_word, TEXT)] | None = None
    """Name to log in with; without it, none."""
    password: SecretReference | None = None
    """Password of `user`."""
    tls: StoreTlsSection = StoreTlsSection()
    """For `https:` members."""


class Lockd(Section):
    """l7lb's own lock server (`python -m l7lb_storage.lockd`). Short form: its address."""

    address: Annotated[Address, Parsed(addresses.server_address, {**TEXT, "x-unit": "address"})]
    """`unix:PATH`, or `IP:PORT` or `NAME:PORT`."""
    secret: SecretReference | None = None
    """The secret that it shares with its clients."""
    tls: Annotated[
        StoreTlsSection | None,
        Short(shorthand.switched, ({"enum": [True, False, "none", "off"]},)),
    ] = None
    """TLS to it; `true` for all defaults."""


class StoreSection(Section):
    """What directors share; exactly one of these."""

    etcd: Annotated[
        Etcd | None, Short(shorthand.keyed("urls", str, list), (TEXT, {"type": "array"}))
    ] = None
    """etcd."""
    lockd: Annotated[Lockd | None, Short(shorthand.keyed("address", str), (TEXT,))] = None
    """Our own server."""
