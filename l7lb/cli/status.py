"""`l7lb status`: the state of the director as tables.

A worker that did not answer is shown as unknown, and every verdict with its age.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from l7lb.cli.client import Client, Json, add_control, client_of
from l7lb.cli.terms import age, amount, columns

NAME = "status"
HELP = "show services, pools and servers as they are now"
EVERY_S = 1.0
CLEAR = "\x1b[H\x1b[2J"


def configure(parser: argparse.ArgumentParser) -> None:
    add_control(parser)
    parser.add_argument("--json", action="store_true", help="everything, for programs")
    parser.add_argument("--watch", action="store_true", help="again every second")


def run(args: argparse.Namespace) -> int:
    client = client_of(args)
    show(client, args.json)
    while args.watch:
        time.sleep(EVERY_S)
        if sys.stdout.isatty():
            print(CLEAR, end="")
        show(client, args.json)
    return 0


def show(client: Client, as_json: bool) -> None:
    answer = client.get("/v1/status")
    print(json.dumps(answer, indent=2) if as_json else "\n".join(lines(answer)), flush=True)


def lines(status: Json) -> list[str]:
    """The whole page."""
    return [
        *_head(status),
        "",
        *columns(SERVICE_HEAD, [_service(each) for each in _list(status, "services")], NUMBERS),
        "",
        *columns(SERVER_HEAD, _servers(status), NUMBERS),
        *_media(status),
    ]


MEDIA_HEAD = ("MEDIA OF", "MODE", "WHY")


def _media(status: Json) -> list[str]:
    """How RTP goes for each server, where there is RTSP."""
    media = status.get("media")
    modes = media.get("modes") if isinstance(media, dict) else None
    if not isinstance(modes, dict) or not modes:
        return []
    words = ((name, *str(told).split(": ", 1)) for name, told in modes.items())
    return ["", *columns(MEDIA_HEAD, list(words), NUMBERS)]


def _head(status: Json) -> list[str]:
    workers = _list(status, "workers")
    unknown = status["workers_unknown"]
    good = sum(worker["stage"] == "ready" and bool(worker["answered"]) for worker in workers)
    first = (
        f"l7lb {status['version']}, {status['state']}, up {age(status['up_s'])}, "
        f"{good} of {len(workers)} workers answer, {status['worker_restarts']} restarts"
    )
    second = (
        f"{status['file']}, generation {status['generation']}, "
        f"loaded {age(status['generation_age_s'])} ago"
    )
    found = [first, second]
    store = status.get("store")
    if isinstance(store, dict):
        owed = f", {store['unsent']} changes unsent" if store["unsent"] else ""
        own = store.get("embedded")
        kind = ""
        if own:
            process = f"pid {own['pid']}" if own["pid"] else "no process"
            kind = f"embedded, {process}, {own['state']}: "
        said = f"{store['engine']} {store['state']} since {age(store['age_s'])}"
        found.append(f"store {kind}{said}{owed}")
    if unknown:
        found.append(f"unknown: workers {unknown} did not answer; their sessions may be stale")
    found += [
        f"worker {worker['worker']} refused the file: {worker['refusal']}"
        for worker in workers
        if worker.get("refusal")
    ]
    return found


NUMBERS = frozenset(
    ("ACTIVE", "CLIENTS", "REFUSED", "REQUESTS", "5XX", "MEAN", "SINCE", "WEIGHT", "FAILED")
)
SERVICE_HEAD = ("SERVICE", "LISTEN", "ACTIVE", "CLIENTS", "REFUSED", "REQUESTS", "5XX", "MEAN")


def _service(service: Json) -> tuple[str, ...]:
    addresses = [
        f"{each['address']}{' tls' if each['tls'] else ''}" for each in _list(service, "listen")
    ]
    return (
        str(service["name"]),
        ", ".join(addresses),
        amount(service["connections"]),
        amount(service["connections_total"]),
        amount(service["refused"]),
        amount(service["requests"]),
        amount(_responses(service, "5xx")),
        _milliseconds(service["request_mean_s"]),
    )


SERVER_HEAD = (
    "POOL", "SERVER", "STATE", "SINCE", "WEIGHT", "ACTIVE", "REQUESTS", "5XX", "FAILED", "MEAN",
    "CHECK",
)  # fmt: skip


def _servers(status: Json) -> list[tuple[str, ...]]:
    return [
        _server(pool, server, position)
        for pool in _list(status, "pools")
        for position, server in enumerate(_list(pool, "servers"))
    ]


def _server(pool: Json, server: Json, position: int) -> tuple[str, ...]:
    weight = str(server["weight"])
    if server["weight"] != server["weight_in_file"]:
        weight += f" (file {server['weight_in_file']})"
    failed = sum(_int(server[key]) for key in ("connect_failures", "resets", "timeouts"))
    return (
        str(pool["name"]) if position == 0 else "",
        str(server["name"]) + (" (backup)" if server["backup"] else ""),
        _state(server),
        _since(server),
        weight,
        amount(server["active"]),
        amount(server["requests"]),
        amount(_responses(server, "5xx")),
        amount(failed),
        _milliseconds(server["first_byte_mean_s"]),
        _check(server),
    )


def _state(server: Json) -> str:
    state = str(server["state"])
    if state == "draining":
        return f"draining {age(server['drain_left_s'])}"
    if state == "ejected":
        return f"ejected {age(server['ejected_for_s'])}"
    if server["admin"] != "ready":
        return f"{state} ({server['health']})"
    return state


def _since(server: Json) -> str:
    if server["admin"] != "ready":
        return age(server["admin_age_s"])
    return age(_check_of(server).get("since_s"))


def _check(server: Json) -> str:
    """What the last probe found, and how old that is."""
    check = _check_of(server)
    said = str(check.get("detail", ""))
    when = check.get("age_s")
    return said if when is None else f"{said}, {age(when)} ago"


def _check_of(server: Json) -> Json:
    check = server["check"]
    return check if isinstance(check, dict) else {}


def _responses(row: Json, code_class: str) -> object:
    responses = row["responses"]
    return responses[code_class] if isinstance(responses, dict) else None


def _milliseconds(seconds: object) -> str:
    return f"{seconds * 1000:.1f} ms" if isinstance(seconds, int | float) else "-"


def _list(row: Json, key: str) -> list[Json]:
    found = row[key]
    return found if isinstance(found, list) else []


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
