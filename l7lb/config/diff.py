"""What differs between two specifications, by name and in the words of the rules file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from l7lb.config import (
    effective,
    effective_directory,
    effective_hot_files,
    effective_mail_storage,
    effective_pool,
    effective_store,
)
from l7lb.config.nodes import Plain
from l7lb.model import ClusterSpec, DirectorSpec, PoolSpec, ServiceSpec
from l7lb.model_directory import DirectorySpec
from l7lb.model_hot_files import HotFilesSpec
from l7lb.model_migration import MailStorageSpec
from l7lb.model_store import StoreSpec

Tree = Mapping[str, Plain]
Section = tuple[Tree, Mapping[str, bytes]]
T = TypeVar("T", PoolSpec, ServiceSpec)


class Kind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class What(StrEnum):
    POOL = "pool"
    SERVER = "server"
    SERVICE = "service"
    LISTENER = "listener"
    ROUTE = "route"
    DIRECTORY = "directory"
    STORE = "store"
    MAIL = "mail"
    MEDIA = "media"
    DIRECTOR = "director"


@dataclass(frozen=True, slots=True)
class Change:
    kind: Kind
    what: What
    name: str
    """`pool`, `pool/server`, `service`, `service/route`, `service ADDRESS`, `directory`, `store`,
    `mail`, `media` or `director`."""
    details: tuple[str, ...] = ()
    """What changed, such as `weight 1 → 2`."""

    def __str__(self) -> str:
        details = f": {', '.join(self.details)}" if self.details else ""
        return f"{self.kind} {self.what} {self.name}{details}"


def diff(old: ClusterSpec, new: ClusterSpec) -> list[Change]:
    """Changes from `old` to `new`, section by section; [] when equal.

    A pool or service that is added or removed is one change; its parts are not listed.
    """
    return [
        *_named(What.POOL, old.pools, new.pools, _pool_changes),
        *_named(What.SERVICE, old.services, new.services, _service_changes),
        *_whole(What.DIRECTORY, _directory(old.directory), _directory(new.directory)),
        *_whole(What.STORE, _store(old.store), _store(new.store)),
        *_whole(What.MAIL, _mail(old.mail_storage), _mail(new.mail_storage)),
        *_whole(What.MEDIA, _media(old.hot_files), _media(new.hot_files)),
        *_director(old.director, new.director),
    ]


def _named(
    what: What,
    old: Mapping[str, T],
    new: Mapping[str, T],
    changes: Callable[[T, T], Iterator[Change]],
) -> Iterator[Change]:
    for name in old:
        if name not in new:
            yield Change(Kind.REMOVED, what, name)
    for name, given in new.items():
        if name not in old:
            yield Change(Kind.ADDED, what, name)
        elif old[name] != given:
            yield from changes(old[name], given)


# --------------------------------------------------------------------------- pools


def _pool_changes(old: PoolSpec, new: PoolSpec) -> Iterator[Change]:
    details = _details(
        _without(effective_pool.pool_tree(old), "servers"),
        _without(effective_pool.pool_tree(new), "servers"),
    )
    servers = (
        {server.name: effective_pool.server_tree(server) for server in spec.servers}
        for spec in (old, new)
    )
    before, after = servers
    details += _reordered("servers", list(before), list(after))
    if old.login and new.login and old.login.secret.value != new.login.secret.value:
        details.append("login.secret changed")
    if details:
        yield Change(Kind.CHANGED, What.POOL, new.name, tuple(details))
    yield from _parts(What.SERVER, f"{new.name}/", before, after)


# --------------------------------------------------------------------------- services


def _service_changes(old: ServiceSpec, new: ServiceSpec) -> Iterator[Change]:
    parts = ("listen", "routes")
    details = _details(
        _without(effective.service_tree(old), *parts), _without(effective.service_tree(new), *parts)
    )
    routes = [{route.name: effective.route_tree(route) for route in s.routes} for s in (old, new)]
    listeners = [
        {str(listen.address): effective.listen_tree(listen) for listen in s.listen}
        for s in (old, new)
    ]
    details += _reordered("routes", list(routes[0]), list(routes[1]))
    if details:
        yield Change(Kind.CHANGED, What.SERVICE, new.name, tuple(details))
    yield from _parts(What.LISTENER, f"{new.name} ", *listeners)
    yield from _parts(What.ROUTE, f"{new.name}/", *routes)


def _parts(
    what: What, prefix: str, old: Mapping[str, Tree], new: Mapping[str, Tree]
) -> Iterator[Change]:
    for name in old:
        if name not in new:
            yield Change(Kind.REMOVED, what, prefix + name)
    for name, given in new.items():
        if name not in old:
            yield Change(Kind.ADDED, what, prefix + name)
        elif old[name] != given:
            yield Change(Kind.CHANGED, what, prefix + name, tuple(_details(old[name], given)))


def _whole(what: What, old: Section | None, new: Section | None) -> Iterator[Change]:
    """A section that is there once: its tree, and its secrets by key."""
    if old is None or new is None:
        if old is not new:
            yield Change(Kind.ADDED if old is None else Kind.REMOVED, what, what.value)
        return
    details = _details(old[0], new[0])
    before, after = old[1], new[1]
    details += [f"{key} changed" for key in after if key in before and after[key] != before[key]]
    if details:
        yield Change(Kind.CHANGED, what, what.value, tuple(details))


def _directory(spec: DirectorySpec | None) -> Section | None:
    if spec is None:
        return None
    return effective_directory.directory_tree(spec), effective_directory.secrets(spec)


def _store(spec: StoreSpec | None) -> Section | None:
    return (
        None if spec is None else (effective_store.store_tree(spec), effective_store.secrets(spec))
    )


def _mail(spec: MailStorageSpec | None) -> Section | None:
    return None if spec is None else (effective_mail_storage.mail_tree(spec), {})


def _media(spec: HotFilesSpec | None) -> Section | None:
    if spec is None:
        return None
    return effective_hot_files.media_tree(spec), effective_hot_files.secrets(spec)


def _director(old: DirectorSpec, new: DirectorSpec) -> Iterator[Change]:
    details = _details(effective.director_tree(old), effective.director_tree(new))
    if old.cookie_secret != new.cookie_secret:
        details.append("cookie_secret changed")
    if details:
        yield Change(Kind.CHANGED, What.DIRECTOR, "director", tuple(details))


# --------------------------------------------------------------------------- trees


def _without(tree: Tree, *keys: str) -> Tree:
    return {key: value for key, value in tree.items() if key not in keys}


def _details(old: Tree, new: Tree) -> list[str]:
    before, after = dict(_leaves(old, "")), dict(_leaves(new, ""))
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"{name} {_shown(before.get(name))} → {_shown(after.get(name))}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _leaves(tree: Tree, prefix: str) -> Iterator[tuple[str, Plain]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _shown(value: Plain) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reordered(what: str, old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Whether those that stayed have changed places."""
    stayed = [
        [name for name in names if name in other]
        for names, other in ((old, set(new)), (new, set(old)))
    ]
    return [f"order of {what} changed"] if stayed[0] != stayed[1] else []
