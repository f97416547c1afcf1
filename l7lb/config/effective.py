"""A specification as a rules file with everything filled in, and as the tree it is written from.

What is written loads again to an equal specification, but for secrets: they are only marked as
set, since what was compiled holds the secret and no longer where it was read.
"""

from __future__ import annotations

import io

from ruamel.yaml import YAML

from l7lb.config.effective_directory import directory_tree
from l7lb.config.effective_hot_files import media_tree
from l7lb.config.effective_mail import login_tree, smtp_tree
from l7lb.config.effective_mail_storage import mail_tree
from l7lb.config.effective_media import director_media_tree, rtsp_tree
from l7lb.config.effective_pool import pool_tree, retry_tree
from l7lb.config.effective_store import store_tree
from l7lb.config.naming import path_text
from l7lb.config.nodes import Plain
from l7lb.config.units import format_duration, format_share, format_size
from l7lb.model import (
    ClusterSpec,
    DirectorSpec,
    ListenSpec,
    ListenTls,
    MatchSpec,
    RouteSpec,
    ServiceSpec,
    Timeouts,
    ValueMatch,
)
from l7lb.model_http import FixedReply, HeaderEdits, HttpOptions

ROUTE_TIMEOUTS = (
    "body_idle",
    "connect",
    "first_byte",
    "between_bytes",
    "send_idle",
    "tunnel_idle",
)
HIDDEN_NOTE = "# director.cookie_secret is set; it is never shown\n"


