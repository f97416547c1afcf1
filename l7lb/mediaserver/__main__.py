"""`python -m l7lb.mediaserver` is one server process; `--help` names its options."""

import sys

from l7lb.mediaserver.process import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
