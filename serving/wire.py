"""Requests to score, read fast: what fits the types of `msgspec` is taken as it is, all else is judged by
`serving.schema`, which says what is wrong with it or mends it.

Whatever is taken the fast way, the schema takes too, and reads the same out of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from features.online import Event, columns_of
from features.tables.events import KINDS
from features.tables.privacy import BLANKS
from features.tables.rules import LARGEST_AMOUNT, LARGEST_NUMBER
from serving.schema import (
    FIRST_YEAR,
    LAST_YEAR,
    LONGEST_TEXT,
    MOST_ATTRIBUTES,
    MOST_EVENTS,
    EventIn,
    EventsRequest,
    ScoreRequest,
)

KNOWN_KINDS = frozenset(KINDS)
SIGNS = {"purchase": 1, "return": -1}
TIMES = ("ts", "due_day", "known_at", "known_until")
TEXTS = ("event_id", "ref", "item", "channel", "counterparty", "country", "code")
M = TypeVar("M", bound=BaseModel)

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]
Units = Annotated[int, msgspec.Meta(ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT)]
Number = Annotated[float, msgspec.Meta(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]


class _Event(Event, frozen=True, gc=False, forbid_unknown_fields=True):
    event_id: Text | None = None
    ref: Text | None = None
    amount: Units | None = None
    cost: Units | None = None
    quantity: Number | None = None
    item: Text | None = None
    channel: Text | None = None
    counterparty: Text | None = None
    country: Text | None = None
    code: Text | None = None
    score: Number | None = None


class _Sent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    customer_id: Text
    events: Annotated[list[_Event], msgspec.Meta(min_length=1, max_length=MOST_EVENTS)]
    as_of: date | None = None


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    customer_id: Text
    events: Annotated[list[_Event], msgspec.Meta(max_length=MOST_EVENTS)]
    as_of: date | None = None
    attributes: Annotated[dict[Text, Text | None], msgspec.Meta(max_length=MOST_ATTRIBUTES)] = {}


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    customer_id: Text


_line = msgspec.json.Decoder(_Line)


@dataclass(frozen=True)
class Asked:
    """A request that fits: the company's own id, and what came with it."""

    customer_id: str
    events: Sequence[Event]
    as_of: date | None
    attributes: Mapping[str, str | None]


def read_asked(said: Any, schema: type[ScoreRequest] | type[EventsRequest]) -> Asked:
    """What a request says, JSON already decoded; RequestValidationError names what does not fit `schema`."""
    try:
        wanted: Any = _Request if schema is ScoreRequest else _Sent
        found: _Request | _Sent = msgspec.convert(said, wanted)
    except msgspec.ValidationError:
        return _judged(said, schema)
    attributes = found.attributes if isinstance(found, _Request) else {}
    asked = Asked(found.customer_id, found.events, found.as_of, attributes)
    return asked if _fits(asked) else _judged(said, schema)


def plain_customer(line: bytes) -> str | None:
    """The customer of a line that says nothing else; None for any other line, right or wrong.

    In four quotes, none of them within a text, there is one name and one text.
    """
    if line.count(b'"') != 4 or b"\\" in line:
        return None
    try:
        customer_id = _line.decode(line).customer_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return customer_id if _trimmed(customer_id) else None


def _trimmed(text: str) -> bool:
    return text[0] not in BLANKS and text[-1] not in BLANKS


def _fits(request: Asked) -> bool:
    """What the types do not say: years, kinds, signs, and that no text has blanks around it."""
    columns = columns_of(request.events)
    times = {request.as_of}.union(*(columns[name] for name in TIMES))
    if not all(FIRST_YEAR <= time.year <= LAST_YEAR for time in times if time is not None):
        return False
    if not KNOWN_KINDS.issuperset(columns["kind"]) or not all(map(_right, columns["kind"], columns["amount"])):
        return False
    texts = {request.customer_id, *request.attributes, *request.attributes.values()}
    return all(_trimmed(text) for text in texts.union(*(columns[name] for name in TEXTS)) if text is not None)


def _right(kind: str, amount: int | None) -> bool:
    """Whether an amount has the sign of its kind."""
    return amount is None or kind not in SIGNS or amount * SIGNS[kind] >= 0


def _judged(said: Any, schema: type[ScoreRequest] | type[EventsRequest]) -> Asked:
    found = checked(schema, said)
    events = [Event(**{name: getattr(event, name) for name in EventIn.model_fields}) for event in found.events]
    return Asked(found.customer_id, events, found.as_of, getattr(found, "attributes", {}))


def checked(schema: type[M], said: Any) -> M:
    """`said` as a schema reads it; RequestValidationError where it does not fit."""
    try:
        return schema.model_validate(said)
    except ValidationError as error:
        wrong = [each | {"loc": ("body", *each["loc"])} for each in error.errors(include_input=False)]
        raise RequestValidationError(wrong) from None
