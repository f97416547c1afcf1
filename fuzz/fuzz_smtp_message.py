"""Whatever comes after DATA: its end where RFC 5321 has it, clean text, or a problem said.

Run: `python fuzz/fuzz_smtp_message.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols.smtp"]):
    from support.http_seeds import plant
    from support.smtp_rules import check_message
    from support.smtp_seeds import MESSAGES


def fuzz_one_input(data: bytes) -> None:
    check_message(data[:4096])


def main() -> None:
    plant(sys.argv[1:], MESSAGES)
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
