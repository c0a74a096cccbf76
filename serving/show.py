"""What the command line prints: tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from classification.grade import LiveSet, class_name
from classification.monthly import MonthlyRun
from classification.promote import Promotion
from features.catalogue import CATALOGUE
from features.catalogue.page import window
from features.population import POPULATION
from features.tables.counts import Counts
from features.tables.ledger import Finding
from features.tables.run import Ingested
from features.tables.sources import CustomerTable, Source
from features.workspace import read_json
from training import registry
from training.evaluate import Verdict
from training.recipes import RECIPES


def rows(counts: Sequence[Counts]) -> Table:
    """Lines read and what became of them."""
    table = _table("Lines read", "table", "read", "accepted", "fixed", "quarantined", "dropped", "odd")
    for each in counts:
        sides = (each.fixed, each.quarantined, each.dropped, each.noted)
        table.add_row(each.table, f"{each.read:,}", f"{each.accepted:,}", *map(_reasons, sides))
    return table


def run_note(done: Ingested) -> str:
    """What a run did to what was there before."""
    if not any(each.read for each in done.counts):
        return "\nEvery file was read before: nothing has changed."
    late = f"{done.late:,} events of days that were complete are known from now on" if done.late else ""
    restated = f"{done.restated:,} rows restate earlier ones, which stay as they were for earlier dates"
    notes = [note for note in (late, restated if done.restated else "") if note]
    return "".join(f"\n{note}." for note in notes)


def questions(report: dict[str, Any]) -> Table:
    """What the cases of a table source can answer, and what not."""
    label = report["label"]
    table = _table(f"{report['cases']:,} cases", "task", "question", "yes", "no", "not known", "")
    if label is not None:
        counts = (f"{label[answer]:,}" for answer in ("positive", "negative", "unknown"))
        table.add_row(label["name"], label["question"], *counts, "learnt by `scoring run`")
    for recipe in RECIPES:
        if label is None or recipe.name != label["name"]:
            table.add_row(recipe.name, recipe.question, "", "", "", "skipped: it needs events")
    return table


def held(kinds: Mapping[str, int]) -> Table:
    """Events by kind."""
    table = _table("Events", "kind", "events")
    for kind, count in kinds.items():
        table.add_row(kind, f"{count:,}")
    return table


def attributes(known: Mapping[str, tuple[str, int]], source: Source) -> Table:
    """What is known of customers, with its family; of the vault's only that it is there."""
    table = _table("What is known of customers", "attribute", "family", "customers")
    for name, (family, count) in known.items():
        table.add_row(name, family, f"{count:,}")
    for each in source.tables:
        if isinstance(each, CustomerTable):
            private = [(name, a.family) for name, a in each.attributes.items() if a.family == "private"]
            for name, family in [*private, *((name, "identity") for name in each.identity)]:
                table.add_row(name, family, "in the vault")
    return table


def allowed(lacking: Mapping[str, str]) -> Table:
    """Which tasks the data allow, and what each other one lacks."""
    table = _table("What the data allow", "task", "meaning")
    for task, lacks in lacking.items():
        by = " (by `scoring laundering`, for the role aml)" if task == "laundering" else ""
        table.add_row(task, f"skipped: {lacks}" if lacks else f"yes{by}")
    return table


def quarantine(found: Mapping[tuple[str, str], int], wanted: Mapping[str, str]) -> Table:
    """Lines in quarantine by table and rule."""
    table = _table(f"{sum(found.values()):,} lines in quarantine", "table", "lines", "rule", "wanted")
    for (name, rule), lines in sorted(found.items()):
        table.add_row(name, f"{lines:,}", rule, wanted.get(rule, "what `require` says"))
    return table


def verdicts(found: Sequence[Verdict], about: dict[str, Any]) -> Table:
    """Each task beside its best baseline, and what was skipped."""
    title = "On outcomes that no model had seen"
    table = _table(title, "task", "rung", "metric", "model", "best baseline", "difference [95 %]", "answers")
    for v in found:
        interval = f"{v.comparison.difference:+.4f} [{v.comparison.low:+.4f}, {v.comparison.high:+.4f}]"
        rival = f"{v.baseline:.4f} ({v.best_baseline})"
        rung = about["rungs"][v.task]["name"]
        table.add_row(v.task, rung, v.metric, f"{v.candidate:.4f}", rival, interval, f"{v.customers:,}")
    for task in sorted(set(about["tasks"]) - {v.task for v in found}):
        table.add_row(task, about["rungs"][task]["name"], "", "fitted", "", "", "")
    return table


def ladder(about: dict[str, Any]) -> str:
    """What is missing for the next rung, task by task."""
    lines = [f"{task}: {rung['name']}; {rung['missing']}" for task, rung in about["rungs"].items() if rung["missing"]]
    return "\n".join(["", "Below the highest rung:", *lines]) if lines else ""


