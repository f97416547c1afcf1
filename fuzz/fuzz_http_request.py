"""Whatever comes: a request head that h11 reads alike, a wish for more bytes, or HttpRefusal.

Run: `python fuzz/fuzz_http_request.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols.http"]):
    from support.http_rules import check_request
    from support.http_seeds import REQUESTS, plant


def fuzz_one_input(data: bytes) -> None:
    check_request(data[:4096])


def main() -> None:
    plant(sys.argv[1:], REQUESTS)
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
