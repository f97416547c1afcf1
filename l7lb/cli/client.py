"""The control API as the commands use it: one request, one answer, over the director's socket."""

from __future__ import annotations

import argparse
import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from l7lb.director.paths import control_path
from l7lb.errors import L7lbError
from l7lb.model import DirectorSpec

DEADLINE_S = 130.0
ANSWER_LIMIT_BYTES = 256 << 20

Json = dict[str, object]


class NotAnswered(L7lbError):
    """Nobody answers on the control socket."""


class Refused(L7lbError):
    """The director says no. `answer` is all that it said."""

    def __init__(self, status: int, answer: Json) -> None:
        super().__init__(str(answer.get("error", f"status {status}")))
        self.status = status
        self.answer = answer


class UnixConnection(http.client.HTTPConnection):
    """HTTP to a unix socket."""

    def __init__(self, path: Path, deadline_s: float) -> None:
        super().__init__("localhost", timeout=deadline_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Client:
    """Each call raises NotAnswered or Refused."""

    def __init__(self, path: Path, deadline_s: float = DEADLINE_S) -> None:
        self.path = path
        self._deadline_s = deadline_s

    def get(self, target: str) -> Json:
        return self._object("GET", target, None)

    def post(self, target: str, body: Mapping[str, object] | None = None) -> Json:
        return self._object("POST", target, json.dumps(dict(body or {})).encode())

    def text(self, target: str) -> str:
        return self._ask("GET", target, None).decode()

    def _object(self, method: str, target: str, body: bytes | None) -> Json:
        answer = json.loads(self._ask(method, target, body))
        if not isinstance(answer, dict):
            raise NotAnswered(f"{self.path}: an answer that is no object")
        return answer

    def _ask(self, method: str, target: str, body: bytes | None) -> bytes:
        connection = UnixConnection(self.path, self._deadline_s)
        try:
            connection.request(method, target, body, {"Connection": "close"})
            response = connection.getresponse()
            raw = response.read(ANSWER_LIMIT_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise NotAnswered(_why(self.path, error)) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise Refused(response.status, _error(raw))
        return raw


def server_target(pool: str, server: str, verb: str) -> str:
    """The path of the control API for one server."""
    return f"/v1/pools/{quote(pool, safe='')}/servers/{quote(server, safe='')}/{verb}"


def pool_and_server(text: str) -> tuple[str, str]:
    """For argparse: POOL/SERVER."""
    pool, slash, server = text.partition("/")
    if not (pool and slash and server):
        raise argparse.ArgumentTypeError(f"{text!r} is not POOL/SERVER")
    return pool, server


def add_control(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--control", metavar="PATH", help="control socket of the director (or $L7LB_CONTROL)"
    )


def client_of(args: argparse.Namespace) -> Client:
    return Client(control_path(DirectorSpec(), args.control))


def _error(raw: bytes) -> Json:
    try:
        answer = json.loads(raw)
    except ValueError:
        return {"error": raw[:200].decode("utf-8", "replace")}
    return answer if isinstance(answer, dict) else {"error": str(answer)}


def _why(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return f"no director answers on {path}: is it running? (another path: --control)"
    if isinstance(error, PermissionError):
        return f"{path} may be used by its owner alone: {error}"
    return f"{path}: {error or type(error).__name__}"
