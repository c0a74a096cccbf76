"""The compiled formulas say what those say that the models are fitted with."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import hyp2f1

from training.btyd import Spend, Timing
from training.mbg import expected_mean, expected_purchases, hypergeometric, p_active

param = st.floats(0.05, 40)


@settings(deadline=None)
@given(
    st.tuples(param, param, param, param), st.integers(0, 200), st.floats(0, 1), st.floats(0.15, 600), st.floats(1, 60)
)
def test_timing_is_the_models(
    params: tuple[float, float, float, float], x: int, part: float, T: float, horizon: float
) -> None:
    """Chance and count, from a first purchase yesterday to ten years ago."""
    t_x = part * T if x else 0.0
    timing = Timing("mbg_nbd", params)
    one = np.array([float(x)]), np.array([t_x]), np.array([T])
    chance, count = timing.p_active(*one, horizon)[0], timing.expected_purchases(*one, horizon)[0]
    assert abs(p_active(np.array(params), x, t_x, T, horizon) - chance) < 1e-10
    assert np.isclose(expected_purchases(np.array(params), x, t_x, T, horizon), count, rtol=1e-7, atol=1e-9)


@settings(deadline=None)
@given(param, param, st.floats(0.1, 80), st.floats(0, 0.995))
def test_the_series_is_the_function(a: float, b: float, more: float, z: float) -> None:
    """Up to a horizon two hundred times as long as what was observed."""
    wanted = hyp2f1(a, b, a + more, z)
    if np.isfinite(wanted) and wanted < 1e200:
        assert np.isclose(hypergeometric(a, b, a + more, z), wanted, rtol=1e-9)


@given(st.tuples(param, st.floats(1.05, 40), param), st.integers(0, 50), st.floats(-10, 1e6))
def test_the_mean_amount_is_the_models(params: tuple[float, float, float], x: int, m: float) -> None:
    """That of the population for who has no amounts, too."""
    wanted = Spend(params, 250.0).expected_mean(np.array([float(x)]), np.array([m]))[0]
    assert np.isclose(expected_mean(np.array([*params, 250.0]), float(x), m), wanted, rtol=1e-12)
    assert np.isnan(expected_mean(np.full(4, np.nan), float(x), m))
