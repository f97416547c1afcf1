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

HOT = [
    "protocols/l7lb_protocols/http/scanner.py",
    "protocols/l7lb_protocols/http/chunked.py",
    "protocols/l7lb_protocols/http/session.py",
    "l7lb/net/stream.py",
    "l7lb/net/driver.py",
    "l7lb/routing/table.py",
    "l7lb/pool/shared.py",
]


def module_name(path: str) -> str:
    return path.removesuffix(".py").removeprefix("protocols/").replace("/", ".")


def extensions() -> list[Extension]:
    if cythonize is None or os.environ.get("L7LB_PURE_PYTHON"):
        return []
    modules = [
        Extension(module_name(path), [path], optional=True, extra_compile_args=["-O2"])
        for path in HOT
        if Path(path).exists()
    ]
    return cythonize(
        modules,
        build_dir="build/cython",
        include_path=["protocols"],
        compiler_directives={
            "language_level": 3,
            "annotation_typing": False,
            "boundscheck": False,
            "wraparound": False,
            "initializedcheck": False,
            "embedsignature": True,
        },
    )


setup(ext_modules=extensions())
