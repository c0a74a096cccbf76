"""A scorecard in points: the scale, and a line per bin."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from training.cases.encoder import MISSING, OTHER, Encoder
from training.cases.scorecard import Characteristic, Scorecard
from training.cases.settings import ScaleSettings

Array = NDArray[np.float64]

HEADS = ("column", "bin", "above", "up_to", "levels", "cases", "yes_rate", "woe", "points")


@dataclass(frozen=True)
class Scale:
    """score = offset + factor · ln(odds of no : yes); Siddiqi 2006, ch. 6. More points are fewer yes."""

    offset: float
    factor: float

    @staticmethod
    def of(settings: ScaleSettings) -> Scale:
        """factor = points to double the odds / ln 2; offset from the score that stands for the odds `no : yes`."""
        factor = settings.points_to_double / log(2)
        return Scale(settings.score - factor * log(settings.odds), factor)

    def score(self, log_odds: Array) -> Array:
        """Points of the log-odds of yes."""
        return np.asarray(self.offset - self.factor * log_odds)

    def probability(self, score: Array) -> Array:
        """P(yes) that so many points stand for."""
        return np.asarray(expit((self.offset - score) / self.factor))


@dataclass(frozen=True)
class Line:
    """One bin of a column. what: it takes what is not known; a level that was rare or never seen; some levels; or the
    numbers above `above` (null: from the least) up to and with `up_to` (null: to the greatest), no and yes being 0 and
    1. cases, yes: of the training cases; points: of a case in it, its part of the intercept included."""

    column: str
    what: Literal["missing", "other", "levels", "interval"]
    words: str
    above: float | None
    up_to: float | None
    levels: tuple[str, ...]
    cases: int
    yes: int
    woe: float
    points: float


def points_table(encoder: Encoder, card: Scorecard, scale: Scale) -> tuple[Line, ...]:
    """A line per bin, in the order of the columns; the points of a case's bins add up to its score.

    The points of the intercept are spread evenly over the columns, so that a scorecard without columns has no lines. A
    number that every training case had counts as its usual value where it is null: that line has the points of the
    usual value's bin.
    """
    base = scale.score(np.array([card.intercept]))[0] / max(len(card.characteristics), 1)
    return tuple(line for each in card.characteristics for line in _lines(encoder, each, float(base), scale.factor))


def to_csv(lines: Sequence[Line]) -> str:
    """The table as CSV: numbers to the last digit, empty for null, levels as a JSON list."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADS)
    for line in lines:
        levels = json.dumps(line.levels, ensure_ascii=False) if line.levels else ""
        rate = line.yes / line.cases if line.cases else None
        writer.writerow(
            (line.column, line.words, line.above, line.up_to, levels, line.cases, rate, line.woe, line.points)
        )
    return text.getvalue()


def _lines(encoder: Encoder, own: Characteristic, base: float, factor: float) -> Iterator[Line]:
    bins, name = own.bins, encoder.names[own.at]
    points = base - factor * own.shares
    usual = encoder.usual.get(name)
    for at in range(bins.many):
        what, above, up_to, levels = _contents(encoder, own, at)
        like = at
        if what == "missing" and usual is not None:
            like = int(bins.place(np.array([usual]))[0])
        words = _words(what, above, up_to, levels, encoder.kinds[name] == "boolean")
        counts = bins.cases[at], bins.yes[at]
        yield Line(name, what, words, above, up_to, levels, *counts, bins.woe[like], float(points[like]))


def _contents(
    encoder: Encoder, own: Characteristic, at: int
) -> tuple[Literal["missing", "other", "levels", "interval"], float | None, float | None, tuple[str, ...]]:
    """What a bin takes: what, above, up_to, levels."""
    bins = own.bins
    if at == MISSING:
        return "missing", None, None, ()
    if bins.groups is None:
        edges = (None, *bins.edges, None)
        return "interval", edges[at - 1], edges[at], ()
    if at == OTHER:
        return "other", None, None, ()
    known = encoder.levels[encoder.names[own.at]]
    return "levels", None, None, tuple(known[code] for code, group in enumerate(bins.groups) if group == at)


def _words(what: str, above: float | None, up_to: float | None, levels: tuple[str, ...], boolean: bool) -> str:
    if what != "interval":
        return {"missing": "not known", "other": "rare or never seen"}.get(what, f"is {' or '.join(levels)}")
    if above is None and up_to is None:
        return "known"
    if boolean:
        return "yes" if up_to is None else "no"
    low = "" if above is None else f"above {above:,.10g}"
    high = "" if up_to is None else f"up to {up_to:,.10g}"
    return f"{low} {high}".strip()
