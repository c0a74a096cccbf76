"""The scorecard that is kept beside the chosen model, whichever that is: model, points table and SQL in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import InputError
from features.workspace import Workspace
from training.cases.encoder import fit_encoder
from training.cases.model import CaseModel, fit_parts
from training.cases.points import Line, Scale, points_table, to_csv
from training.cases.question import Question
from training.cases.scorecard import Scorecard
from training.cases.scorecard_sql import Dialect, scorecard_sql
from training.cases.settings import CaseSettings, ScaleSettings
from training.cases.table import Cases

Array = NDArray[np.float64]

SCORECARD = "scorecard"
"""Its part, its folder in `Workspace.training`, and the stem of its files."""
CASES_TABLE = "cases"
"""What the SQL reads from where no other table is named."""


@dataclass(frozen=True)
class Portable:
    """model: its only part is a scorecard; what it says of itself has the scale, and the scores of the training cases
    at every whole percentile."""

    model: CaseModel

    @property
    def scale(self) -> Scale:
        """The scale of its points."""
        return Scale.of(ScaleSettings.model_validate(self.model.about["scale"]))

    @property
    def percentiles(self) -> Array:
        """Scores that 0, 1, … 100 % of the training cases have at most, shape (101,)."""
        return np.array(self.model.about["percentiles"])

    @property
    def card(self) -> Scorecard:
        """Its part."""
        part = self.model.parts[SCORECARD]
        if not isinstance(part, Scorecard):
            raise InputError("the kept scorecard", type(part).__name__, "a scorecard", "Learn again.")
        return part

    @property
    def lines(self) -> tuple[Line, ...]:
        """A line per bin."""
        return points_table(self.model.encoder, self.card, self.scale)

    def score(self, table: pa.Table) -> Array:
        """Points of cases typed as in cases.parquet, shape (n,); not rounded."""
        return self.scale.score(self.model.log_odds(table))

    def sql(self, dialect: Dialect, table: str = CASES_TABLE) -> str:
        """The same score and probability as one query."""
        return scorecard_sql(self.model.encoder, self.card, self.scale, table, dialect)

    def save(self, folder: Path) -> None:
        """The model, scorecard.csv and scorecard.sql (PostgreSQL), into an existing folder."""
        self.model.save(folder)
        (folder / f"{SCORECARD}.csv").write_text(to_csv(self.lines), encoding="utf-8")
        (folder / f"{SCORECARD}.sql").write_text(self.sql("postgres"), encoding="utf-8")


def fit_portable(cases: Cases, question: Question, about: Mapping[str, Any], settings: CaseSettings) -> Portable:
    """Fit the scorecard on all cases; about: what the chosen model says of the same cases and question."""
    encoder = fit_encoder(cases.table, question.kinds, settings.rare, question.trends)
    parts = fit_parts((SCORECARD,), encoder, encoder.matrix(cases.table), cases.label, settings)
    model = CaseModel({**about, "scale": settings.scale.model_dump()}, encoder, parts)
    scores = Portable(model).score(cases.table)
    percentiles = np.quantile(scores, np.linspace(0, 1, 101), method="inverted_cdf")
    return Portable(CaseModel({**model.about, "percentiles": percentiles.tolist()}, encoder, parts))


def read_portable(workspace: Workspace, source: str) -> Portable:
    """What `learn` left. Raises InputError where there is nothing."""
    folder = workspace.needs(workspace.training / SCORECARD, f"scoring run --source {source}")
    return Portable(CaseModel.load(folder))
