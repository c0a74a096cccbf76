"""From the cases of a workspace to a judged model: fitted, compared, refitted on all cases, and written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.progress import Progress, silent
from features.workspace import Workspace, staged, write_json
from training.cases.encoder import Encoder, fit_encoder, tells_nothing, typed
from training.cases.judge import Answers, Judgement, judge
from training.cases.model import CANDIDATES, CaseModel, fit_parts
from training.cases.plan import NO_PLAN, plan, what_is_missing
from training.cases.portable import SCORECARD, Portable, fit_portable
from training.cases.question import Question
from training.cases.settings import CaseSettings
from training.cases.table import Cases, read_cases
from training.manifest import write_manifest

MODEL = "model"
CONSTANT = "it reads the same in every case"


@dataclass(frozen=True)
class Learnt:
    """question: with the columns that were left out, and why. digest: of the manifest of the written model."""

    question: Question
    cases: Cases
    judgement: Judgement
    answers: Answers
    model: CaseModel
    scorecard: Portable
    digest: str


def learn(
    workspace: Workspace,
    question: Question,
    settings: CaseSettings,
    progress: Progress = silent,
    beside: Callable[[Path, Judgement, Answers, Portable], None] | None = None,
) -> Learnt | str:
    """Fit all candidates, judge them, and refit the chosen one on all cases; or why the cases do not allow it.

    Leaves in `workspace.training`, all or nothing: the folders model and scorecard (see `portable`),
    predictions/<task>.parquet (case_id, actual and a column per candidate: what each answered for the judging cases)
    and judgement.json. beside: writes what else belongs to the model into its folder, from what was judged.
    """
    cases = read_cases(workspace, question)
    if min(cases.answers()) < settings.fewest_per_class:
        return what_is_missing(cases, NO_PLAN, settings)
    question = question.without(dict.fromkeys(_constant(cases, question), CONSTANT))
    if not question.columns:
        return "no column is left to learn from: " + "; ".join(f"{k}: {why}" for k, why in question.left_out.items())
    cuts = plan(cases, question.in_time, settings)
    if missing := what_is_missing(cases, cuts, settings):
        return missing
    history = question.history if question.history in question.columns else None
    judgement, answers = judge(cases, question.kinds, cuts, settings, progress, question.trends, history)
    model = _refitted(cases, question, judgement, settings)
    scorecard = fit_portable(cases, question, model.about, settings)
    with staged(workspace.training) as folder:
        (folder / MODEL).mkdir()
        model.save(folder / MODEL)
        if beside:
            beside(folder / MODEL, judgement, answers, scorecard)
        digest = write_manifest(folder / MODEL)
        (folder / SCORECARD).mkdir()
        scorecard.save(folder / SCORECARD)
        (folder / "predictions").mkdir()
        columns = {"case_id": cases.ids.take(pa.array(answers.rows)), "actual": answers.actual, **answers.predicted}
        pq.write_table(pa.table(columns), folder / "predictions" / f"{question.task}.parquet", compression="zstd")
        write_json(folder / "judgement.json", judgement.to_json() | {"left_out": question.left_out})
    return Learnt(question, cases, judgement, answers, model, scorecard, digest)


def _constant(cases: Cases, question: Question) -> list[str]:
    return [name for name, kind in question.kinds.items() if tells_nothing(typed(cases.table, name, kind))]


def _refitted(cases: Cases, question: Question, judgement: Judgement, settings: CaseSettings) -> CaseModel:
    about = {
        "source": question.source,
        "task": question.task,
        "question": question.text,
        "rung": judgement.rung,
        "missing_for_the_next": judgement.abstains,
        "cases": len(cases),
        "left_out": question.left_out,
    }
    if judgement.abstains:
        return CaseModel(about, Encoder({}, {}, {}), {})
    encoder = fit_encoder(cases.table, question.kinds, settings.rare, question.trends)
    matrix = encoder.matrix(cases.table)
    return CaseModel(about, encoder, fit_parts(CANDIDATES[judgement.chosen], encoder, matrix, cases.label, settings))
