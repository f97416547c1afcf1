"""Whatever comes as an IMAP server's bytes: at most one outcome, the same in any pieces.

Run: `python fuzz/fuzz_imap_server.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols"]):
    from support.http_seeds import plant
    from support.login_rules import IMAP_SERVER, check_server
    from support.login_talk import IMAP


def fuzz_one_input(data: bytes) -> None:
    check_server(IMAP, data[:4096])


def main() -> None:
    plant(sys.argv[1:], tuple(b"\x00" + seed for seed in IMAP_SERVER))
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
