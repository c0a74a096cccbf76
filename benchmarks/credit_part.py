"""Credit: the scorecard beside the other candidates on the public credit tables, and its SQL beside the model; a part
of `benchmarks.risk`.

Taiwan is judged in five folds, German Credit in five times five with other seeds, each time chosen on folds of its own;
Berka's loans of 1997 and 1998 by what the earlier ones teach.
"""

from __future__ import annotations

import duckdb
import numpy as np

from benchmarks.cases_part import Run, learn_from, table
from benchmarks.report import Part, Target
from training.cases.learn import Learnt
from training.cases.settings import load_case_settings

REPEATS = 5


def taiwan() -> Part:
    """Its candidates, the calibration of the chosen one, and the SQL of its scorecard."""
    learnt = learn_from("taiwan-default", load_case_settings())
    metrics, chosen = learnt.judgement.metrics, learnt.judgement.chosen
    targets = [
        Target("taiwan-default: AUC of LightGBM", "≥0.782", metrics["lightgbm"]["auc"].value, ""),
        Target("taiwan-default: AUC of the scorecard", "≥0.762", metrics["scorecard"]["auc"].value, ""),
        Target(f"taiwan-default: ECE of the chosen, {chosen}", "≤0.012", metrics[chosen]["ece"].value, ""),
        Target("taiwan-default: SQL beside the model", "≤1e-9", sql_difference(learnt), "points"),
    ]
    return targets, table([Run("taiwan-default", learnt.judgement)])


def berka() -> Part:
    """Trained on the loans up to 1996, judged on those of 1997 and 1998."""
    learnt = learn_from("berka-loans", load_case_settings())
    own = learnt.judgement.metrics[learnt.judgement.chosen]["auc"]
    found = [
        Target(f"berka-loans: AUC of the chosen, {learnt.judgement.chosen}", "≥0.92", own.value, ""),
        Target("berka-loans: SQL beside the model", "≤1e-9", sql_difference(learnt), "points"),
    ]
    bads = f"{learnt.judgement.positive} bad loans judge, so that the intervals are wide."
    return found, f"{table([Run('berka-loans', learnt.judgement)])}\n\n{bads}"


def german(repeats: int) -> Part:
    """Its chosen candidate on average over folds of several seeds, and the SQL of its scorecard."""
    settings = load_case_settings()
    found = [
        learn_from("german-credit", settings.model_copy(update={"seed": settings.seed + 100 * again}))
        for again in range(repeats)
    ]
    auc = np.mean([each.judgement.metrics[each.judgement.chosen]["auc"].value for each in found])
    targets = [
        Target(f"german-credit: AUC of the chosen, {repeats} times 5 folds", "≥0.78", float(auc), ""),
        Target("german-credit: SQL beside the model", "≤1e-9", sql_difference(found[0]), "points"),
    ]
    runs = [Run(f"german-credit, seed {again}", each.judgement) for again, each in enumerate(found)]
    return targets, table(runs)


def sql_difference(learnt: Learnt) -> float:
    """Of all cases the largest difference between the score by SQL and by the model, in points."""
    cases = learnt.cases.table.add_column(0, "case_id", [[str(row) for row in range(len(learnt.cases))]])
    with duckdb.connect() as db:
        db.register("cases", cases)
        found = db.sql(f"SELECT score FROM ({learnt.scorecard.sql('duckdb')}) ORDER BY CAST(case_id AS INT)")
        by_sql = found.fetchnumpy()["score"]
    return float(np.abs(by_sql - learnt.scorecard.score(learnt.cases.table)).max())
