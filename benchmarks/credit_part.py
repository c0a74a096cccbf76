"""Credit: the scorecard beside the other candidates on the public credit tables, and its SQL beside the model:
`python -m benchmarks.credit_part [--quick] [--json]`.

Taiwan is judged in five folds, German Credit in five times five with other seeds, each time chosen on folds of its own.
`--quick` is German Credit alone, once.
"""

from __future__ import annotations

import argparse

import duckdb
import numpy as np

from benchmarks.cases_part import Run, learn_from, table
from benchmarks.report import Target, print_targets, say
from training.cases.learn import Learnt
from training.cases.settings import load_case_settings

REPEATS = 5


def main() -> None:
    """Print every candidate on standard error and the targets on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = german(1 if asked.quick else REPEATS) + ([] if asked.quick else taiwan())
    print_targets(found, asked.json)


def taiwan() -> list[Target]:
    """Its candidates, the calibration of the chosen one, and the SQL of its scorecard."""
    learnt = learn_from("taiwan-default", load_case_settings())
    say(table([Run("taiwan-default", learnt.judgement)]))
    metrics, chosen = learnt.judgement.metrics, learnt.judgement.chosen
    return [
        Target("taiwan-default: AUC of LightGBM", "≥0.782", metrics["lightgbm"]["auc"].value, ""),
        Target("taiwan-default: AUC of the scorecard", "≥0.762", metrics["scorecard"]["auc"].value, ""),
        Target(f"taiwan-default: ECE of the chosen, {chosen}", "≤0.012", metrics[chosen]["ece"].value, ""),
        Target("taiwan-default: SQL beside the model", "≤1e-9", sql_difference(learnt), "points"),
    ]


def german(repeats: int) -> list[Target]:
    """Its chosen candidate on average over folds of several seeds, and the SQL of its scorecard."""
    settings = load_case_settings()
    found = [
        learn_from("german-credit", settings.model_copy(update={"seed": settings.seed + 100 * again}))
        for again in range(repeats)
    ]
    say(table([Run(f"german-credit, seed {again}", each.judgement) for again, each in enumerate(found)]))
    auc = np.mean([each.judgement.metrics[each.judgement.chosen]["auc"].value for each in found])
    return [
        Target(f"german-credit: AUC of the chosen, {repeats} times 5 folds", "≥0.78", float(auc), ""),
        Target("german-credit: SQL beside the model", "≤1e-9", sql_difference(found[0]), "points"),
    ]


def sql_difference(learnt: Learnt) -> float:
    """Of all cases the largest difference between the score by SQL and by the model, in points."""
    cases = learnt.cases.table.add_column(0, "case_id", [[str(row) for row in range(len(learnt.cases))]])
    with duckdb.connect() as db:
        db.register("cases", cases)
        found = db.sql(f"SELECT score FROM ({learnt.scorecard.sql('duckdb')}) ORDER BY CAST(case_id AS INT)")
        by_sql = found.fetchnumpy()["score"]
    return float(np.abs(by_sql - learnt.scorecard.score(learnt.cases.table)).max())


if __name__ == "__main__":
    main()
