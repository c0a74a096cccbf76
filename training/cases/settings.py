"""How much: the settings of models of cases, configs/cases.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from features.config import Config, load_config

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


class FairnessSettings(Config):
    """cut_off: the highest P(yes) that is approved; none: as many cases are approved as turned out good. fewest: cases
    of a group that is shown by itself."""

    cut_off: Annotated[float, Field(gt=0, lt=1)] | None
    fewest: Annotated[int, Field(ge=10)]


class CaseSettings(Config):
    """configs/cases.yaml.

    last: share of the cases, in order of time, that judges; earlier: how many cuts of that size before it choose the
    candidate. abstain_below: AUC that one candidate at least must reach on the earlier cuts. fewest_per_class: cases
    with either answer, below which nothing is learnt; fewest_per_cut: the same on either side of one cut. rare: levels
    with fewer training cases count as never seen. ridge: inverse strength of the penalty of the logistic regression,
    its columns standardised.
    """

    folds: Annotated[int, Field(ge=2)]
    last: Annotated[float, Field(gt=0, le=0.25)]
    earlier: Annotated[int, Field(ge=2)]
    abstain_below: Annotated[float, Field(ge=0.5, lt=1)]
    fewest_per_class: Annotated[int, Field(ge=10)]
    fewest_per_cut: Annotated[int, Field(ge=1)]
    resamples: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    rare: Annotated[int, Field(ge=1)]
    ridge: Annotated[float, Field(gt=0)]
    fairness: FairnessSettings
    boosting: TreeSettings


def load_case_settings(path: Path = CASES_SETTINGS) -> CaseSettings:
    """The settings of all models of cases."""
    return load_config(CaseSettings, path, "the settings of models of cases")
