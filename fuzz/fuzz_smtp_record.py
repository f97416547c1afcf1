"""Whatever is on the disk: a spool record, RecordTruncated or RecordDamaged.

Run: `python fuzz/fuzz_smtp_record.py -max_total_time=60 CORPUS`.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["l7lb_protocols.smtp"]):
    from support.http_seeds import plant
    from support.smtp_rules import check_record, sealed
    from support.smtp_seeds import RECORDS


def fuzz_one_input(data: bytes) -> None:
    check_record(data[:4096])
    check_record(sealed(data[:4096]))


def main() -> None:
    plant(sys.argv[1:], RECORDS)
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
