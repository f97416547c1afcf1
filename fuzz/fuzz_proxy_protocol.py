"""Whatever comes: a PROXY header, a wish for more bytes, or ProxyRefusal.

Run: `python fuzz/fuzz_proxy_protocol.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.http_seeds import plant

with atheris.instrument_imports():
    from l7lb_protocols.proxy_protocol import (
        MAX_BINARY_BYTES,
        ProxyRefusal,
        build_binary,
        build_text,
        parse,
    )

PAIRS = (
    (("192.0.2.1", 4242), ("192.0.2.2", 80)),
    (("2001:db8::1", 4242), ("2001:db8::2", 80)),
)
SEEDS = tuple(build(*pair) for build in (build_text, build_binary) for pair in PAIRS)
"""No mutation finds the signature of twelve bytes by itself."""


def fuzz_one_input(data: bytes) -> None:
    try:
        found = parse(data)
    except ProxyRefusal:
        return
    if found is None:
        assert len(data) < MAX_BINARY_BYTES
        return
    size = found[1]
    assert 0 < size <= len(data)
    assert parse(data[:size]) == found
    assert parse(data[: size - 1]) is None


def main() -> None:
    plant(sys.argv[1:], SEEDS)
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
