"""Whatever comes: a chunked body that h11 reads alike, a wish for more bytes, or HttpRefusal.

Run: `python fuzz/fuzz_http_chunked.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols.http"]):
    from support.http_rules import check_chunked
    from support.http_seeds import CHUNKED, plant


def fuzz_one_input(data: bytes) -> None:
    check_chunked(data[:4096])


def main() -> None:
    plant(sys.argv[1:], CHUNKED)
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
