"""When a PSI is an alarm: larger than .10, and larger than chance and the column's own past explain.

Consecutive months share most of their customers, so that the PSI of two months is far smaller than that of two
samples; on the other hand seasons and growth move some columns every month. Neither has a table. Each column is
therefore compared with its own PSI of past months, on the logarithm, by a t test of one new observation whose variance
is moderated over the columns (Smyth 2004). A rank among twelve months could not go below 1/13 and would never survive
the correction for a hundred columns; hence a parametric test. The two largest of a history are set aside (one, below
nine months), so that one Christmas, which moves a column away and back, does not blind it for a year; mean and variance
are those of the normal distribution of which the rest is the lower part (Cohen 1959), and the next Christmas is
compared with the last. Where the samples share nobody, chance alone has a table, PSI ~ (1/n + 1/m) χ²(B − 1), and must
be excluded, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import digamma, polygamma

from training.drift.bins import Counts, occupied, psi

Array = NDArray[np.float64]

SMALLEST = 0.10
"""A PSI below this is no alarm, however certain."""

LEVEL = 0.01
"""The share of false alarms among all alarms (Benjamini & Hochberg 1995)."""

MONTHS = 6
"""Fewer past PSI say too little."""

TINY = 0.001
"""The least that is added to a PSI before its logarithm is taken; in small samples it is the mean PSI of two samples of
different customers. Below it nothing is told apart."""

AGAIN = 1.5
"""A PSI below so many times that of the same month a year ago is the season."""

NARROWEST = 0.05
"""The smallest standard deviation of log PSI that is believed."""


@dataclass(frozen=True)
class Compared:
    """A column's two samples in the same bins. history: its PSI of past periods, oldest first, those that may be
    compared with this one; disjoint: whether the samples share no customer; why_not: why it is not judged, if so;
    year_ago: the PSI of the same period of the year before, if it is known."""

    name: str
    reference: Counts
    live: Counts
    history: tuple[float, ...] = ()
    disjoint: bool = False
    why_not: str = ""
    year_ago: float | None = None


@dataclass(frozen=True)
class Movement:
    """How far a column moved. usual: the tenth and the ninetieth percentile of its history, None without one;
    p, q: None where it is not judged; why_not: why it
    is not judged, or why it is no alarm although it moved."""

    name: str
    psi: float | None
    usual: tuple[float, float] | None
    p: float | None
    q: float | None
    alarm: bool
    why_not: str
    history: tuple[float, ...]

    @property
    def sentence(self) -> str:
        """For people: "recency_days moved: PSI 0.31, usually 0.02 to 0.05"."""
        if self.psi is None:
            return f"{self.name} cannot be compared: a sample is empty"
        often = ""
        if self.usual:
            quiet = self.usual[1] < 0.01
            often = ", usually below 0.01" if quiet else f", usually {self.usual[0]:.2f} to {self.usual[1]:.2f}"
        verb = "moved" if self.alarm else "is as usual" if self.p is not None else "is not judged"
        return f"{self.name} {verb}: PSI {self.psi:.2f}{often}" + (f" ({self.why_not})" if self.why_not else "")


def judge(columns: Sequence[Compared]) -> list[Movement]:
    """The verdict on all columns together, in their order.

    A column that has never had a second value is not counted among those that are tested.
    """
    found = [psi(each.reference, each.live) for each in columns]
    tiny = np.array([_tiny(each.reference, each.live) for each in columns])
    p = history_p([() if each.why_not else each.history for each in columns], np.array(found), tiny)
    for i, each in enumerate(columns):
        if each.disjoint and not each.why_not:
            p[i] = np.fmax(p[i], chance(found[i], each.reference, each.live))
    still = [not value > 0 and not any(each.history) for value, each in zip(found, columns, strict=True)]
    tested = np.isfinite(p) & ~np.array(still, bool)
    q = np.full(len(columns), np.nan)
    q[tested] = stats.false_discovery_control(p[tested]) if tested.any() else []
    return [_movement(each, found[i], p[i], q[i], still[i]) for i, each in enumerate(columns)]


def chance(value: float, reference: Counts, live: Counts) -> float:
    """P(a PSI at least as large) when two samples of different customers come from one distribution.

    PSI ~ (1/n + 1/m) χ²(B − 1), B bins that are reached (Yurdakul & Naranjo 2020). NaN where a sample is empty.
    """
    n, m = reference.sum(), live.sum()
    if not n or not m:
        return float("nan")
    return float(stats.chi2.sf(value / (1 / n + 1 / m), max(occupied(reference, live) - 1, 1)))


def _tiny(reference: Counts, live: Counts) -> float:
    n, m = max(reference.sum(), 1), max(live.sum(), 1)
    return max(TINY, float((1 / n + 1 / m) * (occupied(reference, live) - 1)))


def history_p(histories: Sequence[Sequence[float]], found: Array, tiny: Array) -> Array:
    """One-sided p of each PSI of `found` (columns,) as the next of its history, shape (columns,); NaN where there is
    too little of it. tiny (columns,): what is added before the logarithm is taken."""
    p = np.full(len(histories), np.nan)
    able = [i for i, past in enumerate(histories) if len(past) >= MONTHS and np.isfinite(found[i])]
    if not able:
        return p
    centre, spread, months = np.array([_lower_part(histories[i], tiny[i]) for i in able]).T
    variance, df = moderated(spread, months - 1)
    scale = np.sqrt(np.maximum(variance, NARROWEST**2) * (1 + 1 / months))
    p[able] = stats.t.sf((np.log(found[able] + tiny[able]) - centre) / scale, df)
    return p


def _lower_part(history: Sequence[float], tiny: float) -> tuple[float, float, int]:
    """Mean and variance of log PSI from all but the largest, and how many those are.

    Of a normal distribution cut off at z the part below has mean μ − σλ and variance σ²(1 − zλ − λ²), with
    λ = φ(z) / Φ(z) (Cohen 1959, Technometrics 1(3)).
    """
    logs = np.sort(np.log(np.array(history) + tiny))
    rest = logs[: -2 if logs.size >= 9 else -1]
    z = stats.norm.ppf(rest.size / logs.size)
    hazard = stats.norm.pdf(z) * logs.size / rest.size
    variance = rest.var(ddof=1) / (1 - z * hazard - hazard**2)
    return float(rest.mean() + hazard * np.sqrt(variance)), float(variance), rest.size


def moderated(variance: Array, df: Array) -> tuple[Array, Array]:
    """Variances drawn towards their common centre, and their degrees of freedom; shape (columns,) each.

    Smyth (2004), Statistical Applications in Genetics and Molecular Biology 3(1), section 6.2: the prior s₀², d₀ from
    the mean and the variance of log s². Columns that never varied say nothing of the prior; with fewer than three
    others there is none, and each variance stands for itself.
    """
    able = variance > 1e-6
    if able.sum() < 3:
        return variance, df
    d = df[able]
    e = np.log(variance[able]) - digamma(d / 2) + np.log(d / 2)
    excess = float(e.var(ddof=1) - polygamma(1, d / 2).mean())
    d0 = 2 * _trigamma_inverse(excess) if excess > 1e-3 else 1e3
    s0 = float(np.exp(e.mean() + digamma(d0 / 2) - np.log(d0 / 2)))
    return (d0 * s0 + df * variance) / (d0 + df), df + d0


def _trigamma_inverse(x: float) -> float:
    """y with ψ′(y) = x > 0, by Newton's method (Smyth 2004, appendix)."""
    y = 0.5 + 1 / x
    for _ in range(50):
        trigamma = float(polygamma(1, y))
        step = trigamma * (1 - trigamma / x) / float(polygamma(2, y))
        y += step
        if abs(step) < 1e-9 * y:
            break
    return y


def _movement(each: Compared, value: float, p: float, q: float, still: bool) -> Movement:
    empty = not np.isfinite(value)
    usual = tuple(float(x) for x in np.percentile(each.history, [10, 90])) if each.history else None
    found = Movement(each.name, None if empty else value, None, None, None, False, each.why_not, each.history)
    if usual is not None:
        found = replace(found, usual=(usual[0], usual[1]))
    if still and not empty:
        return replace(found, why_not=each.why_not or "it has one value only")
    if not np.isfinite(p):
        return replace(found, why_not=each.why_not or ("a sample is empty" if empty else _too_little(each)))
    moved = bool(q < LEVEL and value >= SMALLEST)
    season = moved and each.year_ago is not None and value < AGAIN * each.year_ago
    why_not = f"as a year ago: PSI {each.year_ago:.2f}" if season else ""
    return replace(found, p=float(p), q=float(q), alarm=moved and not season, why_not=why_not)


def _too_little(each: Compared) -> str:
    return f"too little history: {len(each.history)} months, {MONTHS} are needed"
