"""The register: one row per customer of the institution, at a date, with grade, evidence, reviews and due diligence.

A run grades everybody and keeps what persons decided before its date. It raises at once where an event, an alert or a
model asks for it, also over a person's grade; it never lowers a grade that a person gave (`reviews.holds`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classification.facts import Array
from classification.laundering import alerts as found_alerts
from classification.laundering.alerts import ALERTS, counting, merge_findings, read_alerts
from classification.laundering.grade import Graded, grade
from classification.laundering.known import Known, known_at
from classification.laundering.records import Records, register_name
from classification.laundering.reviews import outcomes, read_acts, reviewed
from classification.laundering.scheme import ALERT, LaunderingScheme, read_laundering
from classification.laundering.standing import STANDING, stand
from features.company import Company
from features.errors import InputError
from features.progress import Progress, silent
from features.tables.merges import read_merges
from features.workspace import Workspace

SCHEME = b"scheme"
"""Where a register carries the text of its scheme."""

SYSTEM = (
    pa.field("customer_id", pa.string(), nullable=False),
    pa.field("as_of", pa.date32(), nullable=False),
    pa.field("score", pa.float64(), nullable=False),  # the total, above 0 up to 100
    pa.field("system_grade", pa.string(), nullable=False),
    pa.field("system_ground", pa.string(), nullable=False),  # band, highest:…, lowest:…, upgrade:…, model
    pa.field("signal", pa.date32()),  # the last day of news that may raise over a person's grade
    pa.field("opened", pa.date32()),  # when the customer came; null: not known
    pa.field("graded_on", pa.date32(), nullable=False),  # the first register that has the customer
    pa.field("grade_by", pa.date32()),  # by when that had to be
    pa.field("late", pa.bool_()),  # it came later; null: not known
    pa.field("earlier", pa.string()),  # the grade in the register before; null: not in it
)
"""The columns before STANDING; after it, sub_<factor> and value_<factor> of each factor of the scheme."""

EARLIER = ["grade", "since", "signal", "graded_on"]
"""What a register keeps of the one before."""


@dataclass(frozen=True)
class Inputs:
    """What others hand in. findings: `alerts.FOUND`; scores: customer_id, score of a model; None: there are none."""

    findings: pa.Table | None = None
    scores: pa.Table | None = None


NOTHING = Inputs()


def grade_register(
    records: Records,
    workspace: Workspace,
    company: Company,
    scheme_text: str,
    on: date,
    inputs: Inputs = NOTHING,
    progress: Progress = silent,
) -> pa.Table:
    """Grade everybody by what was known before the day `on`, and keep the register of that day; a day graded again
    takes the place of what was there.

    Raises InputError for a day before the last register: what was decided since would look as if known then.
    """
    scheme, under = read_laundering(scheme_text, "the laundering scheme"), read_merges(workspace.tables)
    with records.changing() as now:
        days = now.days()
        if days and on < days[-1]:
            raise InputError("--on", str(on), f"a day from {days[-1]} on, that of the last register")
        before = [day for day in days if day < on]
        acts = read_acts(now, on)
        counts, new = _alerts(now, scheme, on, inputs.findings, under)
        known = known_at(workspace.tables, company, scheme, on, counts, progress)
        old = _earlier(now.register(before[-1]) if before else None, scheme, known.ids, on, under)
        signal = _later(known, read_alerts(now, under), old)
        graded = grade(scheme, known.facts, known.counts, _scores(known.ids, inputs.scores))
        system = _system(scheme, known, graded, signal, old, on, days[0] if before else on)
        found = _joined(system, stand(system, reviewed(acts, scheme, under), scheme, on, old), graded)
        now.write(register_name(on), found.replace_schema_metadata({SCHEME: scheme_text.encode()}))
        now.note("grade", on=on, scheme=scheme.version, customers=found.num_rows, new_alerts=new)
    return found


def current(records: Records, workspace: Workspace, day: date, customer: str | None = None) -> pa.Table:
    """The last register as it stands at a day, with what persons decided since; or a customer's row of it."""
    found = records.register()
    scheme = scheme_of(found)
    reviews = reviewed(read_acts(records), scheme, merges_in(found, read_merges(workspace.tables)))
    if customer is not None:
        found = found.filter(pc.equal(found["customer_id"], customer))
    now = stand(found, reviews, scheme, max(day, found["as_of"][0].as_py()) if found.num_rows else day, found)
    for field in STANDING:
        found = found.set_column(found.column_names.index(field.name), field, now[field.name])
    return found


def scheme_of(register: pa.Table) -> LaunderingScheme:
    """The scheme that a register was graded by."""
    return read_laundering(register.schema.metadata[SCHEME].decode(), "the laundering scheme of the register")


def merges_in(register: pa.Table, under: Mapping[str, str]) -> dict[str, str]:
    """The merges that a register knows: an id that it still has as a customer of its own was merged after it, and what
    was said of it is nothing about its survivor before the next register."""
    own = pc.is_in(pa.array(under, pa.string()), register["customer_id"].combine_chunks()).to_pylist()
    return {id_: under[id_] for id_, mine in zip(under, own, strict=True) if not mine}


