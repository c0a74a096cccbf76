"""Traits: the channel and the category a customer mostly buys through and from, the same in batch and online."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import zone
from features.company import Company
from features.online import Event, told_by
from features.tables.events import EVENTS, ITEMS
from features.texts import Texts
from features.traits import trait_table, traits_of

AS_OF = date(2026, 3, 1)
COMPANY = Company(timezone="Europe/Berlin")
CATEGORIES = {"a": "tools", "b": "paint", "c": "paint"}

instants = st.datetimes(datetime(2025, 2, 26), datetime(2026, 3, 4)).map(lambda t: t.replace(tzinfo=UTC))
events = st.builds(
    Event,
    ts=instants,
    kind=st.sampled_from(["purchase", "purchase", "return", "visit"]),
    item=st.sampled_from(["a", "b", "c", "d", None]),
    channel=st.sampled_from(["web", "shop", "Web", "ä", None]),
    known_at=st.none() | instants,
    known_until=st.none() | instants,
)


def _write(histories: list[list[Event]], folder: Path) -> None:
    """The tables of some customers, as ingest would leave them."""
    rows = []
    for customer, history in enumerate(histories):
        for event in history:
            said = {name: getattr(event, name) for name in ("event_id", "ts", "kind", "item", "channel", "known_until")}
            day = event.ts.astimezone(zone(COMPANY.timezone)).date()
            known = event.known_at or event.ts
            rows.append(
                dict.fromkeys(EVENTS.names) | said | {"customer_id": f"{customer:032}", "day": day, "known_at": known}
            )
    pq.write_table(pa.Table.from_pylist(rows, EVENTS), folder / "events.parquet")
    items = [{"item": item, "category": category} for item, category in CATEGORIES.items()]
    pq.write_table(pa.Table.from_pylist(items, ITEMS), folder / "items.parquet")


def _sound(histories: list[list[Event]]) -> list[list[Event]]:
    """Every event with an id of its own, and none replaced before it was known."""
    return [
        [
            msgspec.structs.replace(event, event_id=f"{customer}-{i}")
            for i, event in enumerate(history)
            if event.known_until is None or event.known_until > (event.known_at or event.ts)
        ]
        for customer, history in enumerate(histories)
    ]


@settings(max_examples=8, deadline=None)
@given(histories=st.lists(st.lists(events, max_size=12), min_size=20, max_size=40).map(_sound))
def test_online_is_batch(histories: list[list[Event]]) -> None:
    """Whatever the events, and however they were learnt of or replaced."""
    with tempfile.TemporaryDirectory() as folder:
        _write(histories, Path(folder))
        batch = {
            (r["customer_id"], r["trait"]): r["value"] for r in trait_table(Path(folder), COMPANY, AS_OF).to_pylist()
        }
    online = {
        (f"{customer:032}", name): value
        for customer, history in enumerate(histories)
        for name, value in traits_of(told_by(f"{customer:032}", history, COMPANY), AS_OF, CATEGORIES).items()
        if value is not None
    }
    assert online == batch


def traits(events: list[Event]) -> dict[str, str | None]:
    return traits_of(told_by("x", events, COMPANY), AS_OF, {})


def test_of_equals_the_first_in_order_of_text_counts() -> None:
    """So that the answer does not depend on the order of events."""
    at = datetime(2026, 1, 5, tzinfo=UTC)
    bought = [Event(at + timedelta(days=i), "purchase", channel=c) for i, c in enumerate(("web", "shop"))]
    assert traits(bought)["top_channel"] == "shop"
    assert traits(bought[::-1])["top_channel"] == "shop"
    assert traits([]) == {"top_channel": None, "top_category": None}


def test_later_events_change_nothing() -> None:
    """A purchase on the day itself, or one that was learnt of later, is not known yet."""
    at = datetime(2026, 1, 5, tzinfo=UTC)
    bought = [Event(at, "purchase", channel="web")]
    later = [
        Event(datetime(2026, 3, 1, 9, tzinfo=UTC), "purchase", channel="shop"),
        Event(at, "purchase", channel="shop", ref="2", known_at=datetime(2026, 3, 2, tzinfo=UTC)),
        Event(at, "purchase", channel="shop", ref="3", known_at=datetime(2026, 3, 2, tzinfo=UTC)),
    ]
    assert traits([*bought, *later]) == traits(bought)


def test_texts_keep_null_apart() -> None:
    """Null is nobody's text, and an unseen one is among none."""
    texts = Texts.of(["b", None, "a", "b"])
    assert texts.names == ("a", "b") and list(texts.among(["b", "z"])) == [True, False, False, True]
    assert texts.to_arrow().to_pylist() == ["b", None, "a", "b"]
    assert list(texts.known) == [True, False, True, True]
