"""The credit grade of customers: what a usual invoice of theirs would be, by the model of arrears and its scorecard.

Probability by the model that is live; score, grade and reasons by the scorecard fitted to the same invoices, whose
points a person can add up. The reference limit is what the customer would usually have open, times its grade's share.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classification.credit.advice import SCHEMA
from features.company import Company
from features.errors import InputError
from features.progress import Progress, silent
from features.receivables import INVOICES, invoices
from features.tables.consents import read_consents
from features.workspace import Workspace
from training.arrears.fit import ArrearsModel
from training.arrears.invoice_cases import ONE_DAY, OWN, case_numbers, columns
from training.arrears.settings import ArrearsSettings
from training.cases.advice import advise
from training.cases.settings import CaseSettings

Array = NDArray[np.float64]

EXPOSURE = "exposure"
UNJUDGED = "no model of arrears answers: decide by what is open and by your own knowledge of the customer"


def grade_credit(
    workspace: Workspace,
    company: Company,
    model: ArrearsModel,
    on: date,
    settings: ArrearsSettings,
    cases: CaseSettings,
    progress: Progress = silent,
) -> pa.Table:
    """Advice on every customer with an invoice before `on`, columns as in `credit.advice.SCHEMA`, by pseudonym.

    Who objects to profiling is left out. Where the model abstains there is a row without probability, score and grade.
    Raises InputError where the settings lack the advice of a grade.
    """
    if missing := [grade for grade in cases.grades if grade not in settings.advice]:
        raise InputError("configs/arrears.yaml: advice", f"nothing for {missing[0]}", "a sentence for every grade")
    seen = invoices(workspace.tables, company.timezone, on)
    objected = pa.array(sorted(read_consents(workspace.tables).no_profiling), pa.string())
    seen = seen.filter(pc.invert(pc.is_in(seen["customer_id"], objected)))
    billed, exposure = usual_invoices(seen, on, settings)
    open_ = _open(seen, billed["customer_id"])
    if not model.model.parts:
        return _without_model(billed, open_)
    numbers = case_numbers(workspace.tables, company, billed, billed["invoiced"], progress)
    table = pa.table({name: pa.array(column, from_pandas=True) for name, column in numbers.items()})
    asked = cases.model_copy(update={"reasons": cases.reasons + len(OWN)})
    said = advise(model.model, model.scorecard, table.append_column(EXPOSURE, exposure), asked, EXPOSURE)
    own = {
        "customer_id": billed["customer_id"],
        **{name: said[name] for name in ("probability", "score", "grade")},
        "percentile": percentile(said["score"].to_numpy()),
        "limit": pc.round(said["reference_limit"]).cast(pa.int64()),
        "open": open_,
        "reasons": [sentences(each)[: cases.reasons] for each in said["reasons"].to_pylist()],
        "advice": [settings.advice[grade] for grade in said["grade"].to_pylist()],
    }
    return pa.table(own).cast(SCHEMA)


def usual_invoices(seen: pa.Table, on: date, settings: ArrearsSettings) -> tuple[pa.Table, pa.Array]:
    """The next invoice of each customer, written on `on`, as its own of `billing_days` were on average, or as all of
    them were where there is none; and what such a customer usually has open: its terms and the cushion of billing.

    Columns as in INVOICES, by pseudonym; exposure: minor currency units, (customers,), 0 for who was not billed lately.
    """
    since = pa.scalar(on - timedelta(days=settings.billing_days), pa.date32())
    lately = pc.greater_equal(seen["invoiced"], since)
    terms = (seen["due"].to_numpy() - seen["invoiced"].to_numpy()) / ONE_DAY
    table = pa.table({"id": seen["customer_id"], "amount": seen["amount"], "terms": terms, "lately": lately})
    both = [_means(part) for part in (table, table.filter(table["lately"]))]
    every, recent = both
    place = pc.index_in(every["id"], recent["id"].combine_chunks())
    fresh = {name: recent[name].take(place) for name in ("amount_mean", "terms_mean", "amount_sum")}
    amount, days = (pc.coalesce(fresh[name], every[name]) for name in ("amount_mean", "terms_mean"))
    whole = pc.round(days).to_numpy().astype("timedelta64[D]")
    today = np.datetime64(on, "D")
    rows = {
        "customer_id": every["id"],
        "ref": pa.nulls(len(every), pa.string()),
        "invoiced": pa.array(np.full(len(every), today)),
        "due": pa.array(today + whole),
        "amount": pc.round(amount).cast(pa.int64()),
        "paid": np.zeros(len(every), np.int64),
        "open": pc.round(amount).cast(pa.int64()),
        "settled": pa.nulls(len(every), pa.date32()),
    }
    yearly = np.maximum(pc.fill_null(fresh["amount_sum"], 0).to_numpy(), 0) / settings.billing_days
    exposure = yearly * (days.to_numpy() + settings.cushion_days)
    return pa.table(rows).cast(INVOICES), pa.array(exposure)


def sentences(reasons: list[dict[str, object]]) -> list[str]:
    """Reasons in words: what the column is, how it reads, and the points that costs against the best reading. What is
    only of the invoice, which is a usual one, is no reason."""
    known = columns()
    return [
        f"{known[str(each['column'])].doc.partition(';')[0].rstrip('.')}: {_short(str(each['bin']))}"
        f" ({each['points']:+.0f} points)"
        for each in reasons
        if each["column"] not in OWN
    ]


def _short(words: str) -> str:
    """A bin with three digits of each number."""
    return re.sub(r"\d[\d,]*(\.\d+)?", lambda found: _number(float(found[0].replace(",", ""))), words)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def percentile(score: Array) -> Array:
    """Mid-rank percentile of each score among them all, shape (n,): 100 has the best."""
    if not len(score):
        return score
    order = np.sort(score)
    below, upto = (np.searchsorted(order, score, side=side) for side in ("left", "right"))
    return np.asarray((below + upto) / 2 / len(score) * 100)


def _means(table: pa.Table) -> pa.Table:
    found = table.group_by("id").aggregate([("amount", "mean"), ("terms", "mean"), ("amount", "sum")])
    return found.sort_by("id")


def _open(seen: pa.Table, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    found = seen.group_by("customer_id").aggregate([("open", "sum")])
    return found["open_sum"].take(pc.index_in(ids, found["customer_id"].combine_chunks()))


def _without_model(billed: pa.Table, open_: pa.ChunkedArray) -> pa.Table:
    many = len(billed)
    known = {"customer_id": billed["customer_id"], "open": open_, "advice": [UNJUDGED] * many}
    columns_ = [known.get(field.name, pa.nulls(many, field.type)) for field in SCHEMA]
    return pa.table(columns_, names=SCHEMA.names).cast(SCHEMA)
