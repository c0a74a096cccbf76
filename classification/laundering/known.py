"""What is known of every customer at a date, as the laundering grade looks at it.

Every customer of the tables is graded, those who object to profiling included: the grading is a duty by law, and no
marketing follows from it. Nothing of it leaves the sealed register.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classification.credit.attribute import ATTRIBUTE as CREDIT_GRADE
from classification.facts import Array, Facts
from classification.laundering.scheme import ALERT, LaunderingScheme
from features.attributes import attribute_table
from features.batch import feature_table
from features.catalogue import CATALOGUE
from features.company import Company
from features.progress import Progress, silent
from features.spec import AnyFeature, Combined
from features.tables.events import CONFIDENTIAL_KINDS
from features.tables.sql import parquet, text, visible
from features.texts import Texts, texts_by_name
from features.workspace import damaged

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", re.IGNORECASE)
THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+")
"""What may be meant as thousands, 250.000 for 250,000: it is not known which."""

YEARS = range(1900, 2200)
"""Those in which a customer can have come; others, as 9999, stand for what is not known."""


@dataclass(frozen=True)
class Known:
    """The customers at a date, and their facts. counts: upgrade → how many of its events each has; signal: the last day
    on which an event that may raise a grade happened or became known, null for none; opened: when each came, by the
    attribute that the scheme names, else the first day from which anything of it is known; null where that is not."""

    ids: pa.Array
    facts: Facts
    counts: dict[str, Array]
    signal: pa.Array
    opened: pa.Array


def known_at(
    tables: Path,
    company: Company,
    scheme: LaunderingScheme,
    as_of: date,
    alerts: Mapping[str, Mapping[str, int]],
    progress: Progress = silent,
) -> Known:
    """Everybody known at a date: by an event before it, or an attribute.

    alerts: upgrade → customer → how many alerts count for it. Raises InputError for damaged tables.
    """
    features = needed(scheme)
    rows = feature_table(tables, company, features, [as_of], progress).combine_chunks()
    ids = rows["customer_id"].combine_chunks()
    numbers = {each.name: rows[each.name].to_numpy(zero_copy_only=False).astype(float) for each in features}
    attributes = texts_by_name(attribute_table(tables, [as_of]), ids.to_pylist(), "attribute")
    numbers |= {name: as_numbers(attributes[name]) for name in scheme.amounts if name in attributes}
    events = _events(tables / "events.parquet", company.timezone, scheme, as_of)
    places = pc.index_in(ids, events["customer_id"].combine_chunks())
    counts = {name: _filled(events[name].combine_chunks().take(places)) for name in events.column_names[2:]}
    for name, found in alerts.items():
        counts[name] = np.array([found.get(each, 0) for each in ids.to_pylist()], float)
    opened = since(tables / "customers.parquet", ids)
    if scheme.opened in attributes:
        opened = pc.coalesce(as_dates(attributes[scheme.opened]), opened)
    facts = Facts(len(ids), numbers, attributes)
    return Known(ids, facts, counts, events["signal"].combine_chunks().take(places), opened)


def needed(scheme: LaunderingScheme) -> list[AnyFeature]:
    """The features that a scheme looks at, and those they are made of, in the order of the catalogue."""
    wanted = set(scheme.facts) or {CATALOGUE[0].name}  # one at least: the rows say who is a customer
    for feature in reversed(CATALOGUE):
        if feature.name in wanted and isinstance(feature, Combined):
            wanted |= set(feature.of)
    return [feature for feature in CATALOGUE if feature.name in wanted]


def as_numbers(texts: Texts) -> Array:
    """Numbers that are written as text, null where it is none, and where a dot may part thousands."""
    found = np.array([*map(_number, texts.names), np.nan])
    return np.where(np.isfinite(found), found, np.nan)[texts.codes]


def as_dates(texts: Texts) -> pa.Array:
    """Days that are written as 2026-12-31, null where it is none, and for years but 1900 to 2199."""
    days = pa.array([*map(_date, texts.names), None], pa.date32())
    return days.take(pa.array(np.where(texts.codes < 0, len(texts.names), texts.codes)))


def since(customers: Path, ids: pa.Array) -> pa.Array:
    """The first day from which an attribute of each is valid; null where one is valid since ever, or there is none."""
    own = f"family <> 'consent' AND attribute <> {text(CREDIT_GRADE)}"  # what we noted ourselves came with nobody
    try:
        with duckdb.connect() as db:
            found = db.sql(
                "SELECT customer_id, CASE WHEN count(*) = count(valid_from) THEN min(valid_from) END AS since "
                f"FROM {parquet(customers)} WHERE {own} GROUP BY customer_id"
            ).to_arrow_table()
    except duckdb.Error as error:
        raise damaged(customers, error) from None
    return found["since"].combine_chunks().take(pc.index_in(ids, found["customer_id"].combine_chunks()))


def _events(events: Path, timezone: str, scheme: LaunderingScheme, as_of: date) -> pa.Table:
    """customer_id, signal, then a column per upgrade by events: how many of each; of those who have any."""
    counted = {name: each for name, each in scheme.upgrades.items() if each.kind != ALERT}
    kinds = sorted({*CONFIDENTIAL_KINDS, *(each.kind for each in counted.values())})
    columns = ""
    for name, each in counted.items():
        within = "" if each.within_days is None else f" AND day >= DATE '{as_of}' - {each.within_days}"
        columns += f', count(*) FILTER (WHERE kind = {text(each.kind)}{within}) AS "{name}"'
    heard = f"greatest(day, CAST(timezone({text(timezone)}, known_at) AS DATE))"
    among = ", ".join(map(text, kinds))
    try:
        with duckdb.connect() as db:
            return db.sql(
                f"SELECT customer_id, max({heard}) AS signal{columns} FROM {parquet(events)} "
                f"WHERE kind IN ({among}) AND {visible(as_of, timezone)} GROUP BY customer_id"
            ).to_arrow_table()
    except duckdb.Error as error:
        raise damaged(events, error) from None


def _filled(column: pa.Array) -> NDArray[np.float64]:
    found: NDArray[np.float64] = pc.fill_null(column, 0).to_numpy(zero_copy_only=False).astype(float)
    return found


def _number(said: str) -> float:
    number = said.strip()
    return float(number) if NUMBER.fullmatch(number) and not THOUSANDS.fullmatch(number) else np.nan


def _date(said: str) -> date | None:
    try:
        found = date.fromisoformat(said[:10])
    except ValueError:
        return None
    return found if found.year in YEARS else None
