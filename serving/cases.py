"""`scoring ingest` and `scoring run` of a table source: its cases, what they can answer, and the model that does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from features.errors import InputError
from features.tables.cases import ingest_cases
from features.tables.counts import Counts
from features.tables.privacy import load_pseudonyms
from features.tables.sources import source_kind
from features.tables.table_source import load_table_source
from features.tables.vault import open_vault
from features.workspace import Workspace, read_json
from serving import show
from serving.options import out, progress_bars
from serving.steps import check_source

if TYPE_CHECKING:
    from training.cases.fairness import Fairness
    from training.cases.learn import Learnt


def describes(source: str) -> bool:
    """Whether a source has one row per case, and no events."""
    return source_kind(source) == "table"


def run(name: str, raw: Path | None, home: Path | None) -> None:
    """Read the cases of a table source, fit and judge all candidates, register the chosen one; print how each fared."""
    from training.cases.fairness import fairness
    from training.cases.learn import learn
    from training.cases.publish import publish
    from training.cases.question import question_of
    from training.cases.settings import load_case_settings

    source, settings = load_table_source(name), load_case_settings()
    read(name, raw, home)
    question = question_of(source)
    if question is None:
        out.print("\nNo column of the table answers a question: nothing is learnt.", markup=False)
        return
    workspace = Workspace(home or Path("data") / source.name)
    with progress_bars() as progress:
        learnt = learn(workspace, question, settings, progress)
        if not isinstance(learnt, str):
            vault = open_vault(workspace.tables, load_pseudonyms())
            by_group = fairness(learnt, vault, source.private, settings)
            version = publish(workspace, learnt, settings, progress, by_group)
    if isinstance(learnt, str):
        out.print(f"\n{question.task} is skipped: {learnt}.", markup=False, soft_wrap=True)
    else:
        tell(learnt, by_group, version, workspace)


def tell(learnt: Learnt, by_group: Fairness | None, version: int, workspace: Workspace) -> None:
    """All candidates, what was left out, the verdict, what it does to groups, and where everything is."""
    from training import registry
    from training.cases import card, fairness_card
    from training.cases.portable import SCORECARD

    found, question = learnt.judgement, learnt.question
    title = f"{question.task}: {found.cases:,} cases judge, {found.positive:,} of them yes"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for head in card.heads(learnt):
        table.add_column(head)
    for row in card.candidate_rows(learnt):
        table.add_row(*row)
    out.print()
    out.print(table)
    out.print(f"Judged by {found.plan}. In brackets: 95 % intervals.", markup=False, soft_wrap=True)
    for name, why in question.left_out.items():
        out.print(f"Left out: {name}, {why}.", markup=False, soft_wrap=True)
    out.print(f"\n{card.verdict(learnt)}", markup=False, soft_wrap=True)
    for sentence in fairness_card.sentences(by_group) if by_group else ():
        out.print(f"By {sentence}", markup=False, soft_wrap=True)
    model = registry.model_name(question.source, question.task)
    out.print(f"Registered as {model} version {version}; files in {workspace.training}.", markup=False, soft_wrap=True)
    out.print(f"The scorecard beside it: {workspace.training / SCORECARD}", markup=False, soft_wrap=True)


def read(name: str, raw: Path | None, home: Path | None) -> None:
    """Read the cases of a table source into its workspace; print what became of its lines, and what they are for."""
    source = load_table_source(name)
    workspace = Workspace(home or Path("data") / source.name)
    report = workspace.tables / "report.json"
    if report.exists():
        check_source(read_json(report)["source"], source.name, workspace.tables)
    if raw is None and source.database is None:
        raise InputError("--raw", "nothing", f"the folder of the files of {source.name}")
    with progress_bars() as progress:
        ingest_cases(source, raw or Path(), workspace, load_pseudonyms(), progress)
    found = read_json(report)
    out.print(show.rows([Counts.from_json(each) for each in found["tables"]]))
    for join in found["joins"]:
        what = f"Completed by {join['name']}: {join['alone']:,} of {join['lines']:,} lines have no row there."
        out.print(what, markup=False, soft_wrap=True)
    out.print(show.questions(found))
