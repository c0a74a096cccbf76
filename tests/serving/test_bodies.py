"""JSON is taken strictly, and what is taken fast is what the schema takes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from features.online import FIELDS, Event
from features.tables.events import KINDS
from serving.bodies import DEEPEST, NotJsonError, decode_json
from serving.schema import EventIn, EventsRequest, ScoreRequest
from serving.wire import read_asked

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(values, st.sampled_from([None, 1]), st.booleans())
def test_every_json_text_is_read(value: Any, indent: int | None, ascii_: bool) -> None:
    """However it is written."""
    assert decode_json(json.dumps(value, indent=indent, ensure_ascii=ascii_).encode()) == value


blanks = st.sampled_from(["", "", " ", "\t", "\n", "\r", " \n "])
names = st.sampled_from(["a", "b", 'q"', "\\", "é", ":", " :", ""])


@given(st.lists(st.tuples(names, blanks, blanks, values), max_size=5))
def test_a_name_that_is_there_twice_is_found(pairs: list[tuple[str, str, str, Any]]) -> None:
    """At any depth, whatever blanks there are around its colon; and only then."""
    said = [f"{json.dumps(name)}{before}:{after}{json.dumps(value)}" for name, before, after, value in pairs]
    body = "{" + ",".join(said) + "}"
    text = f'{{"events": [{body}]}}'.encode()
    if len({name for name, *_ in pairs}) == len(pairs):
        decode_json(text)
    else:
        with pytest.raises(NotJsonError, match="a name once"):
            decode_json(text)


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\r", " \t "])
def test_blanks_hide_no_name(blank: str) -> None:
    """One name with a blank before its colon, and once without: nobody is scored under the second of two ids."""
    for body in (f'{{"customer_id"{blank}: "x", "customer_id": "y"}}', f'{{"a": 1, "a"{blank}:2, "b": 3}}'):
        with pytest.raises(NotJsonError, match="a name once"):
            decode_json(body.encode())


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nul", b"\xff\xfe", b'{"a": NaN}', b"[Infinity]", b"[1e999]", b'"\xed\xa0\x80"', b"{'a': 1}",
        b"[" * 100_000, b'{"a":' * 50_000, b"[" * (DEEPEST + 2) + b"]" * (DEEPEST + 2), b"1 2", b'{"a": 1,}',
        '{"a": 1}'.encode("utf-16"),
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """Quickly, and never by another error."""
    with pytest.raises(NotJsonError):
        decode_json(body)


def sometimes(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return value | st.none() | st.sampled_from(["", " ", "x" * 201, 1, 1.5, True, [], {}])


times = st.datetimes().map(lambda t: t.isoformat()) | st.sampled_from(
    ["2026-01-01", "2026-01-01T10:00:00Z", "2026-01-01T10:00:00+02:00", "2026-01-01 10:00", "1899-12-31T00:00:00", "x"]
)
events = st.fixed_dictionaries(
    {"ts": times, "kind": st.sampled_from([*KINDS, "buy", " purchase "])},
    optional={
        **{name: sometimes(st.text(max_size=5)) for name in ("event_id", "ref", "item", "channel", "country", "code")},
        "amount": sometimes(st.integers(-(10**16), 10**16)),
        "quantity": sometimes(st.floats(allow_nan=False, allow_infinity=False)),
        "due_day": sometimes(st.dates().map(str)),
        "known_at": sometimes(times),
        "other": st.just(1),
    },
)
requests = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from(["C1", " C1 ", "x" * 200, "x" * 201, "", 5]),
        "events": st.lists(events, max_size=2),
    },
    optional={
        "as_of": sometimes(st.dates().map(str)),
        "attributes": st.dictionaries(st.text(max_size=3), sometimes(st.text(max_size=3)), max_size=2),
        "force": st.just(True),
    },
)


@settings(max_examples=400, deadline=None)
@given(requests, st.sampled_from([ScoreRequest, EventsRequest]))
def test_what_is_taken_fast_is_what_the_schema_takes(said: dict[str, Any], schema: Any) -> None:
    """The same is refused, and the same is read."""
    try:
        wanted = schema.model_validate(said)
    except ValueError:
        with pytest.raises(RequestValidationError):
            read_asked(said, schema)
        return
    found = read_asked(said, schema)
    assert (found.customer_id, found.as_of) == (wanted.customer_id, wanted.as_of)
    assert dict(found.attributes) == getattr(wanted, "attributes", {})
    theirs = [Event(**{name: getattr(each, name) for name in EventIn.model_fields}) for each in wanted.events]
    assert [_cells(each) for each in found.events] == [_cells(each) for each in theirs]


def _cells(event: Event) -> dict[str, Any]:
    return dict(zip(FIELDS, msgspec.structs.astuple(event), strict=True))
