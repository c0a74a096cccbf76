"""JSON as it arrives, taken strictly: UTF-8, each key once, no NaN, not nested without end.

`msgspec` reads it at once; whether a key is said twice is told by counting them. Only a body that may have one is read
again, slowly, to say where.
"""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import msgspec
from fastapi import Request

DEEPEST = 32
"""Nothing that is asked for needs a third of it."""
NESTED = frozenset((dict, list))
BLANKS = b" \t\n\r"


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
        names = _names(found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotJsonError("JSON in UTF-8, without NaN or numbers that are out of range") from None
    # Without a backslash no text has a quote in it, and without blanks every name ends in `":`: there are then as many
    # of these as names, or more, and more where a name is there twice.
    if b"\\" in body or body.translate(None, BLANKS).count(b'":') != names:
        json.loads(body, object_pairs_hook=_once)
    return found


def _names(value: Any) -> int:
    """How many names all objects have together."""
    names, level = 0, [value]
    for _ in range(DEEPEST):
        objects = [each for each in level if type(each) is dict]
        lists = [each for each in level if type(each) is list]
        names += sum(map(len, objects))
        inside = [*chain(*map(dict.values, objects), *lists)]
        if NESTED.isdisjoint(map(type, inside)):
            return names
        level = [each for each in inside if type(each) in NESTED]
    raise NotJsonError(f"at most {DEEPEST} objects and lists within one another")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJsonError("a name once", ("body", twice))
    return found
