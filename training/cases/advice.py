"""What a person who decides on a case is told: probability, score, grade, what costs points, and a reference limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.cases.encoder import MISSING, Encoder, typed
from training.cases.model import CaseModel
from training.cases.points import Line
from training.cases.portable import Portable
from training.cases.settings import CaseSettings, GradeSettings

Array = NDArray[np.float64]

REASON = pa.struct([("column", pa.string()), ("bin", pa.string()), ("points", pa.float64())])
ADVICE = pa.schema([
    ("probability", pa.float64()),
    ("score", pa.float64()),
    ("score_probability", pa.float64()),
    ("grade", pa.string()),
    ("percentile", pa.int8()),
    ("reasons", pa.list_(REASON)),
    ("reference_limit", pa.float64()),
])  # fmt: skip


def advise(
    model: CaseModel, scorecard: Portable, table: pa.Table, settings: CaseSettings, exposure: str | None = None
) -> pa.Table:
    """A row per case of `table` (typed as in cases.parquet), schema ADVICE. It is advice: a person decides.

    probability: of yes, by the chosen model; null where it abstains. score: points of the scorecard, not rounded;
    score_probability: what they stand for; grade: by `settings.grades`. percentile: share of the training cases, in
    whole per cent, with so many points or fewer. reasons: what costs points against the best bin of the column, the
    dearest first, at most `settings.reasons`. reference_limit: the grade's share of `exposure`, a number of the table
    in its own unit; null where that is null or there is none. Raises InputError for a column that is not there.
    """
    score = scorecard.score(table)
    grade = grade_of(score, settings.grades)
    probability = model.predict(table)
    return pa.table(
        {
            "probability": pa.array(probability, mask=np.isnan(probability)),
            "score": score,
            "score_probability": scorecard.scale.probability(score),
            "grade": pa.array(grade, pa.string()),
            "percentile": pa.array(_percentile(score, scorecard.percentiles), pa.int8()),
            "reasons": pa.array(reasons(scorecard, table, settings.reasons), pa.list_(REASON)),
            "reference_limit": _limit(table, grade, exposure, settings.grades),
        },
        schema=ADVICE,
    )


def grade_of(score: Array, grades: Mapping[str, GradeSettings]) -> list[str]:
    """The first grade whose bound each score reaches."""
    names, bounds = list(grades), np.array([each.from_score for each in grades.values()])
    return [names[at] for at in (score[:, None] >= bounds).argmax(axis=1)]


def reasons(scorecard: Portable, table: pa.Table, most: int) -> list[list[dict[str, object]]]:
    """Per case up to `most` bins that cost points: column, bin in words, points below the best bin that had training
    cases (negative). Siddiqi 2006, ch. 6, measures against the neutral score; the best bin tells what could be."""
    encoder, columns = scorecard.model.encoder, scorecard.card.characteristics
    if not columns:
        return [[] for _ in range(table.num_rows)]
    matrix, lines = encoder.matrix(table), iter(scorecard.lines)
    owns = [[next(lines) for _ in range(each.bins.many)] for each in columns]
    places = [
        np.where(_unknown(table, own[0].column, encoder), MISSING, each.bins.place(matrix[:, each.at]))
        for own, each in zip(owns, columns, strict=True)
    ]
    cost = np.column_stack([_cost(own)[place] for own, place in zip(owns, places, strict=True)])
    order = np.argsort(cost, axis=1, kind="stable")[:, :most]
    return [
        [_reason(owns[at][places[at][row]], cost[row, at]) for at in dearest if cost[row, at] < 0]
        for row, dearest in enumerate(order)
    ]


def _unknown(table: pa.Table, name: str, encoder: Encoder) -> NDArray[np.bool_]:
    """Which cells are not known, also those that count as the usual value."""
    column = typed(table, name, encoder.kinds[name])
    if encoder.kinds[name] == "category":
        return np.asarray(column.is_null().to_numpy())
    return np.asarray(~np.isfinite(column.cast(pa.float64()).to_numpy().astype(float)))


def _cost(lines: Sequence[Line]) -> Array:
    """Points of each bin below the best one that had training cases; a bin without any may lie above it: 0."""
    points = np.array([line.points for line in lines])
    return np.minimum(points - max(line.points for line in lines if line.cases), 0.0)


def _reason(line: Line, cost: float) -> dict[str, object]:
    return {"column": line.column, "bin": line.words, "points": float(cost)}


def _percentile(score: Array, percentiles: Array) -> NDArray[np.int64]:
    found = np.searchsorted(percentiles, score, side="right") - 1
    return np.asarray(np.clip(found, 0, 100))


def _limit(
    table: pa.Table, grade: Sequence[str], exposure: str | None, grades: Mapping[str, GradeSettings]
) -> pa.Array:
    if exposure is None:
        return pa.nulls(table.num_rows, pa.float64())
    amount = typed(table, exposure, "number").to_numpy()
    limit = amount * np.array([grades[each].limit for each in grade])
    return pa.array(limit, mask=~np.isfinite(limit))
