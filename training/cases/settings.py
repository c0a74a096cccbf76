"""How much: the settings of models of cases, configs/cases.yaml."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from features.config import Config, FlawError, load_config

CASES_SETTINGS = Path("configs/cases.yaml")


class TreeSettings(Config):
    """Settings of LightGBM, under its own names."""

    rounds: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    num_leaves: Annotated[int, Field(ge=2)]
    min_data_in_leaf: Annotated[int, Field(ge=1)]
    feature_fraction_bynode: Annotated[float, Field(gt=0, le=1)]
    lambda_l2: Annotated[float, Field(ge=0)]
    cat_smooth: Annotated[float, Field(ge=0)]
    min_data_per_group: Annotated[int, Field(ge=1)]


class ScorecardSettings(Config):
    """bins: at most so many per column; smallest: share of the training cases that a bin has at least; smoothing: cases
    of the overall rate that are added to each bin; ridge: inverse strength of the penalty of the regression on WOE."""

    bins: Annotated[int, Field(ge=2)]
    smallest: Annotated[float, Field(gt=0, le=0.5)]
    smoothing: Annotated[float, Field(gt=0)]
    ridge: Annotated[float, Field(gt=0)]


class ScaleSettings(Config):
    """A score of `score` points stands for the odds `odds` of no to yes; `points_to_double` more double them."""

    score: float
    odds: Annotated[float, Field(gt=0)]
    points_to_double: Annotated[float, Field(gt=0)]


class GradeSettings(Config):
    """from_score: points from which the grade is given. limit: the reference limit, as a share of the exposure."""

    from_score: float
    limit: Annotated[float, Field(ge=0)]


class FairnessSettings(Config):
    """cut_off: the highest P(yes) that is approved; none: as many cases are approved as turned out good. fewest: cases
    of a group that is shown by itself."""

    cut_off: Annotated[float, Field(gt=0, lt=1)] | None
    fewest: Annotated[int, Field(ge=10)]


class CaseSettings(Config):
    """configs/cases.yaml.

    last: share of the cases, in order of time, that judges; earlier: how many cuts of that size before it choose the
    candidate. abstain_below: AUC that one candidate at least must reach on the earlier cuts. fewest_per_class: cases
    with either answer, below which nothing is learnt; fewest_per_cut: the same on either side of one cut. few: cases
    that answer yes, below which a simple candidate is chosen. rare: levels with fewer training cases count as never
    seen. ridge: inverse strength of the penalty of the logistic regression, its columns standardised. grades: the best
    first; reasons: at most so many per case.
    """

    folds: Annotated[int, Field(ge=2)]
    last: Annotated[float, Field(gt=0, le=0.25)]
    earlier: Annotated[int, Field(ge=2)]
    abstain_below: Annotated[float, Field(ge=0.5, lt=1)]
    fewest_per_class: Annotated[int, Field(ge=10)]
    fewest_per_cut: Annotated[int, Field(ge=1)]
    resamples: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    few: Annotated[int, Field(ge=0)]
    rare: Annotated[int, Field(ge=1)]
    ridge: Annotated[float, Field(gt=0)]
    fairness: FairnessSettings
    boosting: TreeSettings
    scorecard: ScorecardSettings
    scale: ScaleSettings
    grades: Annotated[dict[str, GradeSettings], Field(min_length=1)]
    reasons: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _room_to_learn(self) -> CaseSettings:
        if self.last * (self.earlier + 1) >= 1:
            wanted = "less than all: the first cut needs cases before it"
            raise FlawError(f"{self.earlier + 1} cuts of {self.last:g} of the cases", wanted, at="earlier")
        return self

    @model_validator(mode="after")
    def _falling(self) -> CaseSettings:
        bounds = [grade.from_score for grade in self.grades.values()]
        if bounds != sorted(set(bounds), reverse=True) or bounds[-1] != -inf:
            raise FlawError(f"grades from {bounds}", "falling scores, the last -.inf", at="grades")
        return self


def load_case_settings(path: Path = CASES_SETTINGS) -> CaseSettings:
    """The settings of all models of cases."""
    return load_config(CaseSettings, path, "the settings of models of cases")
