"""JSON as it arrives, taken strictly: UTF-8, each key once, no NaN, not nested without end.

`msgspec` reads it at once; whether a key is said twice is told by counting them. Only a body that may have one is read
again, slowly, to say where.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from fastapi import Request

DEEPEST = 32
"""Nothing that is asked for needs a third of it."""
NESTED = frozenset((dict, list))
BLANK_BEFORE_COLON = (b" :", b"\t:", b"\n:", b"\r:")


class NotJsonError(ValueError):
    """A body that cannot be taken. place: in the body, as far as it is known; wanted: what was expected there."""

    def __init__(self, wanted: str, place: tuple[int | str, ...] = ("body",)) -> None:
        self.place, self.wanted = place, wanted
        super().__init__(wanted)


async def read_json(request: Request) -> Any:
    """The body of a request, decoded. Raises NotJsonError."""
    return decode_json(await request.body())


def decode_json(body: bytes) -> Any:
    """A JSON value. Raises NotJsonError."""
    try:
        found = msgspec.json.decode(body)
        names = _names([found], 0)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotJsonError("JSON in UTF-8, without NaN or numbers that are out of range") from None
    # Without a backslash no text has a quote in it, and without a blank before a colon every name ends in `":`: there
    # are then as many of these as names, and more where a name is there twice.
    if b"\\" in body or any(blank in body for blank in BLANK_BEFORE_COLON) or body.count(b'":') != names:
        json.loads(body, object_pairs_hook=_once)
    return found


def _names(value: dict[str, Any] | list[Any], depth: int) -> int:
    """How many names all objects have together."""
    if depth > DEEPEST:
        raise NotJsonError(f"at most {DEEPEST} objects and lists within one another")
    own, inside = (len(value), list(value.values())) if isinstance(value, dict) else (0, value)
    if NESTED.isdisjoint(map(type, inside)):
        return own
    return own + sum(_names(each, depth + 1) for each in inside if type(each) in NESTED)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJsonError("a name once", ("body", twice))
    return found
