"""Whatever comes: messages and frames of RTSP, or RtspRefusal; the same byte by byte.

Run: `python fuzz/fuzz_rtsp.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols.rtsp"]):
    from support.http_seeds import plant
    from support.rtsp_rules import check
    from support.rtsp_seeds import STREAMS, TRANSPORTS


def fuzz_one_input(data: bytes) -> None:
    check(data[:8192])


def main() -> None:
    plant(sys.argv[1:], STREAMS + TRANSPORTS)
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
