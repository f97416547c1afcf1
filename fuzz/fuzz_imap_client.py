"""Whatever comes as an IMAP client's bytes: events, and the same ones in any pieces.

Run: `python fuzz/fuzz_imap_client.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols"]):
    from support.http_seeds import plant
    from support.login_rules import IMAP_CLIENT, check_client, check_imap_commands
    from support.login_talk import IMAP


def fuzz_one_input(data: bytes) -> None:
    check_client(IMAP, data[:4096])
    check_imap_commands(data[1:4096])


def main() -> None:
    plant(sys.argv[1:], tuple(b"\x00" + seed for seed in IMAP_CLIENT))
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
