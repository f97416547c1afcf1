"""Builds the hot path with Cython when a compiler is there, and installs without it when not.

The compiled modules are ordinary Python files; the `.pxd` beside a file only adds C types.
Everything else about the package stands in pyproject.toml.
"""

import os
from pathlib import Path

from setuptools import Extension, setup

try:
    from Cython.Build import cythonize
except ImportError:
    cythonize = None

SCANNERS = [
    "protocols/l7lb_protocols/http/fields.py",
    "protocols/l7lb_protocols/http/head.py",
    "protocols/l7lb_protocols/http/request_line.py",
    "protocols/l7lb_protocols/http/response.py",
    "protocols/l7lb_protocols/http/scanner.py",
    "protocols/l7lb_protocols/http/chunked.py",
    "protocols/l7lb_protocols/http/query.py",
    "protocols/l7lb_protocols/rtsp/frames.py",
    "protocols/l7lb_protocols/login/lines.py",
    "l7lb/routing/table.py",
    "l7lb/pool/shared.py",
]
"""Typed loops over bytes and cells, which keep their indices in range themselves."""

HOT = [
    "protocols/l7lb_protocols/http/answer.py",
    "protocols/l7lb_protocols/http/session.py",
    "protocols/l7lb_protocols/http/forwarded.py",
    "protocols/l7lb_protocols/facts.py",
    "protocols/l7lb_protocols/wire.py",
    "protocols/l7lb_protocols/login/client_side.py",
    "protocols/l7lb_protocols/login/events.py",
    "protocols/l7lb_protocols/login/origin.py",
    "protocols/l7lb_protocols/login/server_side.py",
    "protocols/l7lb_protocols/login/states.py",
    "protocols/l7lb_protocols/imap/arguments.py",
    "protocols/l7lb_protocols/imap/capabilities.py",
    "protocols/l7lb_protocols/imap/client_side.py",
    "protocols/l7lb_protocols/imap/commands.py",
    "protocols/l7lb_protocols/imap/grammar.py",
    "protocols/l7lb_protocols/imap/identity.py",
    "protocols/l7lb_protocols/imap/render.py",
    "protocols/l7lb_protocols/imap/responses.py",
    "protocols/l7lb_protocols/imap/server_side.py",
    "protocols/l7lb_protocols/sasl/client.py",
    "protocols/l7lb_protocols/sasl/encoding.py",
    "protocols/l7lb_protocols/sasl/names.py",
    "protocols/l7lb_protocols/sasl/offer.py",
    "l7lb/ports.py",
    "l7lb/scheduling/lc.py",
    "l7lb/pool/budget.py",
    "l7lb/pool/slot.py",
    "l7lb/pool/server.py",
    "l7lb/pool/queue.py",
    "l7lb/pool/pool.py",
    "l7lb/net/line_buffer.py",
    "l7lb/net/log_lines.py",
    "l7lb/net/access_log.py",
    "l7lb/net/service.py",
    "l7lb/net/kernel.py",
    "l7lb/net/stream.py",
    "l7lb/net/listener.py",
    "l7lb/net/arrival.py",
    "l7lb/net/tls.py",
    "l7lb/net/poller.py",
    "l7lb/net/dial.py",
    "l7lb/net/relay.py",
    "l7lb/net/flow.py",
    "l7lb/net/driver.py",
    "l7lb/net/upstream.py",
    "l7lb/mail/login/admission.py",
    "l7lb/mail/login/entry.py",
    "l7lb/mail/login/plug.py",
    "l7lb/mail/login/session.py",
    "l7lb/mail/attendance.py",
    "l7lb/mail/closing.py",
    "l7lb/mail/traffic.py",
    "l7lb/mail/usage.py",
    "l7lb/mail/sessions.py",
    "l7lb/mail/assignments.py",
    "l7lb/media/relay/packets.py",
]
"""Ordinary code, compiled with every check of Python in place."""


def module_name(path: str) -> str:
    return path.removesuffix(".py").removeprefix("protocols/").replace("/", ".")


def source(path: str) -> str:
    """System calls and the log's buffer have a twin in Cython's own language; all else has one
    text."""
    return path + "x" if Path(path + "x").exists() else path


def compiled(paths: list[str], *, checked: bool) -> list[Extension]:
    modules = [
        Extension(module_name(path), [source(path)], extra_compile_args=["-O2", "-g0"])
        for path in paths
    ]
    extensions: list[Extension] = cythonize(
        modules,
        build_dir="build/cython",
        include_path=["protocols"],
        compiler_directives={
            "language_level": 3,
            "annotation_typing": False,
            "boundscheck": checked,
            "wraparound": checked,
            "initializedcheck": checked,
            "embedsignature": True,
        },
    )
    for extension in extensions:
        extension.optional = True  # a machine without a compiler is no failure; lost by cythonize
    return extensions


def extensions() -> list[Extension]:
    if cythonize is None or os.environ.get("L7LB_PURE_PYTHON"):
        return []
    return compiled(SCANNERS, checked=False) + compiled(HOT, checked=True)


setup(ext_modules=extensions(), options={"build_ext": {"parallel": os.cpu_count()}})
