"""Whatever comes: command lines, a wish for more bytes, or SmtpRefusal; the same byte by byte.

Run: `python fuzz/fuzz_smtp_commands.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols.smtp"]):
    from support.http_seeds import plant
    from support.smtp_rules import check_commands
    from support.smtp_seeds import COMMANDS


def fuzz_one_input(data: bytes) -> None:
    check_commands(data[:4096])


def main() -> None:
    plant(sys.argv[1:], COMMANDS)
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
