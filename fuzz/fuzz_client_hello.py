"""Whatever comes: a ClientHello, a wish for more bytes, or ClientHelloRefusal.

Run: `python fuzz/fuzz_client_hello.py -max_total_time=60 CORPUS`.
"""

import re
import sys

import atheris

with atheris.instrument_imports():
    from l7lb_protocols.client_hello import (
        MAX_BYTES,
        MAX_RECORD_BYTES,
        MAX_RECORDS,
        ClientHelloRefusal,
        parse,
    )


def fuzz_one_input(data: bytes) -> None:
    try:
        found = parse(data)
    except ClientHelloRefusal:
        return
    if found is None:
        assert len(data) < MAX_BYTES + MAX_RECORD_BYTES + 5 * MAX_RECORDS
        return
    assert re.fullmatch(rb"[a-z0-9._-]*", found.server_name)
    assert found == parse(data + b"\x00")


def main() -> None:
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
