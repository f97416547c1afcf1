"""The whole: from the tree of a rules file to a `ClusterSpec`.

Owns: what hangs together across pools, services and the director. Must not know: where the text of
the tree came from.
"""

from __future__ import annotations

from ipaddress import ip_address

from l7lb.config import (
    compile_directory,
    compile_hot_files,
    compile_mail,
    compile_mail_storage,
    compile_media,
    compile_pool,
    compile_service,
    compile_store,
)
from l7lb.config.addresses import UNIX
from l7lb.config.hints import LATER_KEYS, LATER_PROTOCOLS, nearest
from l7lb.config.nodes import Listing, Mapping, Node, Plain, Scalar
from l7lb.config.refusal import Refusal
from l7lb.config.schema_cluster import PROTOCOLS, Cluster, Director, Service
from l7lb.config.schema_directory import DirectorySection
from l7lb.config.schema_mail_storage import MailSection
from l7lb.config.schema_media_agent import MediaSection
from l7lb.config.schema_pool import Pool
from l7lb.config.schema_store import StoreSection
from l7lb.config.scope import Scope
from l7lb.config.texts import name as checked_name
from l7lb.config.units import shown
from l7lb.config.validate import known_keys, validated
from l7lb.model import Address, ClusterSpec, DirectorSpec, PoolSpec, ServiceSpec
from l7lb.model_directory import DirectorySpec
from l7lb.model_hot_files import HotFilesSpec
from l7lb.model_migration import MailStorageSpec
from l7lb.model_store import StoreSpec

Endpoint = tuple[Address, Scope]
"""An address that is listened on, and where it stands."""


def cluster_spec(scope: Scope, files: tuple[str, ...]) -> ClusterSpec:
    """The specification, as far as it can be made; it is only good when no problem was noted."""
    root = scope.root
    assert isinstance(root, Mapping)
    _drop_empty(root, scope)
    _refuse_unknown_sections(root, scope)
    named = {key: _names(root, key, scope) for key in ("pools", "services")}
    pools = _pools(named["pools"], scope.at("pools"))
    services, endpoints = _services(named, pools, scope.at("services"))
    director = _director(root, scope.at("director"))
    if director.metrics:
        endpoints.append((director.metrics, scope.at("director", "metrics")))
    _refuse_collisions(endpoints)
    ports = director.media.relay_ports
    compile_media.check_relay_ports(ports, pools, scope.at("director", "media"))
    directory = _directory(root, scope.at("directory"))
    if root.get("directory") is None:
        _refuse_without_directory(services, pools, scope.at("services"))
    if directory is not None:
        compile_mail.check_attributes(services, directory, scope)
    store = _store(root, scope.at("store"))
    mail_storage = _mail_storage(root, scope.at("mail"))
    hot_files = _hot_files(root, scope.at("media"))
    return ClusterSpec(pools, services, director, directory, store, mail_storage, hot_files, files)


def _drop_empty(root: Mapping, scope: Scope) -> None:
    """A key without a value is a slip; what it would mean can only be guessed."""
    open_nodes: list[Node] = [root]
    seen: set[int] = set()
    while open_nodes:
        node = open_nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        match node:
            case Mapping():
                _drop_empty_keys(node, scope)
                open_nodes += [entry.value for entry in node.entries.values()]
            case Listing():
                open_nodes += node.items
            case Scalar():
                pass


def _drop_empty_keys(node: Mapping, scope: Scope) -> None:
    for key, entry in list(node.entries.items()):
        if isinstance(entry.value, Scalar) and entry.value.value is None:
            message = f"key {shown(key)} has no value"
            scope.problems.add(entry.key_place, message, "leave it out, or fill it in")
            del node.entries[key]


def _refuse_unknown_sections(root: Mapping, scope: Scope) -> None:
    known = known_keys(Cluster)
    for key in root.entries:
        if key in LATER_KEYS["Cluster"]:
            scope.at(key).key_problem(f"section '{key}' is not supported by this version")
        elif key not in known:
            scope.at(key).key_problem(
                f"unknown key {shown(key)}", nearest(key, known, "known keys")
            )


def _names(root: Mapping, key: str, scope: Scope) -> dict[str, dict[str, Plain]]:
    """The named mappings of a section; names and shapes are checked."""
    node = root.get(key)
    if node is not None and not isinstance(node, Mapping):
        scope.at(key).problem(f"{key} are not a mapping", "names, each with its settings")
    if not isinstance(node, Mapping):
        return {}
    found = {}
    for name, plain in node.plain().items():
        spot = scope.at(key, name)
        try:
            checked_name(name)
        except Refusal as refusal:
            spot.key_problem(refusal.message, refusal.hint)
        if isinstance(plain, dict):
            found[name] = plain
        else:
            spot.problem(f"{key.removesuffix('s')} {shown(name)} is not a mapping")
    return found