def classes(folder: Path, live: LiveSet) -> Table:
    """How the base falls into classes."""
    found = read_json(folder / "snapshot.json")
    everyone = found["customers"]
    table = _table(
        f"{everyone:,} customers on {found['as_of']}", "dimension", "class", "customers", "share", "spend of 365 days"
    )
    for name, sizes in found["classes"].items():
        total = sum(size["spend_365d"] for size in sizes.values()) or 1.0
        for i, (code, size) in enumerate(sizes.items()):
            label = f"{code} {class_name(live, name, code)}"
            share, spend = size["customers"] / everyone, size["spend_365d"] / total
            table.add_row("" if i else name, label, f"{size['customers']:,}", f"{share:.1%}", f"{spend:.1%}")
    return table


def cautions(folder: Path) -> str:
    """What a grading should not be believed in."""
    return "".join(f"\nMind: {each}" for each in read_json(folder / "snapshot.json")["cautions"])


def monthly(done: MonthlyRun) -> str:
    """What a monthly run did."""
    month = done.month
    state = "graded" if done.written else "was graded already; nothing has changed"
    return f"{cautions(month.folder)}\nMonth {month.name} {state}: {month.folder}"


def drift(folder: Path) -> str:
    """What a grading found moved since the one before."""
    return "\n" + "\n".join(read_json(folder / "drift.json")["sentences"])


def promotion(done: Promotion, source: str) -> str:
    """What the gate decided."""
    name = registry.model_name(source)
    if done.promoted:
        approved = f"; approved by {done.approved_by}" if done.approved_by else ""
        first = "the first one; " if done.before is None else ""
        return f"\n{name} version {done.version} is live ({first}{done.verdict}{approved})."
    return (
        f"\n{name} version {done.version} was not promoted: {done.verdict}.\nVersion {done.before} stays live; "
        f"to promote all the same: scoring promote --source {source} --version {done.version} --approve NAME"
    )


def next_steps(source: str, folder: Path, version: int) -> str:
    """Where to look now."""
    return (
        f"\nGrades: {folder}/grades.parquet\n"
        f"Serve:  scoring serve --source {source}\n"
        f"Review: scoring ui, then {registry.version_page(source, version)}"
    )


def catalogue() -> Table:
    """Every feature with its family, unit, window and meaning."""
    title = f"{len(CATALOGUE)} features, and {len(POPULATION)} of where a customer stands in the base"
    table = _table(title, "name", "family", "unit", "window", "meaning")
    for feature in (*CATALOGUE, *POPULATION):
        table.add_row(feature.name, feature.family, feature.unit, window(feature), feature.doc)
    return table


def findings(found: Sequence[Finding]) -> Table:
    """Pairs of ids by number: what was found, and what was decided."""
    table = _table(f"{len(found):,} pairs of ids", "merge", "state", "found", "probability", "why", "decided by")
    for f in sorted(found, key=lambda f: (f.state != "proposed", -(f.probability or 0), f.merge)):
        decided = f"{f.decided_by}, {f.decided_at:%Y-%m-%d}" if f.decided_at else ""
        table.add_row(f"{f.merge}", f.state, f.how, _probability(f), ", ".join(f.reasons), decided)
    return table


def side_by_side(finding: Finding, sides: tuple[dict[str, str], dict[str, str]]) -> Table:
    """The two ids of a finding; fact → value."""
    title = f"Merge {finding.merge}: {finding.state}, {_probability(finding) or finding.how}"
    table = _table(f"{title}; {', '.join(finding.reasons)}", "", "this one", "came first")
    for fact in sides[0]:
        table.add_row(fact, sides[0][fact], sides[1][fact])
    return table


def _probability(finding: Finding) -> str:
    return "" if finding.probability is None else f"{finding.probability:.1%}"


TEXTS = {
    "rung",
    "why",
    "state",
    "found",
    "decided by",
    "this one",
    "came first",
    "rule",
    "wanted",
    "meaning",
    "question",
    "",
    "window",
    "fixed",
    "quarantined",
    "dropped",
    "odd",
    "class",
    "family",
    "unit",
    "metric",
    "best baseline",
}


class _Plain(Table):
    """A table whose cells are text, not markup: a name may hold brackets."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row of plain texts."""
        super().add_row(*map(escape, cells), **options)


def _table(title: str, *columns: str) -> Table:
    table = _Plain(title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        text = column in TEXTS
        table.add_column(column, justify="left" if i == 0 or text else "right", overflow="fold", no_wrap=i == 0)
    return table


def _reasons(counts: dict[str, int]) -> str:
    total = sum(counts.values())
    return f"{total:,}" + (f" ({', '.join(f'{rule} {n:,}' for rule, n in counts.items())})" if counts else "")
