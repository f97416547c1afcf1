"""`media.hot_files:` from the schema to the specification."""

from __future__ import annotations

from pathlib import PurePosixPath

from l7lb.config import credentials
from l7lb.config.schema_media_agent import Announce, HotFilesSection, MediaSection
from l7lb.config.scope import Scope
from l7lb.config.validate import Valid
from l7lb.model_directory import SecretSpec
from l7lb.model_hot_files import AnnounceSpec, HotFilesSpec


def hot_files_spec(valid: Valid[MediaSection], scope: Scope) -> HotFilesSpec | None:
    """None when the file says nothing of it, or with the problem noted."""
    section = valid.section.hot_files
    if valid.broken or section is None:
        return None
    spot = scope.at("hot_files")
    _refuse_nested(section, spot)
    if not section.capacity:
        spot.at("capacity").problem("nothing can be copied into 0", "such as 500GB")
    return HotFilesSpec(
        shared=section.shared,
        local=section.local,
        presented=section.presented,
        capacity_bytes=section.capacity,
        announce=_announce(section.announce, spot.at("announce")),
        url=section.url,
        reserve_bytes=section.reserve,
        half_life_s=section.half_life,
        copy_rate_bytes_s=float(section.copy_rate),
        settle_s=section.settle,
        rescan_s=section.rescan,
        busy_sessions=section.busy.sessions,
        busy_rate_bytes_s=float(section.busy.rate),
    )


def _announce(given: Announce, scope: Scope) -> AnnounceSpec:
    if not given.to:
        scope.key_problem("announce goes nowhere", "add to: 239.255.76.76, or each director")
    if len({address.is_multicast and ":" in address.host for address in given.to}) > 1:
        scope.at("to").problem("groups of IPv6 do not go with other addresses", "all of one kind")
    secret = SecretSpec(b"")
    if given.secret is None:
        scope.key_problem("announce has no secret", "write secret: {file: PATH}")
    else:
        secret = credentials.referred(
            scope.at("secret"), given.secret, credentials.SECRET_LEAST_BYTES
        )
    return AnnounceSpec(
        tuple(given.to), secret, given.every, given.listen, given.lists, given.interface or ""
    )


def _refuse_nested(section: HotFilesSection, scope: Scope) -> None:
    paths = {key: PurePosixPath(getattr(section, key)) for key in ("shared", "local", "presented")}
    for key, path in paths.items():
        for other, above in paths.items():
            if key != other and path.is_relative_to(above):
                scope.at(key).problem(f"{path} lies in {other}", "three directories, apart")
                return
