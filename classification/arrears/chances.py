"""How likely each open invoice is to fall into arrears, as seen on a day."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.company import Company
from features.progress import Progress, silent
from features.tables.consents import read_consents
from training.arrears.fit import ArrearsModel
from training.arrears.invoice_cases import case_numbers

Array = NDArray[np.float64]


def chances(
    tables: Path, company: Company, model: ArrearsModel | None, billed: pa.Table, on: date, progress: Progress = silent
) -> Array:
    """P(arrears) of open invoices, shape (n,): by their amounts and terms and what is known of their customers before
    `on`. 1 for one that is in arrears already; NaN for a settled one, for one of a customer who objects to profiling,
    and where no model answers.

    It is that of an invoice written today: that this one has been open for a while is not in it. What follows from it
    by the payment curves is conditional on that.
    """
    found = np.full(len(billed), np.nan)
    objected = pa.array(sorted(read_consents(tables).no_profiling), pa.string())
    asked_of = ~pc.is_in(billed["customer_id"], objected).to_numpy()
    left = np.flatnonzero((billed["open"].to_numpy() > 0) & asked_of)
    if model is None or not model.model.parts or not len(left):
        return found
    mine = billed.take(left)
    asked = pa.array([on] * len(left), pa.date32())
    numbers = case_numbers(tables, company, mine, asked, progress)
    table = pa.table({name: pa.array(column, from_pandas=True) for name, column in numbers.items()})
    found[left] = model.model.predict(table)
    since = (np.datetime64(on - timedelta(days=1), "D") - mine["due"].to_numpy()).astype(int)
    found[left[since >= model.late_days]] = 1.0
    return found
