"""How a judged model treats groups that it knows nothing of: approval, errors and calibration by private column.

Private columns stay in the vault, and no model sees them. What leaves is counted over groups of many cases. A case is
approved where the model answers no, that is, where its P(yes) is low; where yes is good news, read it as passed over.
That groups are treated alike in one of these measures and not in another is no flaw of the model alone: with different
shares of yes they cannot all be equal (Chouldechova 2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.tables.cases import PRIVATE
from features.tables.table_source import CaseColumn
from features.tables.vault import Vault
from training.bootstrap import Resampled, interval
from training.cases.groups import groups_of
from training.cases.judge import Interval
from training.cases.learn import Learnt
from training.cases.settings import CaseSettings
from training.cases.table import Array, Rows
from training.metrics import METRICS, Comparison
from training.proportions import Share, difference

MEASURES = {
    "approval": "approved",
    "false_rejection": "not approved among those who turned out good",
    "false_approval": "approved among those who turned out bad",
}
"""The shares that are compared with those of all other groups, in words."""

AUC = METRICS["probability"]["auc"]


@dataclass(frozen=True)
class Group:
    """The cases of one group. actual: the share of yes; predicted: mean P(yes). shares, differences: measure → its
    share, and that minus the share of all other groups. auc: None with fewer than `fewest` cases of either answer."""

    name: str
    cases: int
    actual: Share
    predicted: float
    shares: dict[str, Share]
    differences: dict[str, Comparison]
    auc: Interval | None


@dataclass(frozen=True)
class Fairness:
    """columns: private column → its groups, empty where there were not two large enough; docs: what it means.
    candidate: whose answers; cut_off: the highest P(yes) that is approved; approved: how many of the cases are."""

    candidate: str
    cut_off: float
    approved: int
    fewest: int
    columns: dict[str, tuple[Group, ...]]
    docs: dict[str, str]


@dataclass(frozen=True)
class _Answered:
    """The judging cases: actual (n,), predicted (n,), approved (n,)."""

    actual: Array
    predicted: Array
    approved: NDArray[np.bool_]


def fairness(
    learnt: Learnt, vault: Vault, private: Mapping[str, CaseColumn], settings: CaseSettings
) -> Fairness | None:
    """What the chosen candidate does to groups of the judging cases; None where there is no private column, or no model
    answers. Raises InputError where the vault cannot be opened with this key."""
    found = learnt.judgement
    if not private or found.abstains:
        return None
    actual, predicted = learnt.answers.actual, learnt.answers.predicted[found.chosen]
    cut_off = _cut_off(actual, predicted, settings)
    answered = _Answered(actual, predicted, predicted <= cut_off)
    cells = _private_cells(vault, learnt)
    fewest = settings.fairness.fewest
    groups = {name: groups_of(cells[name], column, fewest) for name, column in private.items()}
    columns = {name: _judged(each, answered, settings) for name, each in groups.items()}
    docs = {name: column.doc for name, column in private.items()}
    return Fairness(found.chosen, cut_off, int(answered.approved.sum()), fewest, columns, docs)


def _cut_off(actual: Array, predicted: Array, settings: CaseSettings) -> float:
    """That of the settings; without one, as many cases are approved as turned out good (more where some are tied)."""
    if settings.fairness.cut_off is not None:
        return settings.fairness.cut_off
    good = int((actual == 0).sum())
    return float(np.sort(predicted)[good - 1]) if good else -np.inf


def _private_cells(vault: Vault, learnt: Learnt) -> pa.Table:
    """The private columns of the judging cases, in their order."""
    sealed = vault.read(PRIVATE)
    ids = learnt.cases.ids.take(pa.array(learnt.answers.rows))
    return sealed.take(pc.index_in(ids, sealed["case_id"].combine_chunks()))


def _judged(groups: Mapping[str, Rows], answered: _Answered, settings: CaseSettings) -> tuple[Group, ...]:
    return tuple(_group(name, rows, answered, settings) for name, rows in groups.items())


def _group(name: str, rows: Rows, answered: _Answered, settings: CaseSettings) -> Group:
    rest = np.setdiff1d(np.arange(len(answered.actual)), rows)
    own, others = _shares(answered, rows), _shares(answered, rest)
    actual, predicted = answered.actual[rows], answered.predicted[rows]
    return Group(
        name,
        len(rows),
        Share(int(actual.sum()), len(rows)),
        float(predicted.mean()),
        own,
        {measure: difference(own[measure], others[measure]) for measure in MEASURES},
        _auc(actual, predicted, settings),
    )


def _shares(answered: _Answered, rows: Rows) -> dict[str, Share]:
    approved, bad = answered.approved[rows], answered.actual[rows] == 1
    return {
        "approval": Share(int(approved.sum()), len(rows)),
        "false_rejection": Share(int((~approved & ~bad).sum()), int((~bad).sum())),
        "false_approval": Share(int((approved & bad).sum()), int(bad.sum())),
    }


def _auc(actual: Array, predicted: Array, settings: CaseSettings) -> Interval | None:
    if min(actual.sum(), len(actual) - actual.sum()) < settings.fairness.fewest:
        return None
    once, numbers = np.zeros(len(actual), np.int8), np.arange(len(actual), dtype=np.int32)
    resampled = Resampled.of(once, numbers, actual, {"p": predicted}, settings.resamples, settings.seed)
    return Interval(AUC(actual, predicted, np.ones(len(actual))), *interval(resampled.draws("auc", "p")))
