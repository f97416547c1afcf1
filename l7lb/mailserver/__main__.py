"""`python -m l7lb.mailserver` is one server process; `--help` names its options."""

import sys

from l7lb.mailserver.process import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
