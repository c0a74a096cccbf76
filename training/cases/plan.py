"""Which cases choose the candidate, and which judge it: by time, by the source's own split, or in folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.cases.settings import CaseSettings
from training.cases.table import Array, Cases, Rows


@dataclass(frozen=True)
class Cut:
    """Numbers of the cases to learn from, and of those to answer."""

    train: Rows
    test: Rows


@dataclass(frozen=True)
class Plan:
    """choose: cuts on which the candidate is chosen; judge: those on which it is then judged, each case once.

    kind `folds`: both are all cases, in folds of other seeds. `split`: chosen in folds of the training side. `time`:
    chosen on earlier cuts, each with training cases that are older, and judged on the last cases.
    """

    kind: Literal["folds", "split", "time"]
    choose: tuple[Cut, ...]
    judge: tuple[Cut, ...]

    @property
    def prefix(self) -> str:
        """What the metrics of the judging cuts are called in MLflow."""
        return "cv" if self.kind == "folds" else "test"

    @property
    def text(self) -> str:
        """How it is judged, in words."""
        folds, share = len(self.judge), len(self.judge[0].test)
        return {
            "folds": f"{folds} folds; the candidate was chosen on {len(self.choose)} other folds of the same cases",
            "split": f"the source's own {share:,} test cases; chosen in {len(self.choose)} folds of the others",
            "time": f"the last {share:,} cases in time; chosen on {len(self.choose)} earlier cuts",
        }[self.kind]


NO_PLAN = Plan("folds", (), ())
"""Of cases that are too few for one."""


def plan(cases: Cases, in_time: bool, settings: CaseSettings) -> Plan:
    """The plan of some cases; in_time: whether they stand in the order of time."""
    rows = np.arange(len(cases))
    if in_time:
        cuts = tuple(_closed(_last(rows, settings.last, back), cases) for back in range(settings.earlier, -1, -1))
        return Plan("time", cuts[:-1], cuts[-1:])
    side = np.array([each or "" for each in cases.side])
    if (side != "").any():
        train, test = np.flatnonzero(side == "train"), np.flatnonzero(side == "test")
        return Plan("split", folds(train, cases.label, settings.folds, settings.seed), (Cut(train, test),))
    choose, judge = (folds(rows, cases.label, settings.folds, settings.seed + again) for again in (0, 1))
    return Plan("folds", choose, judge)


def what_is_missing(cases: Cases, cuts: Plan, settings: CaseSettings) -> str:
    """Why the cases do not allow a model; empty when they do."""
    no, yes = cases.answers()
    if min(no, yes) < settings.fewest_per_class:
        return f"{yes} cases answer yes and {no} no, at least {settings.fewest_per_class} of each are needed"
    fewest = settings.fewest_per_cut
    for cut in (*cuts.choose, *cuts.judge):
        for side, rows in (("learn from", cut.train), ("judge by", cut.test)):
            no, yes = cases.answers(rows)
            if min(no, yes) < fewest:
                return f"of the cases to {side}, {yes} answer yes and {no} no, at least {fewest} of each are needed"
    return ""


def folds(rows: Rows, label: Array, many: int, seed: int) -> tuple[Cut, ...]:
    """`rows` in `many` parts with equal shares of yes, at random; each part is the test of one cut."""
    rng = np.random.default_rng(seed)
    fold = np.empty(len(rows), int)
    for answer in (0, 1):
        mine = np.flatnonzero(label[rows] == answer)
        fold[rng.permutation(mine)] = np.arange(len(mine)) % many
    return tuple(Cut(rows[fold != part], rows[fold == part]) for part in range(many))


def _last(rows: Rows, share: float, back: int) -> Cut:
    """The last `share` of the cases but for `back` such shares, after all cases before it."""
    start, end = (round(len(rows) * (1 - share * (back + more))) for more in (1, 0))
    return Cut(rows[:start], rows[start:end])


def _closed(cut: Cut, cases: Cases) -> Cut:
    """The cut without training cases whose outcome was not known yet when the first test case was asked."""
    if cases.asked is None or cases.known is None or not len(cut.test):
        return cut
    return Cut(cut.train[cases.known[cut.train] <= cases.asked[cut.test[0]]], cut.test)
