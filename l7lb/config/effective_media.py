"""Media in the words of the rules file, every key given."""

from __future__ import annotations

from l7lb.config.nodes import Plain
from l7lb.config.units import format_duration, format_size
from l7lb.model_media import DirectorMediaSpec, MediaSpec, RtspOptions


def media_tree(spec: MediaSpec) -> dict[str, Plain]:
    modes: Plain = [mode.value for mode in spec.modes] if spec.modes else "none"
    return {"modes": modes, "agent_port": spec.agent_port}


def director_media_tree(spec: DirectorMediaSpec) -> dict[str, Plain]:
    optional = {"kernel": spec.kernel, "key": spec.key}
    found: dict[str, Plain] = {
        "relay_ports": range_text(spec.relay_ports),
        "probe_at": [*spec.probe_at],
    }
    return found | {key: text for key, text in optional.items() if text}


def rtsp_tree(spec: RtspOptions) -> dict[str, Plain]:
    return {
        "vip": [*spec.vips],
        "interleaved": spec.interleaved,
        "head": format_size(spec.head_bytes),
        "body": format_size(spec.body_bytes),
        "pipeline": spec.pipeline,
        "silent": format_duration(spec.silent_s),
        "tcp_only": format_duration(spec.tcp_only_s),
    }


def range_text(ports: tuple[int, int]) -> str:
    return f"{ports[0]}-{ports[1]}"
