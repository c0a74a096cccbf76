"""What the graph of transfers says of every account: features for a model, as they were known at a date.

They speak of an account's own transfers and of those of its partners; of nobody's label, and of no list, report or
refusal. A pair of payer and payee is *odd* where its least transfer is far below what the payer usually sends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.calendar import day_number
from features.transfers.edges import Edges
from features.transfers.hits import THOUSAND
from features.transfers.settings import NAMES, TypologySettings
from features.transfers.typologies import strengths

Matrix = NDArray[np.float64]

FAR_BELOW = 0.2
"""Of the larger of the payer's usual amount (the median over its payees of their mean) and the base's median."""


@dataclass(frozen=True)
class AccountFeature:
    """sql: over the rows of one side of an account; empty: without a transfer on that side, None for null."""

    name: str
    sql: str
    unit: str
    doc: str
    empty: float | None = None


MINOR = "minor currency units"


def _own(side: str, way: str, partner: str) -> Iterator[AccountFeature]:
    """Over the transfers of one side."""

    def feature(name: str, sql: str, unit: str, doc: str, empty: float | None = None) -> AccountFeature:
        return AccountFeature(f"{side}_{name}", sql, unit, doc, empty)

    yield feature("transfers", "count(*)", "transfers", f"Transfers {way}.", 0)
    yield feature("amount", "sum(amount)", MINOR, f"All amounts {way}.", 0)
    yield feature("mean", "sum(amount) / count(*)", MINOR, f"Mean amount {way}.")
    yield feature("std", "sqrt(greatest(0, sum(amount::DOUBLE ** 2) / count(*) - (sum(amount) / count(*)) ** 2))",
                  MINOR, f"Standard deviation of the amounts {way}.")  # fmt: skip
    yield feature("least", "min(amount)", MINOR, f"Least amount {way}.")
    yield feature("most", "max(amount)", MINOR, f"Largest amount {way}.")
    yield feature("median", "quantile_disc(amount, 0.5)", MINOR, f"Lower median of the amounts {way}.")
    yield feature("amounts", "count(DISTINCT amount)", "amounts", f"Different amounts {way}.", 0)
    yield feature("days", "count(DISTINCT day)", "days", f"Days with a transfer {way}.", 0)
    yield feature("partners", "count(DISTINCT partner)", "partners", f"Different {partner}, those named.", 0)
    yield feature("days_since_first", "{today} - min(day)", "days", f"Days since the first transfer {way}.")
    yield feature("days_since_last", "{today} - max(day)", "days", f"Days since the last transfer {way}.")


def _pairs(side: str, way: str, partner: str) -> Iterator[AccountFeature]:
    """Over the named partners of one side."""
    ours, others = ("payers", "payees") if side == "paid" else ("payees", "payers")

    def feature(name: str, sql: str, unit: str, doc: str) -> AccountFeature:
        return AccountFeature(f"{side}_{name}", sql, unit, doc, 0)

    yield feature("same_partner", "max(n)", "transfers", f"Most transfers {way} of one partner.")
    yield feature("same_partner_day", "max(in_day)", "transfers", f"Most transfers {way} of one partner on one day.")
    yield feature("odd_partners", "sum(odd)", "partners", f"{partner.capitalize()} of odd pairs.")
    yield feature("odd_share", "avg(odd)", "1", f"Share of the {partner} of odd pairs.")
    yield feature("partner_odd_sum", "sum(odd_others)", "partners",
                  f"Odd pairs of its {partner} with other {ours}, all together.")  # fmt: skip
    yield feature("partner_odd_max", "max(odd_others)", "partners", f"Odd pairs of one of its {partner} at most.")
    yield feature("partner_odd_share_sum", "sum(odd_others / greatest(others, 1))", "1",
                  f"Over its {partner}, the sum of the share of odd pairs among their other {ours}.")  # fmt: skip
    yield feature("partner_odd_share_max", "max(odd_others / greatest(others, 1))", "1",
                  f"Over its {partner}, the largest share of odd pairs among their other {ours}.")  # fmt: skip
    yield feature("partner_odd_any", "avg((odd_others > 0)::INT)", "1",
                  f"Share of its {partner} in an odd pair with another of their {ours}.")  # fmt: skip
    yield feature("partner_fewest", "min(others)", ours, f"Fewest other {ours} of one of its {others}.")


SIDES = {"paid": ("sent", "payees"), "received": ("received", "payers")}
OWN = {side: tuple(_own(side, *said)) for side, said in SIDES.items()}
PAIRS = {side: tuple(_pairs(side, *said)) for side, said in SIDES.items()}
STRENGTHS = tuple(
    AccountFeature(
        f"strength_{name}", "", "1", f"Strength of the typology {name}; see features.transfers.typologies.", 0
    )
    for name in NAMES
)
FEATURES = (*OWN["paid"], *PAIRS["paid"], *OWN["received"], *PAIRS["received"], *STRENGTHS)
"""The columns of `account_features`."""

_PAIR = """
CREATE TEMP TABLE raw AS SELECT src, dst, count(*) AS n, min(amount) AS least, sum(amount) / count(*) AS mean
    FROM edges WHERE src >= 0 AND dst >= 0 GROUP BY src, dst;