def _pools(named: dict[str, dict[str, Plain]], scope: Scope) -> dict[str, PoolSpec]:
    pools = {}
    for name, plain in named.items():
        valid = validated(Pool, plain, scope.at(name))
        if valid:
            pools[name] = compile_pool.pool_spec(name, valid, scope.at(name))
    return pools


def _services(
    named: dict[str, dict[str, dict[str, Plain]]], pools: dict[str, PoolSpec], scope: Scope
) -> tuple[dict[str, ServiceSpec], list[Endpoint]]:
    """The services, and every address that they listen on."""
    services: dict[str, ServiceSpec] = {}
    endpoints: list[Endpoint] = []
    for name, plain in named["services"].items():
        spot = scope.at(name)
        valid = validated(Service, plain, spot) if _is_protocol_known(plain, spot) else None
        if valid is None:
            continue
        spec = compile_service.service_spec(name, valid, named["pools"].keys(), spot)
        compile_service.check_pools(spec, pools, spot)
        services[name] = spec
        for index, listen in enumerate(spec.listen):
            position = valid.position("listen", index)
            endpoints.append((listen.address, spot.at("listen", position)))
    return services, endpoints


def _is_protocol_known(plain: dict[str, Plain], scope: Scope) -> bool:
    """A service of a protocol that is not there is left out as a whole: one problem, not twenty."""
    protocol = plain.get("protocol")
    if not isinstance(protocol, str) or protocol in PROTOCOLS:
        return True
    if protocol in LATER_PROTOCOLS:
        message = f"protocol '{protocol}' is not supported by this version"
        scope.at("protocol").problem(message, f"known: {', '.join(PROTOCOLS)}")
        return False
    return True


def _director(root: Mapping, scope: Scope) -> DirectorSpec:
    node = root.get("director")
    if node is None:
        return DirectorSpec()
    if not isinstance(node, Mapping):
        scope.problem("director is not a mapping", "such as {workers: 2}")
        return DirectorSpec()
    valid = validated(Director, node.plain(), scope)
    return compile_service.director_spec(valid.section, scope) if valid else DirectorSpec()


def _directory(root: Mapping, scope: Scope) -> DirectorySpec | None:
    node = root.get("directory")
    if node is None:
        return None
    if not isinstance(node, Mapping):
        scope.problem("directory is not a mapping", "such as {static: users.yaml}")
        return None
    valid = validated(DirectorySection, node.plain(), scope)
    return compile_directory.directory_spec(valid, scope) if valid else None


def _refuse_without_directory(
    services: dict[str, ServiceSpec], pools: dict[str, PoolSpec], scope: Scope
) -> None:
    for name, service in services.items():
        why = compile_mail.needs_directory(service, pools)
        if why:
            scope.at(name).key_problem(f"a directory is needed: {why}", "add directory")


def _store(root: Mapping, scope: Scope) -> StoreSpec | None:
    node = root.get("store")
    if node is None:
        return None
    if not isinstance(node, Mapping):
        scope.problem("store is not a mapping", "such as {etcd: http://10.0.6.1:2379}")
        return None
    valid = validated(StoreSection, node.plain(), scope)
    return compile_store.store_spec(valid, scope) if valid else None


def _mail_storage(root: Mapping, scope: Scope) -> MailStorageSpec | None:
    node = root.get("mail")
    if node is None:
        return None
    if not isinstance(node, Mapping):
        scope.problem("mail is not a mapping", "such as {storage: '/srv/mail/{account}'}")
        return None
    valid = validated(MailSection, node.plain(), scope)
    return compile_mail_storage.mail_storage_spec(valid, scope) if valid else None


def _hot_files(root: Mapping, scope: Scope) -> HotFilesSpec | None:
    node = root.get("media")
    if node is None:
        return None
    if not isinstance(node, Mapping):
        scope.problem("media is not a mapping", "such as {hot_files: {shared: /srv/films, …}}")
        return None
    valid = validated(MediaSection, node.plain(), scope)
    return compile_hot_files.hot_files_spec(valid, scope) if valid else None


# --------------------------------------------------------------------------- listeners that collide


def _refuse_collisions(endpoints: list[Endpoint]) -> None:
    taken: dict[int, list[Endpoint]] = {}
    for address, spot in endpoints:
        if not address.port and not address.host.startswith(UNIX):
            continue
        others = taken.setdefault(address.port, [])
        for other, first in others:
            if _overlap(address.host, other.host):
                spot.problem(f"{address} is taken by {other} at {first.place}")
                break
        others.append((address, spot))


def _overlap(one: str, other: str) -> bool:
    if one == other:
        return True
    if one.startswith(UNIX) or other.startswith(UNIX):
        return False
    if "*" in {one, other}:
        return True
    pair = ip_address(one), ip_address(other)
    return pair[0].version == pair[1].version and any(a.is_unspecified for a in pair)
