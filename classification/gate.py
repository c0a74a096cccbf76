"""The gate: what a challenger must show before it goes live.

It is judged on the test cuts, by recipes that were fitted without them. Against the best baseline no task may be
worse. Against the champion a *routine retrain* (the same recipe on newer data) has nothing to show but that. A *new
recipe* must be better: on at least one task the deciding metric is higher with its 95 % interval above zero, or it
answers a task that the champion does not; and on no task is it worse. Were every task to be better, a recipe that
helps one question and leaves the others as they are could never go live.

Not worse than the champion: the lower one-sided 95 % bound of the difference lies above −margin; where the customers
are too few for that (the bound lies further than the margin below the difference), the difference itself does. So that
small losses cannot add up, the challenger may lie at most `year` below the best recipe that was live in the last
twelve months. What is tested for being worse (baselines, log-loss; slices) is tested by the procedure of Holm (1979),
the tasks and the slices as one family each, with normal p-values from the bootstrap's standard error, against a
difference that is too small to matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import erf, isnan, nan, sqrt
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from classification.evidence import CANDIDATE, Evidence
from classification.gate_report import Check, GateReport
from features.config import Config
from training.bootstrap import Resampled, interval

Share = Annotated[float, Field(ge=0, le=1)]
RELEASE = "release"
"""What checks of the whole release have in the place of a task."""
SLICE_RESAMPLES = 500
"""Enough for a standard error."""


class GateSettings(Config):
    """How much worse is worse: section `gate` of configs/training.yaml."""

    margin: dict[str, Share] = Field(default={"auc": 0.003, "ngini": 0.005})
    year: Share = 0.005
    tolerance: Share = 0.002
    log_loss: Annotated[float, Field(ge=0)] = 0.001
    ece: Share = 0.05
    bias: tuple[float, float] = (0.85, 1.15)
    slices: tuple[str, ...] = ("region", "industry", "country")
    fewest_in_slice: Annotated[int, Field(ge=1)] = 500
    reassigned: Share = 0.20
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    resamples: Annotated[int, Field(ge=100)] = 2_000
    seed: int = 0


@dataclass(frozen=True)
class Standing:
    """What the gate must know of both releases. champion: None before the first; tasks, champion_tasks: what each
    answers; reassigned: share of customers whose segment is another one, None where there is nothing to compare."""

    champion: int | None
    tasks: frozenset[str]
    champion_tasks: frozenset[str] = frozenset()
    reassigned: float | None = None


@dataclass(frozen=True)
class _Suspicion:
    """A check that fails when Holm's procedure finds it worse."""

    check: Check
    p: float


def gate(evidence: Sequence[Evidence], standing: Standing, settings: GateSettings) -> GateReport:
    """Judge a challenger by its predictions; the same evidence gives the same report."""
    found = [(each, each.resampled(settings.resamples, settings.seed)) for each in evidence]
    checks = [_kept(standing)] if standing.champion is not None else []
    checks += _gain(found, standing, settings)
    worse: list[_Suspicion] = []
    slices: list[_Suspicion] = []
    for each, drawn in found:
        worse += _against_baselines(each, drawn, settings)
        worse += _log_loss(each, drawn, standing, settings)
        checks += _against_releases(each, drawn, standing, settings)
        checks += _calibrated(each, drawn, settings)
        slices += _slices(each, standing, settings)
    if standing.reassigned is not None:
        share, most = standing.reassigned, settings.reassigned
        checks.append(Check("segments", "customers in another segment", share, nan, nan, f"≤ {most:g}", share <= most))
    checks += [*_by_holm(worse, settings.alpha), *_by_holm(slices, settings.alpha)]
    order = {task: i for i, task in enumerate([RELEASE, *(each.task for each in evidence)])}
    return GateReport(standing.champion, tuple(sorted(checks, key=lambda check: order.get(check.task, len(order)))))


def _kept(standing: Standing) -> Check:
    lost = sorted(standing.champion_tasks - standing.tasks)
    said = f"no task of version {standing.champion} lost" + (f": {', '.join(lost)}" if lost else "")
    return Check(RELEASE, said, float(len(lost)), nan, nan, "0", not lost)


def _gain(found: Sequence[tuple[Evidence, Resampled]], standing: Standing, settings: GateSettings) -> list[Check]:
    """A new recipe is better somewhere; nothing is asked of the first release or of a routine retrain."""
    champion = standing.champion
    compared = [(e, r) for e, r in found if champion in e.releases]
    if champion is None or not compared:
        return []
    differences = [r.differences(e.metric, CANDIDATE, e.releases[champion]) for e, r in compared]
    adjusted = holm([p_above(point, draws) for point, draws in differences])
    better = {
        e.task
        for (e, _), (_, draws), p in zip(compared, differences, adjusted, strict=True)
        if interval(draws)[0] > 0 and p <= settings.alpha / 2
    }
    better |= standing.tasks - standing.champion_tasks
    said = f"tasks better than the recipe of version {champion}, or new"
    said += f": {', '.join(sorted(better))}" if better else ""
    return [Check(RELEASE, said, float(len(better)), nan, nan, "≥ 1", bool(better), min(adjusted))]


def _against_baselines(each: Evidence, drawn: Resampled, settings: GateSettings) -> list[_Suspicion]:
    if not each.baselines:
        return []
    best = max(each.baselines, key=lambda name: _or_worst(drawn.point(each.metric, name)))
    return [_suspicion(each.task, each.metric, drawn, best, best, settings.tolerance)]


