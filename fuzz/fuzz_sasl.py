"""Whatever comes as a client's SASL messages: steps, or a SaslProblem.

Run: `python fuzz/fuzz_sasl.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols"]):
    from support.http_seeds import plant
    from support.login_rules import SASL, check_sasl


def fuzz_one_input(data: bytes) -> None:
    check_sasl(data[:8192])


def main() -> None:
    plant(sys.argv[1:], SASL)
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
