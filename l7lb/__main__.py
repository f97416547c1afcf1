"""`python -m l7lb` is the command line."""

import sys

from l7lb.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
