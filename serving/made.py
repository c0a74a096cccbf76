"""Everything that was computed about one person, for the person: all but what must not be told to it.

Scores and classes are told when they are known to follow from nothing confidential; a new one has to be named here
first.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from classification.credit.advice import advice_of
from classification.credit.decisions import FILE as CREDIT_DECISIONS
from classification.decisions import FILE
from classification.grade import RANKED
from classification.scheme import Scheme, load_scheme
from features.catalogue import NAMES
from features.catalogue.confidential import CONFIDENTIAL
from features.population import POPULATION
from features.tables.holds import rows_of
from features.tables.person import Person
from features.workspace import Workspace, read_json
from serving.store.sqlite import SqliteStore, store_path
from training.recipes import CHURN, DEMAND, INTENT, POTENTIAL, SEGMENTS, VALUE

TOLD = tuple(o for recipe in (CHURN, VALUE, DEMAND, INTENT, POTENTIAL, SEGMENTS) for o in recipe.outputs)
"""Answers that follow from nothing confidential: `training.models.inputs` hides it from them."""

FACTS = (frozenset(NAMES) - CONFIDENTIAL) | {*TOLD, *(each.name for each in POPULATION)}
"""What may be told, and what may stand behind a class that is told."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class _Base:
    """A graded base: the folder of a snapshot or a month, and what may be told of it."""

    folder: Path
    snapshot: str
    scheme: Scheme

    @staticmethod
    def read(folder: Path) -> _Base:
        about = read_json(folder / "snapshot.json")
        return _Base(folder, about["id"], load_scheme(about["scheme"]))

    @property
    def told(self) -> frozenset[str]:
        """The dimensions that may be told."""
        return frozenset(name for name, found in self.scheme.dimensions.items() if found.rule.facts <= FACTS)

    def rows(self, file: str, person: Person) -> Rows:
        """The person's rows of one of its files."""
        found = rows_of(self.folder / file, person)
        return as_rows(found) if found is not None else []

    def cell(self, column: str, value: Any) -> Any:
        """What may be told of a cell of the grades; None for nothing."""
        prefix, _, name = column.partition("_")
        if column == "notes":
            value = ", ".join(each for each in value.split(", ") if each.partition(" ")[0] in self.told) or None
        may = {
            "score": name in TOLD,
            "percentile": name in RANKED and name in FACTS,
            "text": name in self.scheme.texts,
            "code": self.told == set(self.scheme.dimensions),
            **dict.fromkeys(("class", "raw", "seen"), name in self.told),
        }
        others = column in ("customer_id", "as_of", "no_marketing", "notes") or column in FACTS
        return value if may.get(prefix, others) else None

    def record(self, record: dict[str, Any]) -> dict[str, Any]:
        """What may be told of a record of the online store."""
        return record | {
            "scores": {name: score for name, score in record["scores"].items() if name in TOLD},
            "classes": {name: found for name, found in record["classes"].items() if name in self.told},
            "code": record["code"] if self.told == set(self.scheme.dimensions) else None,
        }


def made_of(workspace: Workspace, person: Person) -> dict[str, Any]:
    """The newest feature row; of every graded base the grade, what changed and the reasons; what persons decided."""
    features: dict[str, Any] | None = None
    rows = rows_of(workspace.features / "features.parquet", person)
    if rows is not None and rows.num_rows:
        newest = rows.filter(pc.equal(rows["as_of"], pc.max(rows["as_of"])))
        features = {name: value for name, value in as_rows(newest)[0].items() if name not in CONFIDENTIAL}
    folders = [path.parent for each in (workspace.grades, workspace.months) for path in each.glob("*/snapshot.json")]
    bases = [_Base.read(folder) for folder in sorted(folders)]
    told = frozenset().union(*(base.told for base in bases))
    acts, credit = (rows_of(workspace.decisions / name, person) for name in (FILE, CREDIT_DECISIONS))
    return {
        "features": features,
        "grades": [row for base in bases for row in _grades(workspace, base, person)],
        "changes": [row for base in bases for row in _changes(base, person)],
        "reasons": [row for base in bases for row in _reasons(base, person)],
        "credit_advice": [said for id_ in sorted(person.ids) if (said := advice_of(workspace, id_))],
        "credit_decisions": as_rows(credit) if credit is not None else [],
        "overrides": [row for row in (as_rows(acts) if acts is not None else []) if row["dimension"] in told],
    }


def _grades(workspace: Workspace, base: _Base, person: Person) -> Rows:
    """A base's grade of the person, and what the online store says of it."""
    path = store_path(workspace, base.snapshot)
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(contextlib.closing(SqliteStore(path))) if path.exists() else None
        found = []
        for row in base.rows("grades.parquet", person):
            cells = {name: told for name, value in row.items() if (told := base.cell(name, value)) is not None}
            record = store.record(row["customer_id"]) if store else None
            online = base.record(json.loads(record)) if record else None
            found.append({"snapshot": base.folder.name, **cells, "online": online})
    return found


def _changes(base: _Base, person: Person) -> Rows:
    mine = base.rows("changes.parquet", person)
    return [{"snapshot": base.folder.name, **row} for row in mine if row["dimension"] in base.told]


def _reasons(base: _Base, person: Person) -> Rows:
    mine = base.rows("reasons.parquet", person)
    return [
        {"snapshot": base.folder.name, **row}
        for row in mine
        if row["task"] in TOLD and row["feature"] not in CONFIDENTIAL
    ]


def as_rows(table: pa.Table) -> Rows:
    """Rows as JSON has them, without what is null."""
    return [
        {name: _plain(value) for name, value in row.items() if value is not None and value == value}
        for row in table.to_pylist()
    ]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value