def to_yaml(spec: ClusterSpec) -> str:
    """The whole file. A cookie secret is left out, and a comment says so."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 100
    yaml.allow_unicode = True
    out = io.StringIO()
    yaml.dump(tree(spec), out)
    return (HIDDEN_NOTE if spec.director.cookie_secret else "") + out.getvalue()


def tree(spec: ClusterSpec) -> dict[str, Plain]:
    """The words of the rules file, every key given."""
    return {
        "pools": {name: pool_tree(pool) for name, pool in spec.pools.items()},
        "services": {name: service_tree(service) for name, service in spec.services.items()},
        **({"directory": directory_tree(spec.directory)} if spec.directory else {}),
        **({"store": store_tree(spec.store)} if spec.store else {}),
        **({"mail": mail_tree(spec.mail_storage)} if spec.mail_storage else {}),
        **({"media": media_tree(spec.hot_files)} if spec.hot_files else {}),
        "director": director_tree(spec.director),
    }


def director_tree(spec: DirectorSpec) -> dict[str, Plain]:
    found: dict[str, Plain] = {
        "workers": spec.workers or "auto",
        "drain_deadline": format_duration(spec.drain_deadline_s),
        "loop": spec.loop,
        "media": director_media_tree(spec.media),
    }
    optional = {"control": spec.control, "state": spec.state, "metrics": spec.metrics}
    return found | {key: str(value) for key, value in optional.items() if value}


# --------------------------------------------------------------------------- services


def service_tree(spec: ServiceSpec) -> dict[str, Plain]:
    return {
        "protocol": spec.protocol,
        "listen": [listen_tree(listen) for listen in spec.listen],
        "routes": [route_tree(route) for route in spec.routes],
        "timeouts": _timeouts(spec.timeouts),
        **_options(spec),
        "access_log": {"format": spec.access_log.format.value, "path": spec.access_log.path},
        "max_connections": spec.max_connections,
        "max_per_source": spec.max_per_source,
    }


def _options(spec: ServiceSpec) -> dict[str, Plain]:
    """Those of its protocol."""
    if spec.protocol == "http":
        return {"http": _http(spec.http)}
    if spec.protocol == "rtsp":
        return {"rtsp": rtsp_tree(spec.rtsp)}
    smtp: dict[str, Plain] = {"smtp": smtp_tree(spec.smtp)} if spec.protocol == "smtp" else {}
    return {"login": login_tree(spec.login), **smtp}


def listen_tree(spec: ListenSpec) -> dict[str, Plain]:
    return {
        "address": str(spec.address),
        **({"tls": _tls(spec.tls)} if spec.tls else {}),
        **({"starttls": _tls(spec.starttls)} if spec.starttls else {}),
        "passthrough": spec.passthrough,
        "proxy_from": [*spec.proxy_from],
        "backlog": spec.backlog,
    }


def _tls(spec: ListenTls) -> dict[str, Plain]:
    found: dict[str, Plain] = {
        "certificates": [
            {"chain": pair.chain, **({"key": pair.key} if pair.key else {})}
            for pair in spec.certificates
        ],
        "minimum": spec.minimum,
        "alpn": [*spec.alpn],
    }
    if spec.client_ca is not None:
        found |= {"client_ca": spec.client_ca, "client_required": spec.client_required}
    return found | ({"ciphers": spec.ciphers} if spec.ciphers is not None else {})


def _timeouts(spec: Timeouts) -> dict[str, Plain]:
    names = (name.removesuffix("_s") for name in Timeouts.__dataclass_fields__)
    return {name: format_duration(getattr(spec, f"{name}_s")) for name in names}


def _http(spec: HttpOptions) -> dict[str, Plain]:
    limits = spec.limits
    return {
        "limits": {
            "head": format_size(limits.head_bytes),
            "fields": limits.fields,
            "body": format_size(limits.body_bytes),
            "pipeline": format_size(limits.pipeline_bytes),
        },
        "forwarded": [*sorted(spec.forwarded)],
        "trusted_proxies": [*spec.trusted_proxies],
        "client_name_header": spec.client_name_header.decode(),
        "encoded_slash": spec.encoded_slash,
        "underscores": spec.underscores,
    }


# --------------------------------------------------------------------------- routes


def route_tree(spec: RouteSpec) -> dict[str, Plain]:
    """What is not given is left out: there are no defaults worth showing."""
    found: dict[str, Plain] = {"name": spec.name, **_conditions(spec.match), **_action(spec)}
    for key, edits in (
        ("request_headers", spec.request_headers),
        ("response_headers", spec.response_headers),
    ):
        if edits:
            found[key] = _edits(edits)
    if spec.mirror is not None:
        found["mirror"] = {"pool": spec.mirror, "share": format_share(spec.mirror_share)}
    if spec.allow_connect:
        found["allow_connect"] = True
    if spec.timeouts is not None:
        timeouts = _timeouts(spec.timeouts)
        found["timeouts"] = {name: timeouts[name] for name in ROUTE_TIMEOUTS}
    if spec.retry is not None:
        found["retry"] = retry_tree(spec.retry)
    return found


def _conditions(match: MatchSpec) -> dict[str, Plain]:
    found: dict[str, Plain] = {
        "host": _texts(match.hosts),
        "path": path_text(match.path),
        "method": _texts(match.methods),
        "header": _values(match.headers),
        "query": _values(match.query),
        "cookie": _values(match.cookies),
        "from": [*match.sources],
        "sni": _texts(match.sni),
        "tls_name": _texts(match.tls_names),
        "account": _texts(match.accounts),
        "recipient": _texts(match.recipients),
        "attribute": _values(match.attributes),
    }
    return {key: value for key, value in found.items() if value}


def _texts(values: tuple[bytes, ...]) -> list[Plain]:
    return [value.decode() for value in values]


def _values(values: tuple[ValueMatch, ...]) -> dict[str, Plain]:
    return {value.name.decode(): _value(value) for value in values}


def _value(value: ValueMatch) -> Plain:
    if value.value is not None:
        return value.value.decode()
    return {"regex": value.pattern.pattern.decode()} if value.pattern else True


def _action(spec: RouteSpec) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    if spec.pools:
        alone = len(spec.pools) == 1 and spec.pools[0][1] == 1
        found["pool"] = spec.pools[0][0] if alone else dict(spec.pools)
    if spec.redirect:
        found["redirect"] = {"to": spec.redirect.to.decode(), "status": spec.redirect.status}
    if spec.reply:
        found["reply"] = _reply(spec.reply)
    rewrite = {"path": spec.rewrite_path, "host": spec.rewrite_host}
    given: dict[str, Plain] = {key: text.decode() for key, text in rewrite.items() if text}
    return found | ({"rewrite": given} if given else {})


def _reply(reply: FixedReply) -> dict[str, Plain]:
    found: dict[str, Plain] = {"status": reply.status}
    if reply.headers:
        found["headers"] = _fields(reply.headers)
    if reply.body:
        found["body"] = reply.body.decode()
    return found


def _edits(edits: HeaderEdits) -> dict[str, Plain]:
    parts: dict[str, Plain] = {
        "remove": _texts(edits.remove),
        "set": {name.decode(): value.decode() for name, value in edits.set},
        "add": _fields(edits.add),
    }
    return {key: part for key, part in parts.items() if part}


def _fields(fields: tuple[tuple[bytes, bytes], ...]) -> dict[str, Plain]:
    found: dict[str, list[Plain]] = {}
    for name, value in fields:
        found.setdefault(name.decode(), []).append(value.decode())
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
