"""Do two tools give the same feature rows?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

NEARLY_NOTHING = 1e-6
"""Differences are relative to the larger of both values, but at least to this: an entropy of 1e-17 is 0."""


def differences(a: Path, b: Path) -> dict[str, float]:
    """Column → largest relative difference between the feature rows of two files or directories.

    Rows are matched by customer and date; inf where nulls or rows differ. Columns that only one side has are left out.
    """
    left, right = (
        pq.read_table(path).sort_by([("as_of", "ascending"), ("customer_id", "ascending")]) for path in (a, b)
    )
    names = [name for name in left.column_names if name in right.column_names and name not in ("customer_id", "as_of")]
    if left.num_rows != right.num_rows or any(
        not left[key].cast("string").equals(right[key].cast("string")) for key in ("customer_id", "as_of")
    ):
        return dict.fromkeys(names, np.inf)
    return {
        name: _difference(*(table[name].to_numpy(zero_copy_only=False).astype(float) for table in (left, right)))
        for name in names
    }


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return np.inf
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    scale = np.maximum(np.maximum(np.abs(a), np.abs(b)), NEARLY_NOTHING)
    return float(np.max(np.abs(a - b) / scale, initial=0.0))
