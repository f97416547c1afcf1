"""Whatever comes: a PROXY header, a wish for more bytes, or ProxyRefusal.

Run: `python fuzz/fuzz_proxy_protocol.py -max_total_time=60 CORPUS`.
"""

import sys

import atheris

with atheris.instrument_imports():
    from l7lb_protocols.proxy_protocol import MAX_BINARY_BYTES, ProxyRefusal, parse


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
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
