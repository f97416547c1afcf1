"""Whatever comes: a response head that h11 reads alike, a wish for more bytes, or HttpRefusal.

Run: `python fuzz/fuzz_http_response.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols.http"]):
    from support.http_rules import check_response
    from support.http_seeds import RESPONSES, plant

METHODS = (b"GET", b"HEAD", b"CONNECT")
"""The first byte of the input chooses one."""


def fuzz_one_input(data: bytes) -> None:
    method = METHODS[data[0] % len(METHODS)] if data else b"GET"
    check_response(data[1:4096], method)


def main() -> None:
    plant(sys.argv[1:], tuple(b"\x00" + seed for seed in RESPONSES))
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
