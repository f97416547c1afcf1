"""Whatever comes: RTCP packets that can be built again alike, or RtcpRefusal.

Run: `python fuzz/fuzz_rtcp.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols.rtcp"]):
    from l7lb_protocols.rtcp import RtcpRefusal, build, parse
    from support.http_seeds import plant
    from support.rtcp_seeds import DATAGRAMS


def fuzz_one_input(data: bytes) -> None:
    try:
        found = parse(data[:4096])
    except RtcpRefusal:
        return
    assert parse(build(found)) == found


def main() -> None:
    plant(sys.argv[1:], tuple(DATAGRAMS.values()))
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
