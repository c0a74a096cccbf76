"""Stars of tomorrow: the customers of the lowest class of value who are likeliest to rise, and how an earlier list
fared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classification.months import Month
from classification.past import VALUE_DIMENSION
from classification.report.base import Base, Naming, read_base
from classification.report.setting import Setting

LISTED, FEWEST, MOST = 0.05, 20, 1_000
"""The list is this share of those who were asked about, but not fewer and not more than somebody can work through."""

STARS = pa.schema(
    [
        ("rank", pa.int64()),
        ("customer", pa.string()),
        ("probability", pa.float64()),
        ("spend", pa.int64()),
        ("no_marketing", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Fared:
    """What became of the list of an earlier month. rose: those of it who are of a higher class now; promised: how many
    of them were to rise within `days`, by their probabilities; asked, asked_rose: the same of all who were asked about.
    Who is no longer in the base did not rise. due: whether `days` are over."""

    month: str
    as_of: date
    listed: int
    rose: int
    promised: float
    asked: int
    asked_rose: int
    days: int
    due: bool


@dataclass(frozen=True)
class Stars:
    """asked: how many were asked about; table: the list, as STARS says, likeliest first, spend in minor units; fared:
    None where no earlier month has a list, or the report is within a class of value, where only those who rose, or
    did not, are left."""

    asked: int
    table: pa.Table
    fared: Fared | None


def stars(base: Base, earlier: Sequence[Month], setting: Setting, within: Mapping[str, str], naming: Naming) -> Stars:
    """The list of a month. earlier: the months before it, in order."""
    if VALUE_DIMENSION not in setting.scheme.dimensions or VALUE_DIMENSION not in base.classes:
        return Stars(0, STARS.empty_table(), None)
    who, asked = _list(base, setting)
    columns = [
        pa.array(np.arange(1, len(who) + 1)),
        naming(base.ids.take(pa.array(who))),
        pa.array(base.numbers["score_potential"][who]),
        pa.array(base.spend[who].astype(np.int64)),
        pa.array(base.objects[who]),
    ]
    month = list_month(earlier, base.month.as_of, setting.potential_days)
    fared = _fared(month, base, setting, within) if month and VALUE_DIMENSION not in within else None
    return Stars(int(asked.sum()), pa.table(columns, schema=STARS), fared)


def list_month(earlier: Sequence[Month], as_of: date, days: int) -> Month | None:
    """The last month that lies `days` back, or the last of all where none is so old; None where there is none."""
    old = [month for month in earlier if month.as_of <= as_of - timedelta(days=days)]
    return old[-1] if old else earlier[-1] if earlier else None


def _list(base: Base, setting: Setting) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Who is on the list, in its order (equal ones by pseudonym), and who was asked about."""
    score = base.numbers["score_potential"]
    lowest = setting.scheme.dimensions[VALUE_DIMENSION].rule.classes[-1]
    asked = base.of_class(VALUE_DIMENSION, lowest) & ~np.isnan(score)
    places = np.flatnonzero(asked)
    many = min(max(ceil(LISTED * len(places)), FEWEST), MOST)
    return places[np.argsort(-score[places], kind="stable")[:many]], asked


def _fared(month: Month, now: Base, setting: Setting, within: Mapping[str, str]) -> Fared | None:
    then = read_base(month, (VALUE_DIMENSION,))
    if within:  # what became of others is not known here
        then = then.rows(pc.is_in(then.ids, now.ids).to_numpy(zero_copy_only=False))
    who, asked = _list(then, setting)
    if not len(who):
        return None
    higher = setting.scheme.dimensions[VALUE_DIMENSION].rule.classes[:-1]
    rose = pc.is_in(then.ids, now.ids.filter(pa.array(now.of_class(VALUE_DIMENSION, *higher))))
    risen = rose.to_numpy(zero_copy_only=False)
    promised = float(then.numbers["score_potential"][who].sum())
    due = month.as_of + timedelta(days=setting.potential_days) <= now.month.as_of
    return Fared(
        month.name,
        month.as_of,
        len(who),
        int(risen[who].sum()),
        promised,
        int(asked.sum()),
        int((asked & risen).sum()),
        setting.potential_days,
        due,
    )
