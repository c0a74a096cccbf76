"""A fitted model of cases: what it looks at, and the parts whose log-odds it averages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from features.errors import InputError
from features.workspace import read_json, write_json
from training.cases.boosting import Boosted, fit_boosted
from training.cases.constant import BaseRate, fit_base_rate
from training.cases.encoder import Encoder
from training.cases.linear import Linear, fit_linear
from training.cases.scorecard import Scorecard, fit_scorecard
from training.cases.settings import CaseSettings

Array = NDArray[np.float64]

FILE = "model.json"
RULES = "rules"
"""The lowest rung of the ladder: no model answers."""


class Part(Protocol):
    """What a part can do, whatever it is made of."""

    def log_odds(self, matrix: Array) -> Array:
        """Of yes, shape (n,)."""
        ...

    def contributions(self, matrix: Array) -> Array:
        """Shape (n, columns + 1), the base last; each row adds up to its log-odds."""
        ...

    def save(self, folder: Path) -> None:
        """Write the part into an existing folder."""
        ...


FIT: dict[str, Callable[[Array, Array, Encoder, CaseSettings], Part]] = {
    "base_rate": fit_base_rate,
    "logistic": fit_linear,
    "lightgbm": fit_boosted,
    "scorecard": fit_scorecard,
}
LOAD: dict[str, Callable[[Path], Part]] = {
    "base_rate": BaseRate.load,
    "logistic": Linear.load,
    "lightgbm": Boosted.load,
    "scorecard": Scorecard.load,
}

CANDIDATES: dict[str, tuple[str, ...]] = {
    "lightgbm": ("lightgbm",),
    "blend": ("lightgbm", "logistic"),
    "scorecard": ("scorecard",),
    "logistic": ("logistic",),
    "base_rate": ("base_rate",),
}
"""Candidate → its parts. All are fitted, always, and compared on the same cases. A new kind of model is a
line in each of these three tables."""

SIMPLE = ("scorecard", "logistic")
"""Candidates with a weight per term and nothing else, preferred where cases are few."""
BASELINE = "base_rate"
"""The candidate that looks at nothing; it is compared with, and never chosen."""


@dataclass(frozen=True)
class CaseModel:
    """about: what model.json says of it (source, task, rung…); parts: none where rules answer."""

    about: dict[str, Any]
    encoder: Encoder
    parts: Mapping[str, Part]

    def predict(self, table: pa.Table) -> Array:
        """P(yes) of cases typed as in cases.parquet, shape (n,); one and many give the same bits.

        NaN throughout where no model answers (`about["rung"]` is `rules`). Raises InputError for a column that is not
        there or of another type; columns that are not asked for do not matter.
        """
        return np.asarray(expit(self.log_odds(table)))

    def log_odds(self, table: pa.Table) -> Array:
        """Mean of the parts', shape (n,)."""
        matrix = self.encoder.matrix(table)
        if not self.parts:
            return np.full(len(matrix), np.nan)
        return np.asarray(sum(part.log_odds(matrix) for part in self.parts.values()) / len(self.parts))

    def explain(self, table: pa.Table) -> tuple[Array, Array]:
        """base (n,), contributions (n, `encoder.names`): what each column adds to the log-odds; together they are
        `log_odds`. Null where rules answer."""
        matrix = self.encoder.matrix(table)
        if not self.parts:
            return np.full(len(matrix), np.nan), np.full(matrix.shape, np.nan)
        found = np.mean([part.contributions(matrix) for part in self.parts.values()], axis=0)
        return found[:, -1], found[:, :-1]

    def reasons(self, table: pa.Table, most: int = 3) -> list[list[tuple[str, Any, float]]]:
        """Per case up to `most` (column, its value, what it adds to the log-odds), the largest first."""
        _, contributions = self.explain(table)
        names, order = self.encoder.names, np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :most]
        values = [table[name] for name in names]
        return [
            [
                (names[at], values[at][row].as_py(), float(contributions[row, at]))
                for at in places
                if contributions[row, at]
            ]
            for row, places in enumerate(order)
        ]

    def save(self, folder: Path) -> None:
        """model.json and a plain file per part, into an existing folder."""
        write_json(folder / FILE, {**self.about, "parts": list(self.parts), "encoder": self.encoder.to_json()})
        for part in self.parts.values():
            part.save(folder)

    @staticmethod
    def load(folder: Path) -> CaseModel:
        """What `save` wrote."""
        about = read_json(folder / FILE)
        parts, encoder = about.pop("parts"), about.pop("encoder")
        unknown = sorted(set(parts) - set(LOAD))
        if unknown:
            raise InputError(folder / FILE, f"the part '{unknown[0]}'", f"one of {', '.join(LOAD)}")
        return CaseModel(about, Encoder.from_json(encoder), {name: LOAD[name](folder) for name in parts})


def fit_parts(
    names: Iterable[str], encoder: Encoder, matrix: Array, label: Array, settings: CaseSettings
) -> dict[str, Part]:
    """The named parts, all fitted on the same cases: matrix (n, columns), label (n,). Without a column that differs
    between these cases, each is the base rate."""
    if not encoder.names:
        return {name: fit_base_rate(matrix, label, encoder, settings) for name in names}
    return {name: FIT[name](matrix, label, encoder, settings) for name in names}
