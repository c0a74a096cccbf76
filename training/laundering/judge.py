"""All candidates on the same accounts in the same folds: chosen in some folds, judged in others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.progress import Progress, silent
from features.workspace import finite
from training.bootstrap import interval
from training.cases.encoder import fit_encoder
from training.cases.model import FIT, RULES, fit_parts
from training.cases.plan import Cut, folds
from training.cases.question import Kind
from training.cases.settings import CaseSettings
from training.laundering.accounts import Accounts
from training.laundering.budget import Array, Estimate, estimates, measure
from training.laundering.settings import RankSettings
from training.metrics import Comparison

DECIDES = "average_precision"
CANDIDATES: dict[str, tuple[str, ...]] = {
    "lightgbm": ("lightgbm",),
    "blend": ("lightgbm", "logistic"),
    "logistic": ("logistic",),
    RULES: (),
}
"""Candidate → its parts, whose log-odds are averaged. The rules are no model: see `Accounts.rules`."""


@dataclass(frozen=True)
class Judgement:
    """earlier: candidate → average precision in the choosing folds; chosen: the best there. abstains: why the rules
    rank instead; empty when a model does. metrics: candidate → metric → its interval in the judging folds, empty where
    nothing was judged; against_rules: metric → the chosen one minus the rules."""

    accounts: int
    reported: int
    folds: int
    earlier: dict[str, float]
    chosen: str
    abstains: str
    metrics: dict[str, dict[str, Estimate]]
    against_rules: dict[str, Comparison]

    def named(self) -> dict[str, float]:
        """The metrics under the names they have in MLflow: of all accounts together, never of one."""
        found = {f"earlier_{DECIDES}_{name}": value for name, value in self.earlier.items()}
        for candidate, metrics in self.metrics.items():
            found |= {f"cv_{name}_{candidate}": each.value for name, each in metrics.items()}
        for name, each in self.metrics.get(self.chosen, {}).items():
            found |= {f"cv_{name}": each.value, f"cv_{name}_low": each.low, f"cv_{name}_high": each.high}
        for name, difference in self.against_rules.items():
            found |= {f"cv_{name}_vs_rules_{side}": value for side, value in asdict(difference).items()}
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def to_json(self) -> dict[str, Any]:
        """Plain values; null where a metric is undefined."""
        found: dict[str, Any] = finite(asdict(self))
        return found


def kinds_of(accounts: Accounts) -> dict[str, Kind]:
    """Every feature is a number."""
    return dict.fromkeys(accounts.table.column_names, "number")


def judge(
    accounts: Accounts, settings: RankSettings, fit: CaseSettings, progress: Progress = silent
) -> tuple[Judgement, Mapping[str, Array]]:
    """Fit all candidates on the training accounts of every fold, and let them rank its test accounts.

    Folds are by account: of a test account nothing is learnt but that others had transfers with it. Returns the
    judgement and candidate → score of every account in the judging folds; none where too few were reported.
    """
    reported, rows = int(accounts.reported.sum()), np.arange(len(accounts))
    if min(reported, len(accounts) - reported) < settings.fewest_reported:
        reason = (
            f"{reported} of {len(accounts)} accounts were reported, {settings.fewest_reported} are needed of each side"
        )
        return Judgement(len(accounts), reported, fit.folds, {}, RULES, reason, {}, {}), {}
    found = []
    for again in (0, 1):
        cuts = folds(rows, accounts.reported, fit.folds, fit.seed + again)
        scores = {name: np.empty(len(accounts)) for name in CANDIDATES}
        for done, cut in enumerate(cuts):
            progress("fit and judge", again * fit.folds + done, 2 * fit.folds)
            for name, answers in _answers(accounts, cut, fit).items():
                scores[name][cut.test] = answers
        found.append(scores)
    progress("fit and judge", 2 * fit.folds, 2 * fit.folds)
    once = np.ones(len(accounts))
    earlier = {name: measure(accounts.reported, score, ())(once)[DECIDES] for name, score in found[0].items()}
    chosen = max(earlier, key=lambda name: earlier[name])
    return _judged(accounts, found[1], earlier, chosen, settings, fit), found[1]


def _answers(accounts: Accounts, cut: Cut, fit: CaseSettings) -> dict[str, Array]:
    train = accounts.table.take(cut.train)
    encoder = fit_encoder(train, kinds_of(accounts), fit.rare)
    wanted = [name for name in FIT if any(name in parts for parts in CANDIDATES.values())]
    parts = fit_parts(wanted, encoder, encoder.matrix(train), accounts.reported[cut.train], fit)
    asked = encoder.matrix(accounts.table.take(cut.test))
    log_odds = {name: part.log_odds(asked) for name, part in parts.items()}
    ranked = {name: np.mean([log_odds[part] for part in parts], axis=0) for name, parts in CANDIDATES.items() if parts}
    return ranked | {RULES: accounts.rules[cut.test]}


def _judged(
    accounts: Accounts, scores: Mapping[str, Array], earlier: dict[str, float], chosen: str, settings: RankSettings,
    fit: CaseSettings,
) -> Judgement:  # fmt: skip
    found = {
        name: estimates(accounts.reported, score, settings.budgets, fit.resamples, fit.seed)
        for name, score in scores.items()
    }
    metrics = {name: each for name, (each, _) in found.items()}
    own, rules = found[chosen][1], found[RULES][1]
    against = {
        name: Comparison(metrics[chosen][name].value - metrics[RULES][name].value, *interval(own[name] - rules[name]))
        for name in own
    }
    abstains = "the rules alone rank best" if chosen == RULES else ""
    reported = int(accounts.reported.sum())
    return Judgement(len(accounts), reported, fit.folds, earlier, chosen, abstains, metrics, against)
