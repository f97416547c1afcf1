"""Hot files in the words of the rules file, every key given."""

from __future__ import annotations

from l7lb.config.effective_directory import secret_tree
from l7lb.config.nodes import Plain
from l7lb.config.units import format_duration, format_size
from l7lb.model_hot_files import AnnounceSpec, HotFilesSpec


def media_tree(spec: HotFilesSpec) -> dict[str, Plain]:
    return {
        "hot_files": {
            "shared": spec.shared,
            "local": spec.local,
            "presented": spec.presented,
            "capacity": _size(spec.capacity_bytes),
            "announce": _announce(spec.announce),
            "url": spec.url,
            "reserve": _size(spec.reserve_bytes),
            "half_life": format_duration(spec.half_life_s),
            "copy_rate": _size(int(spec.copy_rate_bytes_s)),
            "settle": format_duration(spec.settle_s),
            "rescan": format_duration(spec.rescan_s),
            "busy": {
                "sessions": spec.busy_sessions,
                "rate": _size(int(spec.busy_rate_bytes_s)),
            },
        }
    }


def secrets(spec: HotFilesSpec) -> dict[str, bytes]:
    return {"hot_files.announce.secret": spec.announce.secret.value}


def _announce(spec: AnnounceSpec) -> dict[str, Plain]:
    return {
        "to": [str(address) for address in spec.to],
        "secret": secret_tree(spec.secret),
        "every": format_duration(spec.every_s),
        "listen": str(spec.listen),
        "lists": str(spec.lists),
        **({"interface": spec.interface} if spec.interface else {}),
    }


def _size(size: int) -> Plain:
    return format_size(size) if size else 0
