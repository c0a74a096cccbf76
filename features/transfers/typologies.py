"""Typologies of laundering: how strong each account's strongest window is, and what it is made of.

Fans count new partners who pay in, or are paid, similar amounts; structuring counts cash deposits below the threshold.
The others add up sizes: an amount over the typical transfer of the account (its lower median), at most `size_cap`. So
a strength compares accounts within its typology, and not with another typology's.

An account whose own transfers are not seen, a partner outside, has no strength: what it does elsewhere is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.calendar import day_number
from features.transfers.edges import Edges
from features.transfers.hits import HITS, THOUSAND, graph_of, typical
from features.transfers.kernel import Hits, Strongest, strongest
from features.transfers.settings import NAMES, TypologySettings

FINDINGS = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("typology", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("strength", pa.float64(), nullable=False),
        pa.field("first_day", pa.date32(), nullable=False),
        pa.field("last_day", pa.date32(), nullable=False),
        pa.field("transfers", pa.int64(), nullable=False),
        pa.field("amount", pa.int64(), nullable=False),  # minor currency units
        pa.field("partners", pa.int64(), nullable=False),
    ]
)
"""One row for each customer and typology that is strong enough."""

After = Mapping[tuple[str, str], date]
NOTHING: After = MappingProxyType({})


def strengths(edges: Edges, as_of: date, settings: TypologySettings, after: After = NOTHING) -> dict[str, Strongest]:
    """Each typology's strongest window of every node, of those whose hits began within `lookback_days` of `as_of`.

    edges: those visible at `as_of`; after: (customer, typology) → a day, of hits after which alone its windows are.
    Nodes that are no customers have none.
    """
    graph, own = graph_of(edges), typical(edges)
    since = day_number(as_of) - settings.lookback_days
    found = {}
    for name in NAMES:
        days: int = getattr(settings.typologies, name).days
        hits = HITS[name](edges, graph, own, settings)
        kept = _kept(
            hits, edges, _since(edges, since, {who: day for (who, what), day in after.items() if what == name})
        )
        found[name] = strongest(kept, graph, edges.nodes, days)
    return found


def findings(edges: Edges, as_of: date, settings: TypologySettings, after: After = NOTHING) -> pa.Table:
    """FINDINGS, by customer and then typology in the order of the settings. Deterministic.

    after: (customer, typology) → the day up to which it was looked into: a stronger window of before hides none since.
    """
    rows = []
    for at, (name, each) in enumerate(strengths(edges, as_of, settings, after).items()):
        said = getattr(settings.typologies, name)
        nodes = np.flatnonzero(each.weight >= max(1, round(said.at_least * THOUSAND)))
        rows.append((nodes, np.full(nodes.size, at), each))
    node, which = (np.concatenate([row[i] for row in rows]) for i in (0, 1))
    columns = [np.concatenate([column[nodes] for nodes, _, each in rows for column in (each[i],)]) for i in range(6)]
    order = np.lexsort((which, node))
    weight, first, last, transfers, amount, partners = (column[order] for column in columns)
    node, which = node[order], which[order]
    stages = [getattr(settings.typologies, name).stage for name in NAMES]
    return pa.table(
        [
            edges.accounts.take(pa.array(node)),
            pa.array(NAMES).take(pa.array(which)),
            pa.array(stages).take(pa.array(which)),
            pa.array(weight / THOUSAND),
            pa.array(first).cast(pa.date32()),
            pa.array(last).cast(pa.date32()),
            *(pa.array(each) for each in (transfers, amount, partners)),
        ],
        schema=FINDINGS,
    )


def _since(edges: Edges, first: int, after: Mapping[str, date]) -> NDArray[np.int64]:
    """The first day on which a hit of each node may begin, (nodes,)."""
    found = np.full(edges.nodes, first, np.int64)
    places = pc.index_in(pa.array(after, pa.string()), edges.accounts.cast(pa.string()))
    for place, day in zip(places.to_pylist(), after.values(), strict=True):
        if place is not None:
            found[place] = max(first, day_number(day) + 1)
    return found


def _kept(hits: Hits, edges: Edges, since: NDArray[np.int64]) -> Hits:
    """Those of customers, begun at or after the day of each."""
    kept = (hits.first >= since[hits.account]) & edges.customer[hits.account]
    many = np.diff(hits.start)
    start = np.concatenate([[0], np.cumsum(many[kept])]).astype(np.int64)
    return Hits(
        hits.account[kept], hits.first[kept], hits.last[kept], hits.amount[kept], hits.weight[kept], hits.bin[kept],
        start, hits.edge[np.repeat(kept, many)],
    )  # fmt: skip
