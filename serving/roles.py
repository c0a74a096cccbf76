"""Which role may ask for what: a line a route. A route without a line is a mistake that `create_app` refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route

from serving.keys import EVERYBODY, Caller, Role
from serving.problems import respond
from serving.schema import Problem

ASGI = Callable[..., Awaitable[None]]
Scope = MutableMapping[str, Any]

ANYBODY = None
"""Answered without a key."""

ALLOWED: dict[str, tuple[Role, ...] | None] = {
    "/v1/score": ("score",),
    "/v1/score/batch": ("score",),
    "/v1/score/{customer_id:path}": ("score",),
    "/v1/events": ("score",),
    "/v1/customers/{customer_id:path}": ("read",),
    "/v1/customers/{customer_id:path}/history": ("read",),
    "/v1/customers/{customer_id:path}/why": ("read",),
    "/v1/customers/{customer_id:path}/credit": ("read",),
    "/v1/customers/{customer_id:path}/laundering": ("aml",),
    "/v1/decisions": ("read",),
    "/v1/scheme": ("score", "read"),
    "/v1/scheme/decode/{code:path}": ("score", "read"),
    "/v1/plays/{dimension}/{class}": ("score", "read"),
    "/v1/release": ("score", "read", "admin"),
    "/metrics": ("admin",),
    "/docs": ("score", "read", "aml", "admin"),
    "/docs/oauth2-redirect": ("score", "read", "aml", "admin"),
    "/redoc": ("score", "read", "aml", "admin"),
    "/openapi.json": ("score", "read", "aml", "admin"),
    "/healthz": ANYBODY,
    "/readyz": ANYBODY,
}
"""Path → the roles one of which is enough."""

UNTOLD = frozenset({"/v1/customers/{customer_id:path}/laundering"})
"""Neither the log nor the meters tell that these were asked for, or of whom: the looks are noted in a sealed log."""

OPEN = frozenset(path for path, roles in ALLOWED.items() if roles is ANYBODY)


def guard_routes(routes: Iterable[BaseRoute]) -> None:
    """Put before each route the question whether its caller may. KeyError for a route without a line."""
    for route in routes:
        if isinstance(route, Route | APIRoute):
            route.app = _guarded(route.app, route.path, ALLOWED[route.path])


def caller_of(scope: Scope) -> Caller:
    """Who asks, as `serving.guard` found out."""
    found: Caller = scope.get("caller", EVERYBODY)
    return found


def _guarded(app: ASGI, path: str, roles: tuple[Role, ...] | None) -> ASGI:
    allowed = frozenset(roles or ())
    refusal = respond(Problem(title=f"the key has none of the roles {', '.join(sorted(allowed))}", status=403))

    async def guarded(scope: Scope, receive: Any, send: Any) -> None:
        scope["untold"] = path in UNTOLD
        if path not in UNTOLD:
            scope["template"] = path
        if roles is not ANYBODY and allowed.isdisjoint(caller_of(scope).roles):
            await refusal(scope, receive, send)
            return
        await app(scope, receive, send)

    return guarded
