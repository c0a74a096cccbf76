"""Several models asked about the same customers at once: what they look at is made once, their forests are one, and
one customer is answered for in one compiled call. Models without forests, of lower rungs, are asked by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp
from typing import Any, NamedTuple, TypeGuard

import numba as nb
import numpy as np
from numpy.typing import NDArray

from training.models.amount import AmountModel, amount_at, amount_score
from training.models.event import EventModel, event_log_odds
from training.models.inputs import HIDDEN, INPUTS, PLACE, fill_inputs
from training.models.seen import EVENT, SILENCE, Formed, Supervised
from training.models.silence import SilenceModel, silence_log_odds
from training.rhythm import COLUMNS, Rhythm, fill_rhythm
from training.trees import FEW, Model, Trees, raw_scores, score_few, together, trees_of

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

BTYD = len(COLUMNS)
OWN = len(INPUTS) - BTYD
"""So many inputs are the same for every model; what BTYD expects of each is not."""


@dataclass(frozen=True)
class Together:
    """Models with the days that they look ahead, answering about the same customers: to the bit what each would say."""

    models: tuple[tuple[Supervised, int], ...]

    def answers(self, rows: Array) -> Array:
        """The answers of each model in turn, shape (models, n); rows (n, features)."""
        out = np.empty((len(self.models), len(rows)))
        if self.compiled:
            self.compiled.answer(np.ascontiguousarray(rows), out)
        for place in self.alone:
            model, days = self.models[place]
            out[place] = model.predict(rows, days)
        return out

    @cached_property
    def compiled(self) -> _Compiled | None:
        """Those that answer in one call; None where there are none."""
        formed = [(place, model, days) for place, (model, days) in enumerate(self.models) if _compiles(model)]
        return _Compiled.of(formed) if formed else None

    @cached_property
    def alone(self) -> list[int]:
        """The places of those that are asked one by one."""
        return [place for place, (model, _) in enumerate(self.models) if not _compiles(model)]


def _compiles(model: Supervised) -> TypeGuard[Formed]:
    """Not without a formula, nor where BTYD is not compiled or LightGBM has to score the trees."""
    if not isinstance(model, SilenceModel | EventModel | AmountModel):
        return False
    rhythm, forests = model.sees
    return rhythm.compiled and all(forest.model is not None for forest in forests)


class _Compiled(NamedTuple):
    """timing, spend (looks, parameters), weeks (looks,): the different rhythms and horizons; trees: of all forests,
    over rows of the inputs that all share and then the BTYD columns of each look.

    parts (models, 4): of each model its kind, its look, where its forests begin, and the place of its answer; begins
    (models + 1, 2): where its part of `whole` and of `numbers` begins.
    """

    timing: Array
    spend: Array
    weeks: Array
    trees: Trees
    parts: Ints
    begins: Ints
    whole: Ints
    numbers: Array

    @staticmethod
    def of(models: Sequence[tuple[int, Formed, int]]) -> _Compiled:
        """Of some models, each after the place of its answer and before its days."""
        looks: dict[tuple[Rhythm, int], int] = {}
        forests: list[Model] = []
        inputs, parts, formulas = [], [], [model.formula for _, model, _ in models]
        for place, model, days in models:
            rhythm, mine = model.sees
            look = looks.setdefault((rhythm, days), len(looks))
            parts.append((model.formula.kind, look, len(forests), place))
            forests += [forest.model for forest in mine if forest.model]
            inputs += [_places(look)] * len(mine)
        params = [rhythm.params(days) for rhythm, days in looks]
        timing, spend, weeks = (np.array(part) for part in zip(*params, strict=True))
        return _Compiled(
            timing,
            spend,
            weeks,
            trees_of(together(forests, inputs, OWN + BTYD * len(looks))),
            np.array(parts),
            np.cumsum([(0, 0), *((len(each.whole), len(each.numbers)) for each in formulas)], axis=0),
            np.concatenate([each.whole for each in formulas]),
            np.concatenate([each.numbers for each in formulas]),
        )

    def answer(self, rows: Array, out: Array) -> None:
        """rows (n, features) → their answers, into out (all models, n)."""
        looks = self.timing, self.spend, self.weeks, HIDDEN
        formulas = self.parts, self.begins, self.whole, self.numbers
        if len(rows) <= FEW:
            told: tuple[Any, ...] = (rows, *looks, self.trees.inputs, *self.trees.for_few, *formulas, out)
            _answer_few(*told)
            return
        expected = np.empty((len(self.weeks), len(rows), BTYD))
        table = np.empty((len(rows), self.trees.inputs))
        _look(rows, *looks, expected, table)
        _answer(rows, expected, raw_scores(self.trees, table), *formulas, out)


def _places(look: int) -> Ints:
    """Where the inputs of a model's forests are in the rows of all."""
    places = np.arange(len(INPUTS))
    places[[PLACE[name] for name in COLUMNS]] += BTYD * look
    return places


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _look(rows: Array, timing: Array, spend: Array, weeks: Array, hidden: Ints, expected: Array, table: Array) -> None:
    for look in range(len(weeks)):
        fill_rhythm(timing[look], spend[look], rows, weeks[look], expected[look])
    fill_inputs(rows, expected, hidden, table)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _answer(
    rows: Array, expected: Array, raw: Array, parts: Ints, begins: Ints, whole: Ints, numbers: Array, out: Array
) -> None:
    for m in range(len(parts)):
        kind, look, forest, place = parts[m, 0], parts[m, 1], parts[m, 2], parts[m, 3]
        ints, floats = whole[begins[m, 0] : begins[m + 1, 0]], numbers[begins[m, 1] : begins[m + 1, 1]]
        for i in range(len(rows)):
            row, of_look, of_forests = rows[i], expected[look, i], raw[i, forest:]
            if kind == SILENCE:
                out[place, i] = 1.0 / (1.0 + exp(-silence_log_odds(ints, floats, row, of_look, of_forests)))
            elif kind == EVENT:
                out[place, i] = 1.0 / (1.0 + exp(-event_log_odds(ints, floats, row, of_look, of_forests)))
            else:
                out[place, i] = amount_at(floats, amount_score(ints, floats, row, of_look, of_forests))


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _answer_few(
    rows: Array,
    timing: Array,
    spend: Array,
    weeks: Array,
    hidden: Ints,
    inputs: int,
    columns: Ints,
    ends: Ints,
    words: NDArray[np.uint32],
    threshold: Array,
    begins: NDArray[np.uint64],
    starts: NDArray[np.uint64],
    leaves: NDArray[np.uint64],
    steps: Ints,
    values: Array,
    column: NDArray[np.uint32],
    left: NDArray[np.uint32],
    right: NDArray[np.uint32],
    tests: NDArray[np.uint64],
    bound: Array,
    tree: NDArray[Any],
    stays: NDArray[Any],
    parts: Ints,
    part_begins: Ints,
    whole: Ints,
    numbers: Array,
    out: Array,
) -> None:
    expected, table = np.empty((len(weeks), len(rows), BTYD)), np.empty((len(rows), inputs))
    raw = np.empty((len(rows), len(begins) - 1))
    _look(rows, timing, spend, weeks, hidden, expected, table)
    score_few(columns, ends, words, threshold, begins, starts, leaves, steps, values, column, left, right,
              tests, bound, tree, stays, table, raw)  # fmt: skip
    _answer(rows, expected, raw, parts, part_begins, whole, numbers, out)
