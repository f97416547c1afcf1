"""Whatever comes: a request to the relay that can be said again alike, or WireError.

Run: `python fuzz/fuzz_relay_wire.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb.media.relay"]):
    from support.http_seeds import plant
    from support.relay_rules import check_bytes, seeds


def fuzz_one_input(data: bytes) -> None:
    check_bytes(data[:5000])


def main() -> None:
    plant(sys.argv[1:], tuple(seeds()))
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
