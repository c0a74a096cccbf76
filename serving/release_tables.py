"""What the commands about releases print: the ledger, and two versions side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from classification.gate_report import COLUMNS, GATE_TAG, GateReport
from classification.promote import TASKS_TAG
from training import registry
from training.ledger import Ledger
from training.metrics import METRICS

LESS_IS_BETTER = ("log_loss", "ece", "rmse")


def lines(ledger: Ledger) -> Table:
    """The ledger, oldest line first; a line that never took effect is void."""
    table = _table(
        f"Releases of {registry.model_name(ledger.source)}", "line", "when (UTC)", "who", "what", "from → to", "", "why"
    )
    for line in ledger.lines:
        entry = line.entry
        why = entry.why + (f" (approved by {entry.approved_by})" if entry.approved_by else "")
        change = f"{entry.before or '–'} → {entry.to}"
        state = ledger.state(line)
        when = f"{line.when:%Y-%m-%d %H:%M:%S}"
        table.add_row(*map(escape, (f"{line.number}", when, entry.who, entry.action, change, state, why)))
    return table


def comparison(
    versions: tuple[int, int], metrics: Sequence[Mapping[str, float]], tags: Sequence[Mapping[str, str]]
) -> Table:
    """The metrics that either version has on its test cuts, and what the gate said of each."""
    one, other = versions
    table = _table("On the test cuts of each", "metric", f"version {one}", f"version {other}", "difference", "better")
    for name in _names(tags):
        first, second = (found.get(name) for found in metrics)
        if first is None and second is None:
            continue
        known = first is not None and second is not None
        difference = f"{second - first:+.4f}" if known and second is not None and first is not None else ""
        better = _better(name, first, second, versions)
        table.add_row(name, _number(first), _number(second), difference, better)
    table.add_row("gate", *(escape(found.get(GATE_TAG, "never evaluated")) for found in tags), "", "")
    return table


def report(found: GateReport) -> Table:
    """The gate's checks; those that fail first."""
    rival = f"version {found.champion}" if found.champion is not None else "the baselines"
    table = _table(f"Gate against {rival}: {'passed' if found.passed else 'not passed'}", *COLUMNS)
    for row in found.rows():
        table.add_row(*map(escape, row))
    return table


def _names(tags: Sequence[Mapping[str, str]]) -> list[str]:
    tasks = dict.fromkeys(task for found in tags for task in found.get(TASKS_TAG, "").split())
    metrics = dict.fromkeys(name for kind in METRICS.values() for name in kind)
    return [f"test_{task}_{name}" for task in tasks for name in (*metrics, "stability")]


def _better(name: str, first: float | None, second: float | None, versions: tuple[int, int]) -> str:
    if first is None or second is None or first == second:
        return ""
    if name.endswith("_bias"):
        return str(versions[abs(second - 1) < abs(first - 1)])
    return str(versions[(second < first) if name.endswith(LESS_IS_BETTER) else (second > first)])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _table(title: str, *columns: str) -> Table:
    table: Any = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=i == 0)
    return table  # type: ignore[no-any-return]
