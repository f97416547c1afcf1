"""`l7lb events`: what has happened."""

from __future__ import annotations

import argparse
import json
import time

from l7lb.cli.client import Client, Json, add_control, client_of

NAME = "events"
HELP = "show the newest events"
FOLLOW_EVERY_S = 0.5
FIRST = ("time", "level", "event")


def configure(parser: argparse.ArgumentParser) -> None:
    add_control(parser)
    parser.add_argument("-n", type=int, default=20, metavar="N", help="how many (default 20)")
    parser.add_argument("-f", "--follow", action="store_true", help="wait for more")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(args: argparse.Namespace) -> int:
    client = client_of(args)
    last = show(client, f"limit={max(1, args.n)}", args.json)
    while args.follow:
        time.sleep(FOLLOW_EVERY_S)
        last = max(last, show(client, f"after={last}", args.json))
    return 0


def show(client: Client, query: str, as_json: bool) -> int:
    """Returns the number of the last event shown."""
    found = client.get(f"/v1/events?{query}")["events"]
    last = 0
    for event in found if isinstance(found, list) else []:
        print(json.dumps(event) if as_json else line(event), flush=True)
        last = int(event["number"])
    return last


def line(event: Json) -> str:
    rest = " ".join(
        f"{key}={value}" for key, value in event.items() if key not in (*FIRST, "number")
    )
    return f"{event['time']} {event['level']!s:7} {event['event']} {rest}".rstrip()
