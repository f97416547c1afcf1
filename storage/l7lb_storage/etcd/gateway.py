"""HTTP to the members of an etcd cluster: one request at whichever member answers.

It owns endpoints and their rotation, TLS, the authentication token, and the difference between
"nothing happened" and "it may have". It must not know what is asked.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from l7lb_storage.errors import (
    AuthenticationFailed,
    InDoubt,
    LeaseLost,
    LimitExceeded,
    ProtocolViolation,
    StorageError,
    Unavailable,
)
from l7lb_storage.etcd import wire
from l7lb_storage.etcd.wire import Body

ANSWER_BYTES = 128 << 20
ERROR_BYTES = 64 << 10
LINE_BYTES = 64 << 20
"""One message of a watch: etcd sends up to 1,000 revisions at once."""
CHUNK_BYTES = 64 << 10
ROUND_PAUSE_S = 0.05
CONNECTIONS = 128
NOT_FOUND, OUT_OF_RANGE, UNAUTHENTICATED = 5, 11, 16
STRANGER = ("authentication failed", "permission denied", "user name is empty")
CERTAIN = ("no leader", "too many requests", "not healthy", "auth store", "stopped")
"""Words in a refusal which say that nothing was done."""


class Compacted(StorageError):  # never leaves the engine
    """That revision is no longer there."""


@dataclass(frozen=True, slots=True)
class EtcdSpec:
    """`endpoints` are URLs of members. `prefix` keeps clusters apart that share an etcd.

    A member that does not answer within `attempt_timeout_s` is passed over; a call ends after
    `request_timeout_s`. A watch that hears nothing asks its member every `pulse_s` whether it is
    still with the others.
    """

    endpoints: tuple[str, ...]
    prefix: str = "l7lb/"
    tls: ssl.SSLContext | None = None
    user: str = ""
    password: str = ""
    attempt_timeout_s: float = 2.0
    request_timeout_s: float = 6.0
    pulse_s: float = 3.0


class Silence(Exception):  # never leaves the module
    """No answer. `sent`: the member may have read the request."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class Gateway:
    """Open it in the event loop that uses it."""

    def __init__(self, spec: EtcdSpec) -> None:
        if not spec.endpoints:
            raise LimitExceeded("an etcd cluster has at least one endpoint")
        self.spec = spec
        self._place = 0
        self._token = ""
        self._http: aiohttp.ClientSession | None = None

    @property
    def endpoint(self) -> str:
        """The member that is asked first now."""
        return self.spec.endpoints[self._place].rstrip("/")

    async def open(self) -> None:
        """Raises AuthenticationFailed, Unavailable."""
        connector = aiohttp.TCPConnector(ssl=self.spec.tls or True, limit=CONNECTIONS)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self.spec.attempt_timeout_s / 2)
        self._http = aiohttp.ClientSession(connector=connector, timeout=timeout)
        await self._authenticate()

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    def pass_over(self, endpoint: str) -> None:
        """The next one first, unless that has happened already."""
        if endpoint == self.endpoint:
            self._place = (self._place + 1) % len(self.spec.endpoints)

    async def call(self, path: str, body: Body, *, repeatable: bool) -> Body:
        """The answer of one member. `repeatable`: to ask twice does no harm.

        Raises Unavailable (nothing happened), InDoubt, LeaseLost, Compacted, LimitExceeded,
        AuthenticationFailed.
        """
        sent, reason = False, "no time"
        try:
            async with asyncio.timeout(self.spec.request_timeout_s):
                while True:
                    for _ in self.spec.endpoints:
                        endpoint = self.endpoint
                        try:
                            return await self._call(endpoint, path, body)
                        except Silence as silence:
                            self.pass_over(endpoint)
                            sent, reason = sent or silence.sent, str(silence)
                            if sent and not repeatable:
                                raise InDoubt(f"{endpoint}: {silence}") from silence
                    await asyncio.sleep(ROUND_PAUSE_S)
        except TimeoutError as error:
            if sent:
                raise InDoubt(f"no member of etcd answers: {reason}") from error
            raise Unavailable(f"no member of etcd can be reached: {reason}") from error

    async def pulse(self, endpoint: str, key: bytes) -> int:
        """Is this member with the others? Its revision, which is then at least that of all
        changes that ended before. Raises Unavailable."""
        body = wire.one(key) | {"count_only": True}
        try:
            return wire.read_range(await self._call(endpoint, "/v3/kv/range", body)).revision
        except Silence as silence:
            raise Unavailable(f"{endpoint}: {silence}") from silence

    @asynccontextmanager
    async def stream(self, path: str, body: Body, endpoint: str) -> AsyncIterator[Lines]:
        """Lines of a request that does not end. Raises Unavailable."""
        headers = self._headers | {"Grpc-Metadata-hasleader": "true"}
        try:
            async with asyncio.timeout(self.spec.attempt_timeout_s):
                response = await self._session.post(endpoint + path, json=body, headers=headers)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"{endpoint}: {error!r}") from error
        try:
            if response.status != 200:
                raise await self._refusal(response)
            yield Lines(response)
        except (aiohttp.ClientError, Silence) as error:
            raise Unavailable(f"{endpoint}: {error!r}") from error
        finally:
            response.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise Unavailable("the engine is not open")
        return self._http

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": self._token} if self._token else {}

    async def _authenticate(self) -> None:
        if self.spec.user:
            body = {"name": self.spec.user, "password": self.spec.password}
            self._token = ""
            answer = await self.call("/v3/auth/authenticate", body, repeatable=True)
            self._token = str(answer.get("token", ""))

    async def _call(self, endpoint: str, path: str, body: Body) -> Body:
        """One member, once more after a new authentication. Raises Silence and what it says."""
        try:
            return await self._post(endpoint, path, body)
        except AuthenticationFailed:
            if not self._token:
                raise
        await self._authenticate()
        return await self._post(endpoint, path, body)

    async def _post(self, endpoint: str, path: str, body: Body) -> Body:
        try:
            async with asyncio.timeout(self.spec.attempt_timeout_s):
                request = self._session.post(endpoint + path, json=body, headers=self._headers)
                async with request as response:
                    if response.status != 200:
                        raise await self._refusal(response)
                    return wire.read_json(await _limited(response, ANSWER_BYTES))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Silence(repr(error), sent=False) from error
        except (aiohttp.ClientError, ProtocolViolation) as error:
            raise Silence(repr(error), sent=True) from error
        except TimeoutError as error:
            raise Silence("no answer in time", sent=True) from error

    async def _refusal(self, response: aiohttp.ClientResponse) -> Exception:
        """What a status other than 200 means."""
        text = await _limited(response, ERROR_BYTES)
        try:
            body = wire.read_json(text)
        except ProtocolViolation:
            return Silence(f"status {response.status}", sent=True)
        return refusal(body.get("code"), str(body.get("message") or body.get("error", "")))