def _alerts(
    records: Records,
    scheme: LaunderingScheme,
    on: date,
    findings: pa.Table | None,
    under: Mapping[str, str],
) -> tuple[dict[str, dict[str, int]], int]:
    """Take in findings; upgrade → customer → how many alerts count, by what persons decided of them up to and
    including the day, and how many alerts are new."""
    new = 0
    if findings is not None:
        merged, new = merge_findings(
            records.read(found_alerts.ENTRY, ALERTS), findings, outcomes(read_acts(records)), on, under
        )
        records.write(found_alerts.ENTRY, merged)
    alerts = read_alerts(records, under)
    decided = outcomes(read_acts(records, on + timedelta(days=1)))
    asked = {name: each for name, each in scheme.upgrades.items() if each.kind == ALERT}
    return {name: counting(alerts, decided, on, each.within_days) for name, each in asked.items()}, new


def _later(known: Known, alerts: pa.Table, old: pa.Table) -> pa.Array:
    """The signal of events, of alerts or of the register before, whichever is later; a register has seen the alerts of
    its own day."""
    last: dict[str, date] = {}
    for customer, on in zip(alerts["customer_id"].to_pylist(), alerts["found_on"].to_pylist(), strict=True):
        last[customer] = max(on - timedelta(days=1), last.get(customer, date.min))
    mine = pa.array([last.get(each) for each in known.ids.to_pylist()], pa.date32())
    return pc.max_element_wise(known.signal, mine, old["signal"].combine_chunks())


def _scores(ids: pa.Array, scores: pa.Table | None) -> Array | None:
    if scores is None:
        return None
    places = pc.index_in(ids, scores["customer_id"].combine_chunks())
    found: Array = scores["score"].combine_chunks().take(places).to_numpy(zero_copy_only=False).astype(float)
    return found


def _earlier(
    register: pa.Table | None, scheme: LaunderingScheme, ids: pa.Array, on: date, under: Mapping[str, str]
) -> pa.Table:
    """grade, since, signal and graded_on of the customers in an earlier register; null for those who were not in it.

    Of ids that are merged since: the highest grade of all, the first day of all, and the merge is news: nobody has
    reviewed all of them as one.
    """
    if register is None:
        return pa.table({name: pa.nulls(len(ids), _type(name)) for name in EARLIER})
    places = pc.index_in(ids, register["customer_id"].combine_chunks())
    found = register.select(EARLIER).combine_chunks().take(places)
    merged = _merged(register, scheme, on, under)
    if not merged:
        return found
    rows = [merged.get(id_, row) for id_, row in zip(ids.to_pylist(), found.to_pylist(), strict=True)]
    return pa.Table.from_pylist(rows, pa.schema([(name, _type(name)) for name in EARLIER]))


def _merged(
    register: pa.Table, scheme: LaunderingScheme, on: date, under: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """survivor → its row in `_earlier`, of those with whom an id was merged since the register."""
    anew = {id_: survivor for id_, survivor in under.items() if id_ not in merges_in(register, under)}
    asked = pa.array(sorted({*anew, *anew.values()}), pa.string())
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in register.filter(pc.is_in(register["customer_id"], asked)).select(["customer_id", *EARLIER]).to_pylist():
        customer = row.pop("customer_id")
        groups[anew.get(customer, customer)].append(row)
    news = {"signal": on - timedelta(days=1)}
    return {
        survivor: min(rows, key=lambda row: (scheme.rank.get(row["grade"], len(scheme.grades)), row["since"]))
        | {"graded_on": min(row["graded_on"] for row in rows)}
        | news
        for survivor, rows in groups.items()
    }


def _system(
    scheme: LaunderingScheme, known: Known, graded: Graded, signal: pa.Array, old: pa.Table, on: date, began: date
) -> pa.Table:
    """The columns SYSTEM. began: the day of the first register."""
    size = len(known.ids)
    graded_on = pc.fill_null(old["graded_on"].combine_chunks(), pa.scalar(on, pa.date32()))
    columns = {
        "customer_id": known.ids,
        "as_of": pa.repeat(pa.scalar(on, pa.date32()), size),
        "score": graded.score,
        "system_grade": np.array(scheme.grades, object)[graded.rank],
        "system_ground": graded.ground,
        "signal": signal,
        "opened": known.opened,
        "graded_on": graded_on,
        "grade_by": grade_by(scheme, known.opened),
        "earlier": old["grade"].combine_chunks(),
    }
    columns["late"] = is_late(graded_on, columns["grade_by"], began)
    made = [pa.array(columns[field.name], field.type) for field in SYSTEM]
    return pa.Table.from_arrays(made, schema=pa.schema(SYSTEM))


def grade_by(scheme: LaunderingScheme, opened: pa.Array) -> pa.Array:
    """By when each had to be graded; null where it is not known when it came."""
    days = {day: scheme.grade_by(day) for day in pc.unique(opened).to_pylist() if day is not None}
    return pa.array([days.get(day) for day in opened.to_pylist()], pa.date32())


def is_late(graded_on: pa.Array, by: pa.Array, began: date) -> pa.Array:
    """Whether each was graded later than it had to be; who had to be before the register began was not: it is a
    customer of before. Null where it is not known when it came."""
    return pc.and_(pc.greater(graded_on, by), pc.greater_equal(by, pa.scalar(began, pa.date32())))


def _joined(system: pa.Table, standing: pa.Table, graded: Graded) -> pa.Table:
    found = system
    for name in standing.column_names:
        found = found.append_column(standing.schema.field(name), standing[name])
    for name, subscores in graded.subscores.items():
        found = found.append_column(f"sub_{name}", pa.array(subscores.astype(np.int8)))
        found = found.append_column(f"value_{name}", graded.values[name].to_arrow())
    return found


def _type(name: str) -> pa.DataType:
    return pa.string() if name == "grade" else pa.date32()
