"""`l7lb reload`: put the rules file as it is now in the place of the running one."""

from __future__ import annotations

import argparse

from l7lb.cli.changes import change_lines
from l7lb.cli.client import add_control, client_of

NAME = "reload"
HELP = "read the rules file again (also SIGHUP); no connection is cut"
configure = add_control


def run(args: argparse.Namespace) -> int:
    answer = client_of(args).post("/v1/reload")
    print(f"generation {answer['generation']} runs")
    for line in change_lines(answer["changes"]):
        print(line)
    at_restart, late = answer["at_restart"], answer["workers_unconfirmed"]
    if isinstance(at_restart, list) and at_restart:
        print(f"at the next start: {', '.join(map(str, at_restart))}")
    if isinstance(late, list) and late:
        print(f"not yet confirmed by worker {', '.join(map(str, late))}: see `l7lb status`")
        return 1
    return 0
