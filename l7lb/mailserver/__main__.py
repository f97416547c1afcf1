"""`python -m l7lb.mailserver` is one server process; `--help` names its options."""

import sys
from importlib.util import find_spec

if __name__ == "__main__":
    if find_spec("aiosmtpd") is None:
        sys.exit("mailserver: needs aiosmtpd: pip install 'l7lb[mailserver]'")
    from l7lb.mailserver.process import main

    sys.exit(main(sys.argv[1:]))