def refusal(code: object, message: str) -> Exception:
    """An error for a gRPC status. What is not known for certain may have happened."""
    if code == NOT_FOUND and "lease" in message:
        return LeaseLost(message)
    if code == OUT_OF_RANGE:
        return Compacted(message)
    if code == UNAUTHENTICATED or "auth token" in message:
        return AuthenticationFailed(message)
    if any(words in message for words in STRANGER):
        return AuthenticationFailed(message)
    if "too large" in message or "too many operations" in message:
        return LimitExceeded(message)
    return Silence(message, sent=not any(words in message for words in CERTAIN))


class Lines:
    """The lines of a stream, each within a limit."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._buffer = bytearray()

    async def next(self) -> bytes | None:
        """None: the stream has ended. May be cancelled and called again."""
        while (end := self._buffer.find(b"\n")) < 0:
            data = await self._response.content.readany()
            if not data:
                return None
            self._buffer += data
            if len(self._buffer) > LINE_BYTES:
                raise ProtocolViolation(f"a line of more than {LINE_BYTES} bytes")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


async def _limited(response: aiohttp.ClientResponse, limit: int) -> bytes:
    found = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        found += chunk
        if len(found) > limit:
            raise ProtocolViolation(f"an answer of more than {limit} bytes")
    return bytes(found)
