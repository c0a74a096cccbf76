"""Early warning: key customers who buy less than is to be expected of them, and those whose contact person changed.

Who is key is asked at the beginning of the watched window, so that a fall does not take a customer off the list. How
unlikely it is that so little was bought (`expectation`) is no p-value yet: its calibration is what the same method
finds on earlier dates, the placebo months, with nothing but what was known then. Who hardly bought any more after a
placebo window had left: it is no placebo and does not count (what came of it is known today). Up to the ninetieth
percentile of the placebos a p-value is a rank; beyond it stands an exponential tail, fitted to the tenth above, since a
rank among a thousand is never small enough to be told apart in a hundred tests. Among all key customers judged this
month the procedure of Benjamini & Hochberg (1995) holds the share of false alarms.

A changed contact person is a fact, no test: an alert of its own kind, without a p-value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import false_discovery_control

from classification.expectation import Watched, watch
from classification.facts import Facts
from classification.purchase_days import Bought, PurchaseDays, changed_contacts, read_purchase_days
from classification.rules import Share
from features.attributes import attribute_table
from features.calendar import day_number
from features.company import Company
from features.config import Config, load_config
from features.population import Ranks
from training.drift.months import months_before

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

WARNING = Path("configs/warning.yaml")
INDUSTRY = "industry"
ACTIVITY, CONTACT = "activity", "contact"
"""The kinds of alerts."""

YEAR = 365
SHORTEST_MONTH = 28

TAIL = 0.1
"""The share of the placebos to which the tail is fitted."""

ALERTS = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # ACTIVITY: every key customer; CONTACT: who changed
        pa.field("alert", pa.bool_(), nullable=False),
        pa.field("days", pa.int64()),  # the last days of the window, in which so little was least likely
        pa.field("observed", pa.int64()),  # days with a purchase in them
        pa.field("expected", pa.float64()),
        pa.field("season", pa.float64()),  # factor in `expected`; 1: an average time of the year
        pa.field("industry", pa.float64()),  # factor in `expected`: what its industry bought of what was expected
        pa.field("p", pa.float64()),  # null: not judged
        pa.field("q", pa.float64()),  # the same, adjusted for the number of customers
        pa.field("sentence", pa.string(), nullable=False),
    ]
)
"""A row per key customer of kind ACTIVITY, in order of p, and then one per changed contact person."""

Part = Annotated[float, Field(gt=0, lt=1)]
Days = Annotated[int, Field(ge=1)]


class WarningSettings(Config):
    """configs/warning.yaml: what each number means stands there."""

    key_share: Part = 0.05
    window_days: Annotated[int, Field(ge=7)] = 90
    half_life_days: Days = 365
    fewest_alive: Part = 0.5
    q: Part = 0.10
    placebo_months: Days = 12
    return_days: Days = 180
    stays: Part = 0.1
    history_days: Days = 90
    fewest_placebos: Annotated[int, Field(ge=50)] = 200
    contact_days: Days = 90


@dataclass(frozen=True)
class Month:
    """The key customers of a window that ends at `as_of`: positions in the purchase days, ascending (k,)."""

    as_of: date
    key: Ints
    watched: Watched


def load_warning(path: Path = WARNING) -> WarningSettings:
    """The settings of the early warning."""
    return load_config(WarningSettings, path, "the settings of the early warning")


def early_warnings(tables: Path, company: Company, as_of: date, settings: WarningSettings | None = None) -> pa.Table:
    """The rows of ALERTS at `as_of`, from what was known then.

    Without amounts nobody is a key customer; without repeat purchases nothing is expected of anybody: no rows of kind
    ACTIVITY. p and q are null of who had probably left before the window, and of all where the placebos are too few.
    Who objects to profiling is left out. Raises InputError for a damaged table.
    """
    settings = settings or load_warning()
    purchases = read_purchase_days(tables, company, as_of)
    number, industry = industries(tables, purchases.ids, as_of)
    month = watch_month(purchases, number, as_of, settings)
    rows: list[dict[str, Any]] = []
    if month is not None:
        earlier = [watch_month(purchases, number, day, settings) for day in placebo_dates(purchases, as_of, settings)]
        placebos = placebo_evidence([each for each in earlier if each], purchases.at(as_of).bought(), settings)
        rows = activity_rows(month, placebos, purchases.ids, industry, settings)
    key = {purchases.ids[i] for i in key_customers(purchases.at(as_of), day_number(as_of), settings.key_share)}
    key |= {row["customer_id"] for row in rows}
    changed = changed_contacts(tables, company, as_of, settings.contact_days)
    rows += [_contact_row(id_, day) for id_, day in sorted(changed.items()) if id_ in key]
    return pa.Table.from_pylist(rows, ALERTS)


def key_customers(visible: PurchaseDays, day: int, share: float) -> Ints:
    """Positions of the customers of the top `share` by net spend of the 365 days before `day`, equals never split."""
    spend = visible.spend(day - YEAR, day)
    rule = Share(fact="spend_365d", top={"A": share, "C": 1.0})
    facts = Facts(spend.size, {"spend_365d": spend})
    return np.flatnonzero(rule.classify(facts, rule.cutoffs(Ranks.of(spend))) == "A")


def watch_month(purchases: PurchaseDays, industry: Ints, as_of: date, settings: WarningSettings) -> Month | None:
    """The key customers of the window that ends at `as_of`; None where there are none, or nobody bought twice."""
    end = day_number(as_of)
    start, visible = end - settings.window_days, purchases.at(as_of)
    key = key_customers(visible, start, settings.key_share)
    if not key.size:
        return None
    try:
        found = watch(visible.bought(), key, industry, start, end, settings.half_life_days)
    except ValueError:  # nobody bought twice
        return None
    return Month(as_of, key, found)


def placebo_dates(purchases: PurchaseDays, as_of: date, settings: WarningSettings) -> list[date]:
    """The latest earlier months, same day, after which customers had `return_days` to come back by `as_of`; latest
    first. The data must begin `history_days` before their windows."""
    if not purchases.day.size:
        return []
    earliest = int(purchases.day.min()) + settings.history_days + settings.window_days
    latest = day_number(as_of) - settings.return_days
    months = range(1, settings.placebo_months + settings.return_days // SHORTEST_MONTH + 2)
    dates = [months_before(as_of, back) for back in months]
    return [day for day in dates if earliest <= day_number(day) <= latest][: settings.placebo_months]


def placebo_evidence(months: Sequence[Month], bought: Bought, settings: WarningSettings) -> Array:
    """The evidence of the key customers of earlier months who were customers then and stayed so, shape (n,).

    bought: the days with a purchase as they are known today. Stayed: in the `return_days` after its window a customer
    bought at least `stays` times as often as in the year before it.
    """
    found = [np.empty(0)]
    for month in months:
        end = day_number(month.as_of)
        start = end - settings.window_days
        after = bought.between(end, end + settings.return_days).counts[month.key] / settings.return_days
        before = bought.between(start - YEAR, start).counts[month.key] / YEAR
        kept = (month.watched.alive >= settings.fewest_alive) & (after >= settings.stays * before) & (after > 0)
        found.append(month.watched.evidence[kept])
    return np.concatenate(found)


def p_values(evidence: Array, placebos: Array) -> Array:
    """P(as much evidence in a placebo month), shape (k,).

    (1 + placebos at least as large) / (1 + placebos) up to the quantile 1 − TAIL; beyond it TAIL · exp(−excess / mean
    excess of the placebos), the limit of Pickands (1975) for a logarithm of a probability.
    """
    ordered = np.sort(placebos)
    at_least = ordered.size - np.searchsorted(ordered, evidence, side="left")
    begin = np.quantile(ordered, 1 - TAIL)
    excess = ordered[ordered > begin] - begin
    mean = excess.mean() if excess.size else 1.0
    tail = TAIL * np.exp(-np.maximum(evidence - begin, 0.0) / mean)
    return np.where(evidence > begin, tail, (1 + at_least) / (1 + ordered.size))


def activity_rows(
    month: Month, placebos: Array, ids: Sequence[str], known: Sequence[str | None], settings: WarningSettings
) -> list[dict[str, Any]]:
    """A row of ALERTS per key customer, in order of p; ids, known (customers,): pseudonym and industry of each."""
    found = month.watched
    p, q = np.full(month.key.size, np.nan), np.full(month.key.size, np.nan)
    judged = found.alive >= settings.fewest_alive
    if placebos.size >= settings.fewest_placebos and judged.any():
        p[judged] = p_values(found.evidence[judged], placebos)
        q[judged] = false_discovery_control(p[judged])
    rows: list[dict[str, Any]] = []
    for i in np.lexsort((month.key, p)):
        at = int(month.key[i])
        row = {
            "customer_id": ids[at],
            "kind": ACTIVITY,
            "alert": bool(q[i] <= settings.q),
            "days": int(found.days[i]),
            "observed": int(found.observed[i]),
            "expected": float(found.expected[i]),
            "season": float(found.season[i]),
            "industry": float(found.trend[i]),
            "p": None if np.isnan(p[i]) else float(p[i]),
            "q": None if np.isnan(q[i]) else float(q[i]),
        }
        rows.append(row | {"sentence": _sentence(row, known[at], bool(judged[i]), settings)})
    return rows


def industries(tables: Path, ids: Sequence[str], as_of: date) -> tuple[Ints, list[str | None]]:
    """The industry of each customer as it was known at `as_of`: its number (n,), one for all unknown; its name."""
    found = attribute_table(tables, [as_of])
    found = found.filter(pc.equal(found["attribute"], INDUSTRY))
    names = dict(zip(found["customer_id"].to_pylist(), found["value"].to_pylist(), strict=True))
    known = [names.get(id_) or None for id_ in ids]
    number = {name: i for i, name in enumerate(sorted({name or "" for name in known}))}
    return np.array([number[name or ""] for name in known], np.int64), known


def _sentence(row: dict[str, Any], industry: str | None, judged: bool, settings: WarningSettings) -> str:
    """For a head of sales."""
    observed, expected = row["observed"], row["expected"]
    bought = f"Bought on {observed} day{'s' if observed > 1 else ''}" if observed else "Bought nothing"
    peers = f"its industry ({industry})" if industry else "all key customers together"
    said = (
        f"{bought} in the last {row['days']} days, where {expected:.{0 if expected >= 10 else 1}f} were to be expected "
        f"at this time of the year; {peers} at {100 * row['industry']:.0f} % of the usual."
    )
    if not judged:
        return f"{said} Not judged: it had probably left more than {settings.window_days} days ago."
    return said if row["p"] is not None else f"{said} Not judged: there are too few earlier months to compare with."


def _contact_row(id_: str, day: date) -> dict[str, Any]:
    sentence = f"The contact person changed on {day.isoformat()}."
    return {"customer_id": id_, "kind": CONTACT, "alert": True, "sentence": sentence}
