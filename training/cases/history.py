"""The baseline of those who bill the same customers again and again: each goes on as before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from training.threads import one_thread

Array = NDArray[np.float64]

OWN_HISTORY = "own_history"
"""The candidate that looks at the customer's own share of yes so far; it is compared with, and never chosen."""

NEAREST = 0.01
"""A share of 0 or 1 is taken to be so far from it."""


def own_history(share: Array, label: Array, asked: Array) -> Array:
    """P(yes), shape (m,), of cases whose customers had `asked` (m,) as their share of yes; NaN: no case so far.

    share, label (n,): of the training cases. The log-odds of the share with a level and a slope (Platt 1999), so that
    the order is that of the shares (or its reverse, where those late so far are the punctual ones now); who has no
    history gets the rate of the training cases without one.
    """
    known = ~np.isnan(share)
    first = label[~known] if (~known).any() else label
    answers = np.full(len(asked), float(first.mean()))
    there = ~np.isnan(asked)
    if not there.any():
        return answers
    if known.sum() < 2 or label[known].min() == label[known].max():
        answers[there] = float(label[known].mean()) if known.any() else float(label.mean())
        return answers
    with one_thread():
        fitted = LogisticRegression(C=1e6).fit(_odds(share[known])[:, None], label[known])
    answers[there] = fitted.predict_proba(_odds(asked[there])[:, None])[:, 1]
    return answers


def _odds(share: Array) -> Array:
    return np.asarray(logit(np.clip(share, NEAREST, 1 - NEAREST)))
