"""Models of cases on the public tables: the part of `benchmarks.models` without events, or alone
`python -m benchmarks.cases_part [--quick] [--json]`.

Every table is taken in, learnt from and judged as `scoring run` does it, without a registry. `--quick` is the smallest
table, to show that everything works.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Target, markdown, print_targets, say
from features.tables.cases import ingest_cases
from features.tables.privacy import Pseudonyms
from features.tables.table_source import load_table_source
from features.workspace import Workspace
from training.cases.judge import Judgement
from training.cases.learn import Learnt, learn
from training.cases.question import question_of
from training.cases.settings import CaseSettings, load_case_settings

DATA = Path("../shared/data")
TABLES = {
    "telco-churn": "telco_churn",
    "online-shoppers": "online_shoppers",
    "bank-marketing": "bank_marketing",
    "taiwan-default": "credit_card_default_taiwan",
    "german-credit": "german_credit",
    "berka-loans": "berka",
}
JUDGED = ("telco-churn", "online-shoppers", "bank-marketing", "taiwan-default", "german-credit")
QUICK = ("german-credit",)
AUC = {"telco-churn": "≥0.845", "online-shoppers": "≥0.785"}


@dataclass(frozen=True)
class Run:
    """What one table gave."""

    source: str
    judgement: Judgement


def runs(quick: bool = False) -> list[Run]:
    """All tables, one after the other."""
    return [_run(name) for name in (QUICK if quick else JUDGED)]


def _run(name: str) -> Run:
    return Run(name, learn_from(name, load_case_settings()).judgement)


def learn_from(name: str, settings: CaseSettings) -> Learnt:
    """What the public table `name` teaches."""
    say(f"learn from {name}")
    source = load_table_source(name)
    question = question_of(source)
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace(Path(home))
        ingest_cases(source, DATA / TABLES[name], workspace, Pseudonyms(secrets.token_bytes(32)))
        learnt = learn(workspace, question, settings) if question else "no question"
    if not isinstance(learnt, Learnt):
        raise RuntimeError(f"{name}: {learnt}")
    return learnt


def targets(found: list[Run]) -> list[Target]:
    """The promises: AUC of the chosen candidate, and that one which cannot order the earlier cuts does not answer."""
    promised = []
    for each in found:
        own = each.judgement.metrics[each.judgement.chosen]
        if each.source in AUC:
            promised.append(Target(f"{each.source}: AUC, 5 folds", AUC[each.source], own["auc"].value, ""))
            promised.append(Target(f"{each.source}: ECE, 5 folds", "≤0.03", own["ece"].value, ""))
        if each.source == "bank-marketing":
            abstains = float(bool(each.judgement.abstains))
            promised.append(Target("bank-marketing: abstains below .55 on the earlier cuts", "≥1", abstains, ""))
    return promised


def table(found: list[Run]) -> str:
    """Markdown: every candidate of every table, with intervals."""
    rows: list[dict[str, object]] = []
    for each in found:
        judged = each.judgement
        for name, metrics in judged.metrics.items():
            mark = " (chosen)" if name == judged.chosen else ""
            values = {key: f"{m.value:.4f} [{m.low:.4f}, {m.high:.4f}]" for key, m in metrics.items()}
            earlier = " ".join(f"{auc:.3f}" for auc in judged.earlier[name])
            rows.append({"table": each.source, "candidate": name + mark, "AUC when choosing": earlier, **values})
    lines = [f"- {each.source}: {each.judgement.plan}; the rung is {each.judgement.rung}." for each in found]
    return "\n".join([markdown(rows), "", *lines])


def main() -> None:
    """Print the table on standard error and the targets on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = runs(asked.quick)
    say(table(found))
    print_targets(targets(found), asked.json)


if __name__ == "__main__":
    main()
