"""Whatever comes as a POP3 server's bytes: at most one outcome, the same in any pieces.

Run: `python fuzz/fuzz_pop3_server.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols"]):
    from support.http_seeds import plant
    from support.login_rules import POP3_SERVER, check_server
    from support.login_talk import POP3


def fuzz_one_input(data: bytes) -> None:
    check_server(POP3, data[:4096])


def main() -> None:
    plant(sys.argv[1:], tuple(b"\x00" + seed for seed in POP3_SERVER))
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
