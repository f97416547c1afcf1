"""Whatever a client sends: lawful replies, clean messages, one end; the first byte: LMTP or not.

Run: `python fuzz/fuzz_smtp_server.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols.smtp"]):
    from support.http_seeds import plant
    from support.smtp_rules import check_server
    from support.smtp_seeds import DIALOGUES


def fuzz_one_input(data: bytes) -> None:
    check_server(data[1:2048], lmtp=data[:1] == b"L")


def main() -> None:
    plant(
        sys.argv[1:],
        tuple(b"L" + seed for seed in DIALOGUES) + tuple(b"S" + seed for seed in DIALOGUES),
    )
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
