"""Golden answers: what a release said when it was made, kept in it, so that whoever loads it finds out whether it still
says so: with other libraries, on another machine, by newly compiled loops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from features.catalogue import POSITION
from features.catalogue.confidential import CONFIDENTIAL
from features.errors import InputError
from features.workspace import damaged

Array = NDArray[np.float64]

FILE = "golden.npz"
ROWS = 64
TOLERANCE = 1e-9
"""Relative: libraries may round the last digits otherwise."""

Scored = Callable[[Array], Mapping[str, Array]]


def golden_rows(base: Array, seed: int) -> Array:
    """Rows (ROWS, features) to ask, each column drawn by itself from the base (n, features): like customers, and
    nobody's. Of what a customer must not learn of, they have nothing."""
    draw = np.random.default_rng(seed)
    rows = np.column_stack([base[draw.integers(0, len(base), ROWS), i] for i in range(base.shape[1])])
    rows[:, sorted(POSITION[name] for name in CONFIDENTIAL)] = np.nan
    return rows


def write_golden(folder: Path, rows: Array, answers: Mapping[str, Array]) -> None:
    """Keep rows and what was answered: name → (ROWS,)."""
    arrays: dict[str, Any] = {"rows": rows, **answers}
    np.savez(folder / FILE, **arrays)


def check_golden(folder: Path, score: Scored, name: str) -> None:
    """Ask again. Raises InputError where an answer is another; nothing where a release has none (of before there were
    any). name: what the folder is called in errors."""
    path = folder / FILE
    if not path.exists():
        return
    try:
        with np.load(path, allow_pickle=False) as found:
            wanted = {each: found[each] for each in found.files if each != "rows"}
            rows = found["rows"]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise damaged(path, error) from None
    answers = score(rows)
    for output, was in wanted.items():
        now = answers[output]
        if not np.allclose(now, was, rtol=TOLERANCE, atol=0.0, equal_nan=True):
            raise InputError(
                f"{name}: {FILE}",
                f"other answers for {output} than when it was made",
                "the same to nine digits",
                "Install the libraries of requirements.lock, or train a release here.",
            )
