"""The model of arrears: learnt from invoices as from any other cases, with the payment curves beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.company import Company
from features.progress import Progress, silent
from features.tables.cases import CASES
from features.workspace import Workspace, read_json, read_parquet, write_json
from training import registry
from training.arrears.curve import Curves, fit_curves
from training.arrears.invoice_cases import ONE_DAY, TASK, columns, write_cases
from training.arrears.settings import ArrearsSettings
from training.cases.judge import Answers, Judgement
from training.cases.learn import Learnt, learn
from training.cases.model import CaseModel
from training.cases.portable import SCORECARD, Portable
from training.cases.publish import checked
from training.cases.question import Question
from training.cases.settings import CaseSettings

Array = NDArray[np.float64]

CURVES = "curves.json"
HISTORY = "late_share"
"""The feature that the baseline of one's own history goes by."""


@dataclass(frozen=True)
class ArrearsModel:
    """What answers about invoices: version of `<source>.arrears`, its model of cases, the scorecard of the same
    invoices, the payment curves by the model's probabilities, and how late is late."""

    name: str
    version: int
    model: CaseModel
    scorecard: Portable
    curves: Curves
    late_days: int


def question(source: str, title: str, late_days: int, simulated: bool = False) -> Question:
    """What is asked of an invoice. simulated: whether the source says that no real company stands behind it."""
    when = f"more than {late_days} days after it was due" if late_days else "after the day it was due"
    text = f"Will an invoice be paid {when}, if at all?"
    return Question(source, title, TASK, text, columns(), {}, in_time=True, history=HISTORY, simulated=simulated)


def train(
    workspace: Workspace,
    asked: Question,
    company: Company,
    as_of: date,
    settings: ArrearsSettings,
    cases: CaseSettings,
    progress: Progress = silent,
) -> Learnt | str:
    """Invoices decided at `as_of` → a judged model in `workspace.arrears`; or why there is none.

    Judged on the last invoices in time; no invoice teaches that was not decided when the first of them was written.
    """
    write_cases(workspace, company, as_of, settings.late_days, progress)
    seen = read_parquet(workspace.arrears.tables / CASES, columns=["asked_on", "due", "settled"])

    def beside(folder: Path, judgement: Judgement, answers: Answers, scorecard: Portable) -> None:
        (folder / SCORECARD).mkdir()
        scorecard.save(folder / SCORECARD)
        rows = seen.take(pa.array(answers.rows))
        curves = _curves(rows, answers.predicted[judgement.chosen], as_of, settings)
        write_json(folder / CURVES, {"late_days": settings.late_days, **curves.to_json()})

    return learn(workspace.arrears, asked, cases.model_copy(update={"last": settings.last}), progress, beside)


def _curves(rows: pa.Table, probability: Array, as_of: date, settings: ArrearsSettings) -> Curves:
    """Of the judging invoices, whose probabilities are of a model that did not know them."""
    due, last = rows["due"].to_numpy(), np.datetime64(as_of, "D") - ONE_DAY
    settled = rows["settled"].to_numpy()
    paid = ~np.isnat(settled)
    entered, left = ((days - due) / ONE_DAY for days in (rows["asked_on"].to_numpy(), np.where(paid, settled, last)))
    how = settings.bands, settings.fewest_per_band, settings.longest_days
    return fit_curves(probability, entered.astype(np.int64), left.astype(np.int64), paid, *how)


def refused(judgement: Judgement, settings: ArrearsSettings) -> list[str]:
    """Why a judged model does not go live by itself; empty: it does."""
    found = [judgement.abstains] if judgement.abstains else []
    difference = judgement.differences["auc"]
    if difference.high < 0:
        found.append(
            f"{judgement.best_other} ranks better: AUC {difference.difference:+.4f}, at most {difference.high:+.4f}"
        )
    ece = judgement.metrics[judgement.chosen]["ece"].value
    if not ece <= settings.ece:
        found.append(f"its calibration error is {ece:.3f}, at most {settings.ece} is allowed")
    return found


def fetch(source: str, version: int | None = None) -> ArrearsModel | None:
    """A registered version, by default the champion, every file checked; None where there is no champion."""
    number = version or registry.champion_version(source, TASK)
    if number is None:
        return None
    with checked(source, TASK, number) as folder:
        said = read_json(folder / CURVES)
        model, scorecard = CaseModel.load(folder), Portable(CaseModel.load(folder / SCORECARD))
    name, curves = registry.model_name(source, TASK), Curves.from_json(said)
    return ArrearsModel(name, number, model, scorecard, curves, said["late_days"])
