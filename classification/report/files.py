"""A report on disk: the page and a CSV file per list, all of them or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv

from classification.migration import JOINED, LEFT
from classification.report.causes import SHARES
from classification.report.page import to_html
from classification.report.report import Report
from features.errors import InputError
from features.workspace import Workspace, staged

PAGE = "report.html"


def write_report(report: Report, folder: Path) -> Path:
    """Put the page and the files into `folder`, in place of an earlier report; returns the page.

    Raises InputError where the folder holds anything else.
    """
    tables = dict(csv_tables(report))
    ours = {PAGE, *(f"{name}.csv" for name in tables)}
    if folder.exists() and (not folder.is_dir() or {path.name for path in folder.iterdir()} - ours):
        raise InputError(folder, "what is no report", "a new folder, or one of an earlier report")
    with staged(folder) as new:
        (new / PAGE).write_text(to_html(report), encoding="utf-8")
        for name, table in tables.items():
            pc_csv.write_csv(table, new / f"{name}.csv", pc_csv.WriteOptions(quoting_style="needed"))
    return folder / PAGE


def report_folder(workspace: Workspace, report: Report, named: bool) -> Path:
    """Where a report lies by default; named: whether the earlier month was asked for by name."""
    parts = [report.month.name, *(f"{dimension}-{class_}" for dimension, class_ in report.within.items())]
    if named and report.against:
        parts.append(f"against-{report.against.name}")
    return workspace.reports / "-".join(parts)


def csv_tables(report: Report) -> Iterator[tuple[str, pa.Table]]:
    """Name → rows; amounts in major units, of 365 days."""
    yield "classes", _classes(report)
    yield "migration", _migration(report)
    yield "moves", _major(report, report.moves, "spend_before", "spend_after")
    yield "newcomers", _major(report, report.newcomers, "spend")
    yield "causes", _causes(report)
    yield "stars", _major(report, report.stars.table, "spend")
    if report.alerts:
        yield "alerts", report.alerts.table
    if report.feedback:
        yield "expected", report.feedback.expected
        if report.feedback.refusals is not None:
            yield "refusals", report.feedback.refusals
    yield "markets", _markets(report)
    yield "data-errors", report.health.illegal
    unknown = report.health.unknown
    yield "unknown", pa.table({"dimension": list(unknown), "customers": pa.array(unknown.values(), pa.int64())})


def _classes(report: Report) -> pa.Table:
    rows = []
    for name, found in report.migrations.items():
        for i, class_ in enumerate(found.classes):
            if found.before[i] or found.after[i]:
                row: dict[str, Any] = {"dimension": name, "class": class_, "name": report.setting.named(name, class_)}
                row |= {"before": int(found.before[i]), "gains": int(found.gains[i]), "losses": int(found.losses[i])}
                row |= {"after": int(found.after[i])}
                spends = ("spend_before", found.spend_before[i]), ("spend_after", found.spend_after[i])
                rows.append(row | {column: report.setting.major(spend) for column, spend in spends})
    return pa.Table.from_pylist(rows)


def _migration(report: Report) -> pa.Table:
    rows = []
    for name, found in report.migrations.items():
        before, after = [*found.classes, JOINED], [*found.classes, LEFT]
        for i, j in zip(*found.customers.nonzero(), strict=True):
            row = {"dimension": name, "before": before[i], "after": after[j], "customers": int(found.customers[i, j])}
            spends = zip(("spend_before", "spend_after"), found.spend[:, i, j], strict=True)
            rows.append(row | {column: report.setting.major(spend) for column, spend in spends})
    return pa.Table.from_pylist(rows)


def _causes(report: Report) -> pa.Table:
    columns = {"dimension": pa.string(), "changes": pa.int64(), "raw": pa.int64(), "unshared": pa.int64()}
    schema = pa.schema([*columns.items(), *((name, pa.float64()) for name in SHARES)])
    rows = [
        {name: getattr(each, name) for name in columns}
        | {name: round(part, 6) for name, part in zip(SHARES, each.shares, strict=True)}
        for each in report.causes
    ]
    return pa.Table.from_pylist(rows, schema)


def _markets(report: Report) -> pa.Table:
    major = report.setting.major
    schema = pa.schema(
        [
            ("by", pa.string()),
            ("group", pa.string()),
            ("customers", pa.int64()),
            *((name, pa.float64()) for name in ("spend", "margin", "service_cost")),
            ("measure", pa.string()),
        ]
    )
    rows = [
        {
            "by": " and ".join(market.by),
            "group": each.name,
            "customers": each.customers,
            **{n: None if (v := getattr(each, n)) is None else major(v) for n in ("spend", "margin", "service_cost")},
            "measure": market.measure,
        }
        for market in report.markets
        for each in market.groups
    ]
    return pa.Table.from_pylist(rows, schema)


def _major(report: Report, table: pa.Table, *columns: str) -> pa.Table:
    for name in columns:
        amounts = pc.divide(table[name].cast(pa.float64()), 10.0**report.setting.decimals)
        table = table.set_column(table.column_names.index(name), name, amounts)
    return table
