"""What persons decided about laundering grades: every act, and what of it counts.

An act is never changed; a later one takes its place. Whoever assesses may deviate from the system, with a reason; a
second person confirms. An assessment that lowers a grade, and one of the highest grade, counts only once it is
confirmed; one that raises or keeps a lower grade counts at once. Only a confirmed one is a review: from it the next
review date is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from classification.laundering.records import Records
from classification.laundering.scheme import DILIGENCE, LaunderingScheme
from features.errors import InputError
from features.tables.events import INSTANT

ENTRY = "acts"
ASSESS, CONFIRM, DILIGENT, OUTCOME = "assess", "confirm", "diligence", "outcome"

ACTS = pa.schema(
    [
        pa.field("act_id", pa.int64(), nullable=False),
        pa.field("act", pa.string(), nullable=False),  # assess, confirm, diligence, outcome
        pa.field("customer_id", pa.string(), nullable=False),  # pseudonym of the id that it was said of, merged or not
        pa.field("refers", pa.int64()),  # confirm: the assessment; outcome: the alert
        pa.field("grade", pa.string()),  # assess: the grade that the customer shall have
        pa.field("earlier", pa.string()),  # assess: the grade that it had when this was said
        pa.field("basis", pa.date32()),  # assess: the date of the register that the person saw
        pa.field("basis_grade", pa.string()),  # assess: what the system said in it
        pa.field("kind", pa.string()),  # diligence: its kind; outcome: what was decided
        pa.field("on", pa.date32(), nullable=False),  # the day on which it took place
        pa.field("day", pa.date32(), nullable=False),  # the company's day on which it was said
        pa.field("by", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("at", INSTANT, nullable=False),
    ]
)

Act = dict[str, Any]


@dataclass(frozen=True)
class Review:
    """An assessment. said: the day of it; counted: the day from which its grade counts, None: not yet; confirmed: the
    day on which a second person confirmed it."""

    id: int
    grade: str
    earlier: str
    basis: date
    basis_grade: str
    by: str
    said: date
    counted: date | None
    confirmed: date | None = None


@dataclass(frozen=True)
class Reviewed:
    """What persons decided about one customer. standing: the assessment that counts; last: the last one, also where it
    waits for a second person; reviewed: the day of the last confirmed one; diligence: that of the latest day on which
    some was done, its kind and day."""

    standing: Review | None = None
    last: Review | None = None
    reviewed: date | None = None
    diligence: tuple[str, date] | None = None

    @property
    def pending(self) -> Review | None:
        """The assessment that waits for a second person."""
        return self.last if self.last and self.last.confirmed is None else None


def read_acts(records: Records, before: date | None = None) -> list[Act]:
    """Every act in its order; before: of those said before that day."""
    return [act for act in records.read(ENTRY, ACTS).to_pylist() if before is None or act["day"] < before]


def reviewed(acts: Iterable[Act], scheme: LaunderingScheme, under: Mapping[str, str]) -> dict[str, Reviewed]:
    """customer → what was decided, by the acts in their order. under: merged id → its survivor, whose it is. A grade
    that the scheme does not have any more counts nowhere."""
    found: dict[str, Reviewed] = {}
    for act in acts:
        customer = under.get(act["customer_id"], act["customer_id"])
        mine = found.get(customer, Reviewed())
        if act["act"] == ASSESS and {act["grade"], act["basis_grade"], act["earlier"]} <= scheme.rank.keys():
            found[customer] = _assessed(mine, act, scheme)
        elif act["act"] == CONFIRM and mine.last and mine.last.id == act["refers"]:
            found[customer] = _confirmed(mine, act)
        elif act["act"] == DILIGENT and (mine.diligence is None or act["on"] >= mine.diligence[1]):
            found[customer] = replace(mine, diligence=(act["kind"], act["on"]))
    return found


def outcomes(acts: Iterable[Act]) -> dict[int, str]:
    """alert → the last outcome that a person gave it."""
    return {act["refers"]: act["kind"] for act in acts if act["act"] == OUTCOME}


def needs_second(scheme: LaunderingScheme, grade: str, earlier: str) -> bool:
    """Whether an assessment counts only once it is confirmed: it lowers, or is of the highest grade."""
    return grade == scheme.top or scheme.rank[grade] > scheme.rank[earlier]


def holds(scheme: LaunderingScheme, review: Review, system: int, signal: date | None) -> bool:
    """Whether a person's grade holds against the system's, a rank.

    It gives way to a higher grade of the system where that is higher than what the person saw, or where something
    happened, on the day `signal`, that the person's register had not seen.
    """
    higher = system < scheme.rank[review.grade]
    return not (higher and (system < scheme.rank[review.basis_grade] or _news(review, signal)))


def saw(scheme: LaunderingScheme, review: Review, since: date, signal: date | None) -> bool:
    """Whether who assessed knew that the customer was of the highest grade, since a day, and all news until now: by the
    register that the person saw, or because the grade was a person's by then. When it was confirmed says nothing."""
    knew = review.basis >= since or (review.earlier == scheme.top and review.said >= since)
    return knew and not _news(review, signal)


