"""What stands before every route: keys, limits, the headers of every answer, one line of log, and the meters."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException

from serving.keys import EVERYBODY, Caller, KeyRing
from serving.logs import Log
from serving.meters import Meters
from serving.problems import REFUSALS, problem_of, respond
from serving.roles import OPEN
from serving.schema import Problem
from serving.settings import Limits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MOST_CALLERS = 10_000
"""So many are counted; the one that was silent longest is forgotten first."""

SEEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
]
OF_DATA = [*HEADERS, (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")]
"""Answers are data: a browser that is made to show one loads nothing."""
PAGES = ("/docs", "/redoc")
DRAWN = 256
"""So many request ids are drawn together."""
CLOSE = {"connection": "close"}
ENDED = -1
"""Read of a body that came whole: after it the connection is only watched, without a limit."""


@dataclass
class Buckets:
    """A bucket of requests per caller, filled again as time goes by."""

    per_second: int
    burst: int
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, caller: str, now: float) -> bool:
        """Whether one more request of a caller is within its limit."""
        if not self.per_second:
            return True
        left, since = self._left.pop(caller, (float(self.burst), now))
        left = min(float(self.burst), left + (now - since) * self.per_second)
        enough = left >= 1
        self._left[caller] = (left - enough, now)
        if len(self._left) > MOST_CALLERS:
            self._left.popitem(last=False)
        return enough


class Guard:
    """An ASGI application around another. keys: None where no keys are asked for."""

    def __init__(self, app: Any, limits: Limits, keys: KeyRing | None, log: Log, meters: Meters) -> None:
        self.app, self.limits, self.keys, self.log, self.meters = app, limits, keys, log, meters
        self.buckets = Buckets(limits.requests_per_second, limits.burst)
        self.busy, self._ids = 0, _request_ids()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, headers = time.perf_counter(), dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given if SEEN_ID.fullmatch(given) else next(self._ids)
        page, status = scope["path"].startswith(PAGES), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = HEADERS if page else OF_DATA
                message["headers"] = [*message["headers"], *own, (b"x-request-id", request_id)]
            await send(message)

        self.busy += 1
        try:
            app = self._refusal(scope, headers, begun) or self.app
            await app(scope, self._limited(headers, receive), answer)
        except Exception as error:
            if not (status and isinstance(error, REFUSALS)):
                self.log.failure(request_id.decode(), error)
            if status:
                raise  # half of an answer is out: the connection must end
            await respond(problem_of(error))(scope, receive, answer)
        finally:
            self.busy -= 1
            seconds = time.perf_counter() - begun
            self.log.request(scope, request_id, status, seconds)
            self.meters.answered(scope, status, seconds)

    def _refusal(self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes], now: float) -> Any:
        """A response where the request goes no further; None where it may."""
        caller = self._caller(scope, headers)
        if caller is None:
            return respond(Problem(title="A good key is needed", status=401), {"www-authenticate": "Bearer"})
        scope["caller"] = caller
        if scope["path"] in OPEN:
            return None
        if self.busy > self.limits.at_once:
            return respond(Problem(title="Too much to do at once; try again", status=503))
        who = caller.key or (scope["client"] or ("",))[0]
        if not self.buckets.take(who, now):
            return respond(Problem(title="Too many requests", status=429), {"retry-after": "1"})
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.limits.body_bytes:
            return respond(self._too_large(), CLOSE)
        return None

    def _caller(self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes]) -> Caller | None:
        if self.keys is None or scope["path"] in OPEN:
            return EVERYBODY
        kind, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        return self.keys.caller(secret.strip()) if kind.lower() == "bearer" else None

    def _limited(self, headers: dict[bytes, bytes], receive: Receive) -> Receive:
        """`receive`, which gives no more of a body, and waits no longer for it, than the limits say."""
        if b"transfer-encoding" not in headers and headers.get(b"content-length", b"0") == b"0":
            return receive
        read, left = 0, float(self.limits.body_seconds)

        async def limited() -> Message:
            nonlocal read, left
            begun = time.perf_counter()
            try:
                async with asyncio.timeout(left if read >= 0 else None):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "The body took too long to come", CLOSE) from None
            left -= time.perf_counter() - begun  # only waiting counts: a batch is read as fast as it is answered
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > self.limits.body_bytes:
                    raise HTTPException(413, self._too_large().title, CLOSE)
                if not message.get("more_body"):
                    read = ENDED
            return message

        return limited

    def _too_large(self) -> Problem:
        return Problem(title=f"The body is larger than {self.limits.body_bytes:,} bytes", status=413)


def _request_ids() -> Iterator[bytes]:
    """Sixteen hexadecimal digits each, which tell nothing of how many there were before; drawn many at a time."""
    while True:
        drawn = secrets.token_hex(8 * DRAWN).encode()
        yield from (drawn[at : at + 16] for at in range(0, len(drawn), 16))