CREATE TEMP TABLE daily AS SELECT src, dst, max(n) AS in_day FROM (
    SELECT src, dst, day, count(*) AS n FROM edges GROUP BY src, dst, day) GROUP BY src, dst;
CREATE TEMP TABLE marked AS SELECT raw.*, in_day, (least < {far} * greatest(
        quantile_disc(mean, 0.5) OVER (PARTITION BY src), (SELECT quantile_disc(amount, 0.5) FROM edges)))::INT AS odd
    FROM raw JOIN daily USING (src, dst);
CREATE TEMP TABLE pairs AS SELECT *,
    sum(odd) OVER (PARTITION BY dst) - odd AS odd_payers, count(*) OVER (PARTITION BY dst) - 1 AS payers,
    sum(odd) OVER (PARTITION BY src) - odd AS odd_payees, count(*) OVER (PARTITION BY src) - 1 AS payees
FROM marked
"""


def account_features(edges: Edges, as_of: date, settings: TypologySettings) -> tuple[pa.Array, Matrix, list[str]]:
    """The features of every customer.

    edges: those visible at `as_of`. Returns ids (customers,) in their order, the matrix (customers, FEATURES), NaN for
    null, and the names. A customer without transfers has the `empty` of each feature.
    """
    found = np.empty((edges.nodes, len(FEATURES)))
    found[:] = [np.nan if each.empty is None else each.empty for each in FEATURES]
    at = {each.name: i for i, each in enumerate(FEATURES)}
    for features, table in _asked(edges, as_of):
        rows = np.asarray(table["account"])
        for each in features:
            found[rows, at[each.name]] = table[each.name].to_numpy(zero_copy_only=False)
    for name, window in strengths(edges, as_of, settings).items():
        found[:, at[f"strength_{name}"]] = window.weight / THOUSAND
    ids = edges.accounts.filter(pa.array(edges.customer))
    return ids, found[edges.customer], [each.name for each in FEATURES]


def _asked(edges: Edges, as_of: date) -> Iterator[tuple[tuple[AccountFeature, ...], pa.Table]]:
    """A table per side, of its transfers and of its pairs; on one thread, so that sums come out the same."""
    table = pa.table({"src": edges.src, "dst": edges.dst, "day": edges.day, "amount": edges.amount})
    with duckdb.connect(config={"threads": 1}) as db:
        db.register("edges", table)
        db.execute(_PAIR.format(far=FAR_BELOW))
        for side, (own, other) in {"paid": ("src", "dst"), "received": ("dst", "src")}.items():
            moves = (
                f"(SELECT {own} AS account, nullif({other}, -1) AS partner, day, amount FROM edges WHERE {own} >= 0)"
            )
            yield OWN[side], db.sql(_select(OWN[side], moves).format(today=day_number(as_of))).to_arrow_table()
            others = ("odd_payers", "payers") if side == "paid" else ("odd_payees", "payees")
            named = f"{own} AS account, n, in_day, odd, {others[0]} AS odd_others, {others[1]} AS others"
            yield PAIRS[side], db.sql(_select(PAIRS[side], f"(SELECT {named} FROM pairs)")).to_arrow_table()


def _select(features: tuple[AccountFeature, ...], rows: str) -> str:
    columns = ", ".join(f"({each.sql})::DOUBLE AS {each.name}" for each in features)
    return f"SELECT account, {columns} FROM {rows} GROUP BY account"