def add_act(records: Records, act: str, customer: str, today: date, reason: str, **said: Any) -> int:
    """Add an act to the ledger, within `Records.changing`, and note it; returns its id."""
    if not reason.strip():
        raise InputError("--reason", "nothing", "why")
    number = int(records.read(ENTRY, ACTS).num_rows) + 1
    row = {"act_id": number, "act": act, "customer_id": customer, "on": today, "day": today, "by": records.by}
    row |= {"reason": reason.strip(), "at": datetime.now().astimezone()}
    records.append(ENTRY, [row | said], ACTS)
    records.note(act, customer, act_id=number)
    return number


def check_confirms(review: Reviewed, by: str, grade: str) -> Review:
    """The assessment that a person may confirm, who says its grade. Raises InputError where none waits, for the person
    who made it, and for another grade."""
    pending = review.pending
    if pending is None:
        raise InputError("confirm", "no assessment that waits for a second person", "one")
    if _same(pending.by, by):
        raise InputError("--by", "the person who assessed the customer", "a second person, another one")
    if pending.grade != grade:
        wanted = f"{pending.grade}, as was assessed last, by {pending.by}"
        raise InputError("--grade", f"'{grade}'", wanted, "See `scoring laundering show`.")
    return pending


def check_saw(scheme: LaunderingScheme, review: Review, since: date, signal: date | None) -> None:
    """Refuse to confirm of a customer of the highest grade what was said before it had it, or before news."""
    if not saw(scheme, review, since, signal):
        found = f"an assessment of {review.said}, by the register of {review.basis}"
        wanted = f"one that has seen why the customer is {scheme.top} since {since}"
        raise InputError("confirm", found, wanted, "Assess the customer anew: scoring laundering assess.")


def check_diligence(kind: str) -> None:
    """Refuse what is no kind of due diligence."""
    if kind not in DILIGENCE:
        raise InputError("--kind", f"'{kind}'", f"one of {', '.join(DILIGENCE)}")


def _assessed(mine: Reviewed, act: Act, scheme: LaunderingScheme) -> Reviewed:
    waits = needs_second(scheme, act["grade"], act["earlier"])
    said = act["grade"], act["earlier"], act["basis"], act["basis_grade"], act["by"], act["day"]
    review = Review(act["act_id"], *said, None if waits else act["day"])
    return replace(mine, last=review, standing=mine.standing if waits else review)


def _confirmed(mine: Reviewed, act: Act) -> Reviewed:
    if mine.last is None or mine.last.confirmed or _same(mine.last.by, act["by"]):
        return mine
    review = replace(mine.last, confirmed=act["day"], counted=mine.last.counted or act["day"])
    return replace(mine, last=review, standing=review, reviewed=act["day"])


def _news(review: Review, signal: date | None) -> bool:
    return signal is not None and signal >= review.basis


def _same(one: str, other: str) -> bool:
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()