def _log_loss(each: Evidence, drawn: Resampled, standing: Standing, settings: GateSettings) -> list[_Suspicion]:
    if each.predicts != "probability":
        return []
    proper = [name for name in each.baselines if _is_probability(each.columns[name])]
    best = sorted(proper, key=lambda name: drawn.point("log_loss", name))[:1]
    rivals = {name: name for name in best}
    if standing.champion in each.releases:
        rivals[f"version {standing.champion}"] = each.releases[standing.champion]
    least = settings.log_loss
    return [_suspicion(each.task, "log_loss", drawn, name, rival, least, -1) for name, rival in rivals.items()]


def _against_releases(each: Evidence, drawn: Resampled, standing: Standing, settings: GateSettings) -> list[Check]:
    """Not worse than the champion's recipe, and not far below the best recipe of the year."""
    metric, found = each.metric, []
    champion = standing.champion
    if champion in each.releases:
        point, draws = drawn.differences(metric, CANDIDATE, each.releases[champion])
        low, margin = interval(draws, 0.90)[0], settings.margin[metric]
        holds = low > -margin if point - low <= margin else point >= -margin
        said = f"{metric} against version {champion}"
        found.append(Check(each.task, said, point, *interval(draws), f"not worse by {margin:g}", holds))
    if each.releases:
        scores = {version: drawn.point(metric, name) for version, name in each.releases.items()}
        best = max(scores, key=lambda version: _or_worst(scores[version]))
        point, draws = drawn.differences(metric, CANDIDATE, each.releases[best])
        said = f"{metric} against version {best}, the best of twelve months"
        found.append(Check(each.task, said, point, *interval(draws), f"≥ −{settings.year:g}", point >= -settings.year))
    return found


def _calibrated(each: Evidence, drawn: Resampled, settings: GateSettings) -> list[Check]:
    """In its band, or not provably outside. Resampling adds noise to ECE, which noise only raises: its interval is the
    reflected one (Efron & Tibshirani 1993, 13.4), which takes that off again."""
    if each.predicts == "probability":
        point, (low, high) = drawn.point("ece", CANDIDATE), interval(drawn.draws("ece", CANDIDATE))
        low, high = max(2 * point - high, 0.0), max(2 * point - low, 0.0)
        return [Check(each.task, "ece", point, low, high, f"≤ {settings.ece:g}", low <= settings.ece)]
    point, (low, high) = drawn.point("bias", CANDIDATE), interval(drawn.draws("bias", CANDIDATE))
    least, most = settings.bias
    return [Check(each.task, "bias", point, low, high, f"{least:g} to {most:g}", low <= most and high >= least)]


def _slices(each: Evidence, standing: Standing, settings: GateSettings) -> list[_Suspicion]:
    """Each slice against the champion's recipe; against the best baseline while nothing is live."""
    if standing.champion in each.releases:
        rival, name = each.releases[standing.champion], f"version {standing.champion}"
    elif standing.champion is None and each.baselines:
        drawn = each.resampled(1, settings.seed)
        rival = name = max(each.baselines, key=lambda name: _or_worst(drawn.point(each.metric, name)))
    else:
        return []
    found = []
    for part, rows in each.members(settings.fewest_in_slice).items():
        drawn = each.resampled(SLICE_RESAMPLES, settings.seed, rows)
        suspicion = _suspicion(each.task, each.metric, drawn, name, rival, settings.tolerance)
        if not isnan(suspicion.check.measured):  # a slice without a single churned customer has no AUC
            found.append(_Suspicion(replace(suspicion.check, part=part), suspicion.p))
    return found


def _suspicion(
    task: str, metric: str, drawn: Resampled, name: str, rival: str, tolerance: float, sign: int = 1
) -> _Suspicion:
    """Is the candidate worse by more than `tolerance`? sign: −1 where less is better."""
    point, draws = drawn.differences(metric, CANDIDATE, rival)
    bound = f"not worse by {tolerance:g}"
    check = Check(task, f"{metric} against {name}", point, *interval(draws), bound, not isnan(point))
    return _Suspicion(check, p_above(-sign * point - tolerance, draws))


def _by_holm(suspicions: Sequence[_Suspicion], alpha: float) -> list[Check]:
    adjusted = holm([each.p for each in suspicions])
    return [each.check.at(p, p > alpha) for each, p in zip(suspicions, adjusted, strict=True)]


def p_above(point: float, draws: NDArray[np.float64]) -> float:
    """One-sided p-value of an estimate ≤ 0, normal, with the standard deviation of its bootstrap; 1 where undefined."""
    spread = float(np.nanstd(draws)) if (~np.isnan(draws)).any() else nan
    if isnan(point) or isnan(spread):
        return 1.0
    if spread == 0:
        return 0.0 if point > 0 else 1.0
    return 0.5 * (1 - erf(point / spread / sqrt(2)))


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values, to be compared with alpha; Holm (1979), Scandinavian Journal of Statistics 6."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    found, most = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        most = max(most, min((len(p) - rank) * p[i], 1.0))
        found[i] = most
    return found


def _or_worst(score: float) -> float:
    return -np.inf if isnan(score) else score


def _is_probability(column: NDArray[np.float64]) -> bool:
    return bool(((column >= 0) & (column <= 1)).all())
