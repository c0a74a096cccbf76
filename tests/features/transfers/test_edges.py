"""From the event table to the graph: one edge for each transfer, as it was known at a date."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.company import Company
from features.tables.events import CUSTOMERS, EVENTS
from features.transfers.accounts import account_features
from features.transfers.edges import CASH, HIGH_RISK, JUST_BELOW, NIGHT, UNKNOWN, Edges, read_edges
from features.transfers.settings import load_typologies
from features.transfers.typologies import findings
from tests.conftest import ROOT

COMPANY = Company(just_below=(900, 1_000), high_risk_countries=("IR",))
A, B, C, X = (f"{i:032x}" for i in range(1, 5))
AS_OF = date(2024, 3, 1)


def transfer(
    kind: str, customer: str, partner: str | None, day: date, amount: int | None, **more: Any
) -> dict[str, Any]:
    """An event; `hour` and the like in `more`."""
    ts = datetime(day.year, day.month, day.day, more.get("hour") or 0, tzinfo=UTC)
    row = {"customer_id": customer, "ts": ts, "day": day, "known_at": ts, "kind": f"transfer_{kind}"}
    return row | {"counterparty": partner, "amount": amount} | more


def graph(folder: Path, rows: list[dict[str, Any]], as_of: date = AS_OF) -> Edges:
    """The edges of a table of events; who has a row is a customer."""
    filled = [{"event_id": str(i), **row} for i, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(filled, EVENTS), folder / "events.parquet")
    pq.write_table(CUSTOMERS.empty_table(), folder / "customers.parquet")
    return read_edges(folder, COMPANY, as_of, ("cash",))


def told(edges: Edges) -> list[tuple[str | None, str | None, int]]:
    """payer, payee, amount of each edge."""
    names = [*edges.accounts.to_pylist(), None]
    return [(names[s], names[d], int(a)) for s, d, a in zip(edges.src, edges.dst, edges.amount, strict=True)]


def test_what_both_sides_tell_is_one_transfer(tmp_path: Path) -> None:
    """By day and amount; as often as the side says that tells it more often."""
    day = date(2024, 1, 5)
    rows = [transfer("out", A, B, day, 500), transfer("in", B, A, day, 500), transfer("in", B, A, day, 500)]
    assert told(graph(tmp_path, rows)) == [(A, B, 500)] * 2


def test_one_ref_is_one_transfer_though_it_came_a_day_later(tmp_path: Path) -> None:
    """With the payer's day and amount; another ref of the same pair stays a transfer of its own."""
    day = date(2024, 1, 5)
    rows = [
        transfer("out", A, B, day, 500, ref="r1"),
        transfer("in", B, A, day + timedelta(days=1), 495, ref="r1"),
        transfer("in", B, A, day + timedelta(days=1), 700, ref="r2"),
    ]
    edges = graph(tmp_path, rows)
    assert told(edges) == [(A, B, 500), (A, B, 700)]
    assert edges.day[0] + 1 == edges.day[1]


def test_partners_outside_are_nodes_and_no_customers(tmp_path: Path) -> None:
    """Cash has no partner; a transfer without amount, or to oneself, is none."""
    day = date(2024, 1, 5)
    rows = [
        transfer("out", A, X, day, 100, country="IR", hour=23),
        transfer("in", A, None, day, 950, channel="Cash", hour=9),
        transfer("out", A, A, day, 100),
        transfer("out", A, X, day, None),
    ]
    edges = graph(tmp_path, rows)
    assert told(edges) == [(None, A, 950), (A, X, 100)]
    assert edges.src[0] == UNKNOWN and edges.flags.tolist() == [JUST_BELOW | CASH, HIGH_RISK | NIGHT]
    assert dict(zip(edges.accounts.to_pylist(), edges.customer.tolist(), strict=True)) == {A: True, X: False}


def test_an_attribute_of_later_makes_nobody_a_customer(tmp_path: Path) -> None:
    """It counts from the day after it became valid; one without a day always; a consent never."""
    rows = [transfer("out", A, B, date(2024, 1, 5), 100, event_id="1")]
    pq.write_table(pa.Table.from_pylist(rows, EVENTS), tmp_path / "events.parquet")
    yesterday = AS_OF - timedelta(days=1)
    for since, family, wanted in (
        (AS_OF, "x", False),
        (yesterday, "x", True),
        (None, "x", True),
        (None, "consent", False),
    ):
        said = {"customer_id": B, "attribute": "pep", "value": "no", "family": family, "valid_from": since}
        pq.write_table(pa.Table.from_pylist([said], CUSTOMERS), tmp_path / "customers.parquet")
        assert read_edges(tmp_path, COMPANY, AS_OF, ("cash",)).customer.tolist() == [True, wanted]


EVENT = st.builds(
    transfer,
    st.sampled_from(["in", "out"]),
    st.sampled_from([A, B, C]),
    st.sampled_from([A, B, C, X, None]),
    st.dates(date(2023, 6, 1), date(2024, 2, 29)),
    st.sampled_from([100, 500, 950]),
    channel=st.sampled_from(["cash", None]),
)
LATER = st.builds(
    transfer,
    st.sampled_from(["in", "out"]),
    st.sampled_from([A, B, C]),
    st.sampled_from([A, B, C, X, None]),
    st.dates(AS_OF, date(2024, 6, 1)),
    st.sampled_from([100, 500, 950]),
)
LEARNT_LATER = EVENT.map(lambda row: row | {"known_at": datetime(2024, 3, 1, tzinfo=UTC)})


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENT, min_size=10, max_size=40), st.lists(LATER | LEARNT_LATER, min_size=3, max_size=9))
def test_later_events_change_nothing(tmp_path: Path, now: list[dict[str, Any]], later: list[dict[str, Any]]) -> None:
    """Neither what happens later, nor what was learnt later of what had happened."""
    said = load_typologies(ROOT / "configs/typologies.yaml")
    one, other = (graph(tmp_path, rows) for rows in (now, [*now, *later]))
    assert told(one) == told(other)
    assert findings(one, AS_OF, said).equals(findings(other, AS_OF, said))
    ids, matrix, _ = account_features(one, AS_OF, said)
    again, rows, _ = account_features(other, AS_OF, said)
    assert ids.equals(again) and matrix.tobytes() == rows.tobytes()
