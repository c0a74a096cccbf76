"""A person overrides one customer's class, with a reason and an end; or takes that back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from classification.decisions import LIFTED, SET, add_acts, read_acts, standing_acts
from classification.scheme import Dimension, Scheme
from classification.stability import OVERRIDE, can_follow
from features.errors import InputError
from features.tables.person import Person, unknown_customer
from features.workspace import staged
from serving.desk import Desk, check_reason, revise_stores
from serving.store.publish import standing
from serving.store.sqlite import SqliteStore

LONGEST = timedelta(days=731)
"""Two years; whoever knows better for longer looks again by then."""


@dataclass(frozen=True)
class Wanted:
    """The class that a customer shall have in a dimension through the day `until`, and why."""

    dimension: str
    class_: str
    until: date
    reason: str


def set_override(desk: Desk, scheme: Scheme, store: Path, raw_id: str, wanted: Wanted, today: date) -> None:
    """Override a customer's class from today on, in place of any override it has in that dimension.

    scheme, store: the live ones. The service counts it at once, gradings of dates after today do. Raises InputError
    for a customer who is not graded, a class that is not there or cannot follow the present one, an end that is over
    or too far away, and a reason that is none.
    """
    person, id_ = desk.person(raw_id), desk.pseudonyms.of(raw_id)
    _check_said(wanted.reason, person)
    dimension = _dimension(scheme, wanted)
    if not today < wanted.until <= today + LONGEST:
        raise InputError("--until", str(wanted.until), f"a day after {today}, and not after {today + LONGEST}")
    with contextlib.closing(SqliteStore(store)) as states:
        found = states.record(states.find(id_).customer)
    if found is None:
        raise unknown_customer(desk.workspace.home)
    _check_move(dimension, json.loads(found)["classes"][wanted.dimension], wanted.class_)
    said = {"dimension": wanted.dimension, "class": wanted.class_, "until": str(wanted.until)}
    desk.audit.append("override", person, wanted.reason, **said)
    act = {"customer_id": id_, "class": wanted.class_, "until": wanted.until, "act": SET}
    _decide(desk, person, wanted.dimension, wanted.reason, [act], today)


def lift_override(desk: Desk, raw_id: str, dimension: str, reason: str, today: date) -> None:
    """End a customer's override before its time. Raises InputError where there is none, and for a reason that is
    none."""
    person = desk.person(raw_id)
    _check_said(reason, person)
    standing = standing_acts(read_acts(desk.workspace.decisions))
    mine = [act for act in standing if act["customer_id"] in person.ids and act["until"] >= today]
    lifted = [{"customer_id": act["customer_id"], "act": LIFTED} for act in mine if act["dimension"] == dimension]
    if not lifted:
        there = ", ".join(sorted({act["dimension"] for act in mine})) or "none"
        raise InputError("--dimension", f"'{dimension}'", f"one that is overridden for this customer: {there}")
    desk.audit.append("override lifted", person, reason, dimension=dimension)
    _decide(desk, person, dimension, reason, lifted, today)


def _decide(desk: Desk, person: Person, dimension: str, reason: str, acts: list[dict[str, Any]], today: date) -> None:
    """Add acts to the table, and tell the stores."""
    workspace = desk.workspace
    said = {"dimension": dimension, "from_day": today, "by": desk.audit.by, "reason": reason, "at": datetime.now(UTC)}
    with staged(workspace.decisions, keep=True) as folder:
        done = add_acts(folder, [said | act for act in acts])
        desk.log("revise", person, reason, workspace.decisions.name, [done])
    held = standing(workspace)
    with staged(workspace.store, keep=True) as folder:
        files = revise_stores(folder, frozenset(), held)
        desk.log("revise", person, reason, workspace.store.name, files)
    desk.place.revise()


def _dimension(scheme: Scheme, wanted: Wanted) -> Dimension:
    found = scheme.dimensions.get(wanted.dimension)
    if found is None:
        raise InputError("--dimension", f"'{wanted.dimension}'", f"one of {', '.join(scheme.dimensions)}")
    if wanted.class_ not in found.rule.classes:
        raise InputError("--class", f"'{wanted.class_}'", f"one of {_names(found, found.rule.classes)}")
    return found


def _check_move(dimension: Dimension, present: dict[str, Any], class_: str) -> None:
    """Refuse a class that cannot follow the one the customer has but for an override."""
    before = present["raw"] if present["note"] == OVERRIDE else present["code"]
    if not can_follow(dimension, before, class_):
        possible = [each for each in dimension.rule.classes if can_follow(dimension, before, each)]
        raise InputError(
            "--class",
            f"{_names(dimension, [class_])} after {_names(dimension, [before])}",
            f"what can follow it: {_names(dimension, possible)}",
        )


def _names(dimension: Dimension, classes: Iterable[str]) -> str:
    return ", ".join(f"{each} ({dimension.name_of(each)})" for each in classes)


def _check_said(reason: str, person: Person) -> None:
    if not reason.strip():
        raise InputError("--reason", "nothing", "why a person knows better than the facts")
    check_reason(reason, person)
