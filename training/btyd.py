"""Buy-till-you-die models of purchase timing and of spend, fitted by maximum likelihood.

Each customer is (x, t_x, T): repeat purchases, time of the last one, time observed, counted from the first purchase,
in one unit (weeks here). Because the likelihood is closed under the window's end, the chance of no purchase in
(T, T + H] is L(x, t_x, T + H) / L(x, t_x, T) for each of these models.

Sources: BG/NBD: Fader, Hardie & Lee (2005), Marketing Science 24(2). MBG/NBD: Batislam, Denizel & Filiztekin (2007),
IJRM 24(3). Pareto/NBD: Schmittlein, Morrison & Colombo (1987); likelihood as in Fader & Hardie (2005), "A note on
deriving the Pareto/NBD model". Gamma-gamma: Fader, Hardie & Lee (2005), JMR 42(4); Fader & Hardie (2013).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, hyp2f1, xlogy

Array = NDArray[np.float64]
Likelihood = Callable[[Sequence[float], Array, Array, Array], Array]

DAYS_PER_UNIT = 7.0
LOG_BOUNDS = (-8.0, 12.0)
"""The logarithms of all parameters stay here: e⁻⁸ to e¹²."""


def bg_nbd(params: Sequence[float], x: Array, t_x: Array, T: Array) -> Array:
    """BG/NBD log-likelihood per customer, params (r, α, a, b); Fader, Hardie & Lee (2005), eq. 6."""
    r, alpha, a, b = params
    A1 = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    A2 = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    A3 = -(r + x) * np.log(alpha + T)
    A4 = np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t_x)
    return np.asarray(A1 + A2 + np.where(x > 0, np.logaddexp(A3, A4), A3))


def mbg_nbd(params: Sequence[float], x: Array, t_x: Array, T: Array) -> Array:
    """MBG/NBD log-likelihood per customer, params (r, α, a, b); Batislam et al. (2007), eq. 2: dropout also at 0."""
    r, alpha, a, b = params
    A1 = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    A2 = betaln(a, b + x + 1) - betaln(a, b)
    A3 = -(r + x) * np.log(alpha + T)
    A4 = np.log(a) - np.log(b + x) - (r + x) * np.log(alpha + t_x)
    return np.asarray(A1 + A2 + np.logaddexp(A3, A4))


def pareto_nbd(params: Sequence[float], x: Array, t_x: Array, T: Array) -> Array:
    """Pareto/NBD log-likelihood per customer, params (r, α, s, β); Fader & Hardie (2005), eq. 18 and 19."""
    r, alpha, s, beta = params
    k = r + s + x
    A1 = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    alive = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
    m, distance, c = (alpha, alpha - beta, s + 1 + 0 * x) if alpha >= beta else (beta, beta - alpha, r + x)
    early = np.log(hyp2f1(k, c, k + 1, distance / (m + t_x))) - k * np.log(m + t_x)
    late = np.log(hyp2f1(k, c, k + 1, distance / (m + T))) - k * np.log(m + T)
    log_A0 = early + np.log(-np.expm1(np.minimum(late - early, -1e-14)))
    return np.asarray(A1 + np.logaddexp(alive, np.log(s) - np.log(k) + log_A0))


MODELS: dict[str, Likelihood] = {"bg_nbd": bg_nbd, "mbg_nbd": mbg_nbd, "pareto_nbd": pareto_nbd}


@dataclass(frozen=True)
class Timing:
    """A fitted model of when a customer buys; `name` is a key of MODELS, `params` as its likelihood takes them."""

    name: str
    params: tuple[float, float, float, float]

    def p_active(self, x: Array, t_x: Array, T: Array, horizon: float) -> Array:
        """P(at least one purchase in (T, T + horizon]) per customer, in (0, 1)."""
        likelihood = MODELS[self.name]
        log_silent = likelihood(self.params, x, t_x, T + horizon) - likelihood(self.params, x, t_x, T)
        return np.clip(-np.expm1(log_silent), 1e-9, 1 - 1e-9)

    def expected_purchases(self, x: Array, t_x: Array, T: Array, horizon: float) -> Array:
        """E[number of purchases in (T, T + horizon]] per customer."""
        return _EXPECTED[self.name](self.params, x, t_x, T, horizon)


def fit_timing(name: str, x: Array, t_x: Array, T: Array) -> Timing:
    """Maximum-likelihood fit; x, t_x, T of shape (customers,), customers alike are counted, not repeated.

    Raises ValueError without any repeat purchase: then no model of timing can be told from another.
    """
    if not (x > 0).any():
        raise ValueError("no customer with a second purchase")
    unique, weight = np.unique(np.column_stack([x, t_x, T]), axis=0, return_counts=True)
    columns = unique[:, 0], unique[:, 1], unique[:, 2]
    likelihood = MODELS[name]

    def loss(log_params: Array) -> float:
        with np.errstate(all="ignore"):
            each = likelihood(np.exp(log_params).tolist(), *columns)
        return float(-(weight * np.nan_to_num(each, nan=-1e4, posinf=-1e4, neginf=-1e4)).sum() / weight.sum())

    pace = np.log(np.median(T) / 4 + 1)
    starts = ([0.0, pace, 0.0, 0.5], [-1.0, np.log(np.median(T) / 10 + 1), -1.0, 1.0])
    if name == "pareto_nbd":
        starts = ([0.0, pace, -0.5, pace], [-1.0, np.log(np.median(T) / 10 + 1), -0.5, pace])
    fits = [minimize(loss, start, method="L-BFGS-B", bounds=[LOG_BOUNDS] * 4) for start in starts]
    best = min(fits, key=lambda fit: float(fit.fun))
    r, alpha, a, b = (float(p) for p in np.exp(best.x))
    return Timing(name, (r, alpha, a, b))


def _expected_bg(params: Sequence[float], x: Array, t_x: Array, T: Array, horizon: float) -> Array:
    """Fader, Hardie & Lee (2005), eq. 10."""
    r, alpha, a, b = params
    odds = xlogy(r + x, (alpha + T) / (alpha + t_x)) + np.log(a) - np.log(b + np.maximum(x, 1) - 1)
    alive = np.where(x > 0, expit(-odds), 1.0)
    return np.asarray(alive * _expected_alive(r + x, alpha + T, a, b + x, horizon))


def _expected_mbg(params: Sequence[float], x: Array, t_x: Array, T: Array, horizon: float) -> Array:
    """As BG/NBD, with a chance to drop out before the first repeat purchase: p ~ Beta(a, b + x + 1) when alive."""
    r, alpha, a, b = params
    odds = xlogy(r + x, (alpha + T) / (alpha + t_x)) + np.log(a) - np.log(b + x)
    # The next purchase comes before the next chance to drop out, so the first of the horizon is certain to be counted.
    return np.asarray(expit(-odds) * _expected_alive(r + x, alpha + T, a, b + x + 1, horizon))


def _expected_alive(shape: Array, rate: Array, a: float, b: Array, horizon: float) -> Array:
    """E[purchases in the horizon | alive], λ ~ Gamma(shape, rate), p ~ Beta(a, b): E[(1 − e^(−λpH)) / p]."""
    a = a + 1e-6 if abs(a - 1) < 1e-6 else a
    z = horizon / (rate + horizon)
    return np.asarray((a + b - 1) / (a - 1) * (1 - (rate / (rate + horizon)) ** shape * hyp2f1(shape, b, a + b - 1, z)))


def _expected_pareto(params: Sequence[float], x: Array, t_x: Array, T: Array, horizon: float) -> Array:
    """Fader & Hardie (2005), eq. 41."""
    r, alpha, s, beta = params
    s = s + 1e-6 if abs(s - 1) < 1e-6 else s
    log_alive = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    log_alive = log_alive - (r + x) * np.log(alpha + T) - s * np.log(beta + T) - pareto_nbd(params, x, t_x, T)
    expected = (r + x) * (beta + T) / ((alpha + T) * (s - 1)) * (1 - ((beta + T) / (beta + T + horizon)) ** (s - 1))
    return np.asarray(np.exp(np.minimum(log_alive, 0)) * expected)


_EXPECTED = {"bg_nbd": _expected_bg, "mbg_nbd": _expected_mbg, "pareto_nbd": _expected_pareto}


@dataclass(frozen=True)
class Spend:
    """A fitted gamma-gamma model: the mean amount of a purchase, given x purchases of mean m. params (p, q, γ)."""

    params: tuple[float, float, float]
    scale: float

    def expected_mean(self, x: Array, m: Array) -> Array:
        """E[mean amount of a purchase] per customer, in the unit of m; the population's mean where x or m is 0."""
        p, q, v = self.params
        known = (x > 0) & (m > 0)
        x, m = np.where(known, x, 0.0), np.where(known, m, 0.0) / self.scale
        return np.asarray(self.scale * p * (v + x * m) / (p * x + q - 1))


def fit_spend(x: Array, m: Array) -> Spend:
    """Maximum-likelihood fit over the customers with x > 0 purchases of mean m > 0; Fader & Hardie (2013), eq. 1a.

    A ridge of .001 on the log parameters keeps the fit finite where spend hardly varies; q > 1, so that means exist.
    """
    use = (x > 0) & (m > 0)
    if use.sum() < 2:
        raise ValueError("fewer than two customers with a purchase above 0")
    x, m = x[use], m[use]
    scale = float(m.mean())
    m = m / scale

    def loss(log_params: Array) -> float:
        p, q, v = np.exp(log_params)
        each = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v)
        each = each + (p * x - 1) * np.log(m) + p * x * np.log(x) - (p * x + q) * np.log(x * m + v)
        return float(-each.mean() + 0.001 * np.square(log_params).sum())

    fit = minimize(loss, [0.5, 1.0, 0.5], method="L-BFGS-B", bounds=[(-5, 6), (0.05, 6), (-5, 8)])
    p, q, v = (float(value) for value in np.exp(fit.x))
    return Spend((p, q, v), scale)
