"""Bins of one column: which cells go together, how many cases each bin has, and the weight of its evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from training.cases.encoder import FIRST, MISSING, OTHER
from training.cases.settings import ScorecardSettings

Array = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True)
class Bins:
    """Column `at` of the matrix in bins; cases, yes, woe: a number per bin, of the training cases.

    A number (or yes and no) has bin 0 where it is not known, then one up to each of `edges` (included) and one above
    them all. A category has bin 0 where it is not known, bin 1 for levels that were rare or never seen, and `groups`
    says into which bin each of its levels goes, in order of code.
    """

    at: int
    edges: tuple[float, ...] = ()
    groups: tuple[int, ...] | None = None
    cases: tuple[int, ...] = ()
    yes: tuple[int, ...] = ()
    woe: tuple[float, ...] = ()

    @property
    def many(self) -> int:
        """Number of bins."""
        return 2 + len(self.edges) if self.groups is None else max((OTHER, *self.groups)) + 1

    def place(self, cells: Array) -> Places:
        """The bin of each cell, shape (n,)."""
        if self.groups is None:
            above: Places = 1 + np.searchsorted(self.edges, cells, side="left")
            return np.asarray(np.where(np.isnan(cells), MISSING, above))
        return np.asarray(np.array([MISSING, OTHER, *self.groups])[cells.astype(int)])

    def evidence(self, cells: Array) -> Array:
        """WOE of each cell, shape (n,)."""
        return np.array(self.woe)[self.place(cells)]


def fit_bins(at: int, cells: Array, label: Array, direction: int, settings: ScorecardSettings) -> Bins:
    """Bins of a number that tell yes from no among the training cases. cells (NaN = null), label: shape (n,).

    A tree of one column makes the cuts: at most `settings.bins` leaves with `settings.smallest` of the cases each.
    direction: 1 or -1 where P(yes) may only rise or fall with the number, else 0; neighbours whose WOE runs the other
    way are merged, the worst first. The bin of null has no part in it.
    """
    found = _counted(Bins(at, edges=_cuts(cells, label, direction, settings)), cells, label, settings)
    while direction:
        steps = direction * np.diff(found.woe[1:])
        if not (steps < 0).any():
            break
        worst = int(np.argmin(steps))
        found = replace(found, edges=(*found.edges[:worst], *found.edges[worst + 1 :]))
        found = _counted(found, cells, label, settings)
    return found


def fit_groups(at: int, cells: Array, label: Array, levels: int, settings: ScorecardSettings) -> Bins:
    """Bins of a category: its levels in order of their smoothed rate of yes, cut as a number is. cells: codes (n,).

    For two classes the best grouping keeps that order (Breiman et al. 1984, theorem 4.5).
    """
    each = _counted(Bins(at, groups=tuple(range(FIRST, FIRST + levels))), cells, label, settings)
    rank = np.empty(levels)
    rank[np.argsort(each.woe[FIRST:], kind="stable")] = np.arange(levels)
    seen = cells >= FIRST
    edges = _cuts(rank[cells[seen].astype(int) - FIRST], label[seen], 1, settings)
    groups = FIRST + np.searchsorted(edges, rank, side="left")
    return _counted(Bins(at, groups=tuple(groups.tolist())), cells, label, settings)


def _cuts(cells: Array, label: Array, direction: int, settings: ScorecardSettings) -> tuple[float, ...]:
    """Upper edges of all bins but the last, half-way between two values. The tree sees the values' ranks: its single
    precision would take near values for equal."""
    known = ~np.isnan(cells)
    values, rank = np.unique(cells[known], return_inverse=True)
    if len(values) < 2:
        return ()
    tree = DecisionTreeClassifier(
        criterion="entropy",
        max_leaf_nodes=settings.bins,
        min_samples_leaf=max(1, round(settings.smallest * len(label))),
        monotonic_cst=[direction],
        random_state=0,
    ).fit(rank.reshape(-1, 1), label[known])
    below = np.unique(tree.tree_.threshold[tree.tree_.feature >= 0].astype(int))
    return tuple(_between(float(values[each]), float(values[each + 1])) for each in below)


def _between(low: float, high: float) -> float:
    """Half-way, or `low` where no double lies between."""
    middle = low / 2 + high / 2
    return middle if low <= middle < high else low


def _counted(bins: Bins, cells: Array, label: Array, settings: ScorecardSettings) -> Bins:
    """With the cases, the yes and the WOE of each bin: ln of its odds of yes over those of all cases, after `smoothing`
    cases of the overall rate were added to it; so one without training cases has WOE 0.

    Thomas 2009, section 1.5, and Siddiqi 2006, chapter 6, take the odds of good; the sign here is turned, so that what
    speaks for yes is positive.
    """
    place = bins.place(cells)
    cases = np.bincount(place, minlength=bins.many)
    yes = np.bincount(place, weights=label, minlength=bins.many)
    rate, added = label.mean(), settings.smoothing
    odds = (yes + added * rate) / (cases - yes + added * (1 - rate))
    woe = np.where(cases > 0, np.log(odds / (rate / (1 - rate))), 0.0)  # 0 itself, not what rounding leaves of it
    return replace(bins, cases=tuple(cases.tolist()), yes=tuple(yes.astype(int).tolist()), woe=tuple(woe.tolist()))
