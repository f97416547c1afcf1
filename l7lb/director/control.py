"""The control API: JSON over HTTP on a unix socket that only its owner can open.

Owns the socket and the words. Who asks is proved by the file's mode alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from l7lb.config.effective import to_yaml
from l7lb.director.account_desk import HOLD_S, AccountDesk
from l7lb.director.administration import Administration
from l7lb.director.events import Events
from l7lb.director.listeners import open_private_unix
from l7lb.director.paths import private_directory
from l7lb.director.reload import Reloader, change_json
from l7lb.director.shared_state import SharedState
from l7lb.director.status import Json, StatusDesk
from l7lb.errors import ConfigError, ControlError

BODY_LIMIT_BYTES = 16 << 20
DEADLINE_S = 120.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desks:
    """Who answers what."""

    status: StatusDesk
    reloader: Reloader
    administration: Administration
    events: Events
    shared: SharedState
    accounts: AccountDesk


class ControlServer:
    """`open` it first: it also proves that no other director runs by the same socket."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks
        self._runner: web.AppRunner | None = None
        self.path = Path()

    async def open(self, path: Path) -> None:
        """Raises ControlError when somebody answers there already, or it cannot be made."""
        try:
            if not path.parent.exists():
                private_directory(path.parent)
            sock = open_private_unix(str(path))
        except OSError as error:
            raise ControlError(
                f"cannot listen on {path}: {error.strerror or error}", 409
            ) from error
        self.path = path
        app = web.Application(client_max_size=BODY_LIMIT_BYTES, middlewares=[_answer_errors])
        app.add_routes(self._routes())
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.SockSite(self._runner, sock).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            self.path.unlink(missing_ok=True)

    def _routes(self) -> list[web.RouteDef]:
        server = "/v1/pools/{pool}/servers/{server}"
        return [
            web.get("/v1/status", self._status),
            web.get("/v1/health", self._health),
            web.get("/v1/events", self._events),
            web.get("/v1/config", self._config),
            web.get("/v1/locks", self._locks),
            web.get("/v1/accounts", self._where),
            web.post("/v1/accounts/move", self._move),
            web.post("/v1/accounts/kick", self._kick),
            web.post("/v1/reload", self._reload),
            web.post("/v1/diff", self._diff),
            web.post(server + "/drain", self._drain),
            web.post(server + "/disable", self._disable),
            web.post(server + "/enable", self._enable),
            web.post(server + "/weight", self._weight),
        ]

    # ------------------------------------------------------------------ looking

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(await self._desks.status.status())

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response(self._desks.status.health())

    async def _events(self, request: web.Request) -> web.Response:
        after = _number(request.query.get("after", "0"), "after")
        limit = _number(request.query.get("limit", "1000"), "limit")
        found = self._desks.events.since(after, max(1, limit))
        return web.json_response({"events": [event.as_json() for event in found]})

    async def _locks(self, request: web.Request) -> web.Response:
        limit = _number(request.query.get("limit", "1000"), "limit")
        found = await self._desks.shared.locks(request.query.get("prefix", ""), max(1, limit))
        return web.json_response({"locks": found})

    async def _where(self, request: web.Request) -> web.Response:
        limit = _number(request.query.get("limit", "1000"), "limit")
        found = await self._desks.accounts.where(request.query.get("prefix", ""), max(1, limit))
        return web.json_response({"accounts": found})

    async def _config(self, _: web.Request) -> web.Response:
        text = await asyncio.to_thread(to_yaml, self._desks.status.spec)
        return web.Response(text=text, content_type="application/yaml")

    # ------------------------------------------------------------------ doing

    async def _reload(self, _: web.Request) -> web.Response:
        done = await asyncio.shield(self._desks.reloader.reload())
        return web.json_response(done.as_json())

    async def _diff(self, request: web.Request) -> web.Response:
        """`{"path": …}` of a file on this host, or `{"text": …}`: a file as it would be."""
        body = await _body(request)
        path, text = body.get("path"), body.get("text")
        if isinstance(path, str) and Path(path).is_absolute():
            changes = await self._desks.reloader.compare(path)
        elif isinstance(text, str):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                changes = await self._desks.reloader.compare(file.name)
        else:
            raise ControlError("give an absolute `path`, or `text`")
        return web.json_response({"changes": [change_json(change) for change in changes]})

    async def _drain(self, request: web.Request) -> web.Response:
        deadline_s = (await _body(request)).get("deadline_s")
        if deadline_s is not None and type(deadline_s) not in (int, float):
            raise ControlError("deadline_s must be a number")
        desk = self._desks.administration
        return web.json_response(desk.drain(*_server(request), _float_or_none(deadline_s)))

    async def _disable(self, request: web.Request) -> web.Response:
        return web.json_response(self._desks.administration.disable(*_server(request)))

    async def _enable(self, request: web.Request) -> web.Response:
        return web.json_response(self._desks.administration.enable(*_server(request)))

    async def _weight(self, request: web.Request) -> web.Response:
        body = await _body(request)
        weight = body.get("weight", "")
        if weight is not None and type(weight) is not int:
            raise ControlError("weight must be a whole number, or null for the file's")
        return web.json_response(self._desks.administration.weigh(*_server(request), weight))

    async def _move(self, request: web.Request) -> web.Response:
        body = await _body(request)
        account, pool, server = (_text(body, name) for name in ("account", "pool", "server"))
        hold_s = body.get("hold_s", HOLD_S)
        if not isinstance(hold_s, int | float) or isinstance(hold_s, bool):
            raise ControlError("hold_s must be a number")
        found = await self._desks.accounts.move(account, pool, server, float(hold_s))
        return web.json_response(found)

    async def _kick(self, request: web.Request) -> web.Response:
        account = _text(await _body(request), "account")
        return web.json_response({"accounts": await self._desks.accounts.kick(account)})


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure is JSON with `error`; problems of a file come one by one with their place."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await handler(request)
    except ControlError as error:
        return web.json_response({"error": str(error)}, status=error.status)
    except ConfigError as error:
        return web.json_response(_problems(error), status=422)
    except web.HTTPException as error:
        return web.json_response({"error": error.reason}, status=error.status)
    except TimeoutError:
        return web.json_response({"error": "it took too long"}, status=504)
    except Exception as error:
        log.exception("control request failed", extra={"path": request.path})
        return web.json_response({"error": f"internal error: {error!r}"}, status=500)


def _problems(error: ConfigError) -> Json:
    return {
        "error": "the rules file has errors",
        "problems": [
            {
                "file": problem.place.file,
                "line": problem.place.line,
                "column": problem.place.column,
                "message": problem.message,
                "hint": problem.hint,
            }
            for problem in error.problems
        ],
    }


async def _body(request: web.Request) -> Json:
    """The body as an object; none at all is an empty one."""
    raw = await request.read()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise ControlError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ControlError("the body must be a JSON object")
    return body


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise ControlError(f"{name} must be a text")
    return value


def _server(request: web.Request) -> tuple[str, str]:
    return request.match_info["pool"], request.match_info["server"]


def _number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ControlError(f"{name} must be a whole number")
    return int(text)


def _float_or_none(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
