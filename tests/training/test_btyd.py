"""The published parameters, and the parameters a simulation was made with."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.conftest import real_data
from training.btyd import MODELS, Timing, fit_spend, fit_timing

PUBLISHED = {"bg_nbd": (0.243, 4.414, 0.793, 2.426), "pareto_nbd": (0.553, 10.578, 0.606, 11.669)}
"""Fader, Hardie & Lee (2005), table 2, on the 1/10 sample of CDNOW, 39 weeks."""


@pytest.mark.real
@pytest.mark.parametrize("name", PUBLISHED)
def test_cdnow_gives_the_published_parameters(name: str) -> None:
    """To the three decimals that were published."""
    found = pd.read_csv(real_data("cdnow/cdnow_customers_summary.csv.gz") / "cdnow_customers_summary.csv.gz")
    x, t_x, T = (found[column].to_numpy(float) for column in ("frequency", "recency", "T"))
    assert fit_timing(name, x, t_x, T).params == pytest.approx(
        PUBLISHED[name], abs=0.0055 if name == "pareto_nbd" else 6e-4
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_chance_and_the_count_are_what_a_simulation_gives(name: str) -> None:
    """P(active) and E[purchases] of the horizon, averaged, against customers who were drawn from the model."""
    truth = (0.6, 6.0, 0.9, 2.5) if name != "pareto_nbd" else (0.6, 6.0, 0.8, 12.0)
    x, t_x, T, later = _simulate(name, truth, 60_000, 40.0, 26.0, np.random.default_rng(5))
    model = Timing(name, truth)
    for some in (x == 0, x == 1, x >= 3, t_x > 30):
        noise = 4 / np.sqrt(some.sum())
        assert model.p_active(x, t_x, T, 26.0)[some].mean() == pytest.approx((later[some] > 0).mean(), abs=noise / 2)
        expected = model.expected_purchases(x, t_x, T, 26.0)[some].mean()
        assert expected == pytest.approx(later[some].mean(), abs=noise * later[some].std() + 1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_known_parameters_are_found_again(name: str) -> None:
    """The fit is at least as likely as the truth, and its mean purchase rate r / α is the truth's."""
    truth = (0.6, 6.0, 0.9, 2.5) if name != "pareto_nbd" else (0.6, 6.0, 0.8, 12.0)
    x, t_x, T, _ = _simulate(name, truth, 20_000, 60.0, 1.0, np.random.default_rng(6))
    fit = fit_timing(name, x, t_x, T)
    assert MODELS[name](fit.params, x, t_x, T).sum() >= MODELS[name](truth, x, t_x, T).sum() - 1e-3
    assert fit.params[0] / fit.params[1] == pytest.approx(0.1, rel=0.08)


def test_a_base_without_a_second_purchase_has_no_timing() -> None:
    """Said, not guessed."""
    with pytest.raises(ValueError, match="no customer with a second purchase"):
        fit_timing("bg_nbd", np.zeros(5), np.zeros(5), np.ones(5))


def test_gamma_gamma_shrinks_to_the_population() -> None:
    """A customer's mean amount is believed the more, the more purchases it rests on; none gives the population's."""
    rng = np.random.default_rng(1)
    nu = rng.gamma(4.0, 1 / 60, 20_000)
    x = rng.integers(1, 9, nu.size).astype(float)
    m = rng.gamma(6.0 * x) / (x * nu)
    model = fit_spend(x, m)
    p, q, v = model.params
    population = model.scale * p * v / (q - 1)
    assert population == pytest.approx(m.mean(), rel=0.03)
    few, many, none = model.expected_mean(np.array([1.0, 50.0, 0.0]), np.full(3, 3 * population))
    assert population == pytest.approx(none) and population < few < many < 3 * population
    with pytest.raises(ValueError, match="fewer than two"):
        fit_spend(np.array([1.0]), np.array([2.0]))


def _simulate(
    name: str, params: tuple[float, ...], n: int, T: float, horizon: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, t_x, T and the purchases of the horizon, drawn purchase by purchase as each model's story tells."""
    r, alpha, a, b = params
    rate = rng.gamma(r, 1 / alpha, n)
    p = rng.beta(a, b, n)
    death = rng.exponential(1 / rng.gamma(a, 1 / b, n)) if name == "pareto_nbd" else np.full(n, np.inf)
    now, alive = np.zeros(n), np.ones(n, bool)
    if name == "mbg_nbd":
        alive &= rng.random(n) >= p
    x, t_x, later = np.zeros(n), np.zeros(n), np.zeros(n)
    while alive.any():
        now = now + rng.exponential(1 / rate)
        alive &= (now <= death) & (now <= T + horizon)
        before = alive & (now <= T)
        x, t_x = x + before, np.where(before, now, t_x)
        later += alive & (now > T)
        if name != "pareto_nbd":
            alive &= rng.random(n) >= p
    return x, t_x, np.full(n, T), later
