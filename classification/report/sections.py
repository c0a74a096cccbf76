"""The sections of the page that are about people and causes, money and health."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import pyarrow as pa
import pyarrow.compute as pc

from classification.past import VALUE_DIMENSION
from classification.report import plots
from classification.report.allocation import Allocation
from classification.report.causes import NAMES, Cause, in_total
from classification.report.headlines import (
    alerts_said,
    allocation_said,
    best_said,
    fared_said,
    health_said,
    measure_said,
    per,
)
from classification.report.market import RETURN, SPEND, Market
from classification.report.moves import DOWN, MARKS, UP, ordered
from classification.report.report import Report
from classification.report.setting import Setting, month_said, share
from training.html import bullets, image, section, table

TOP = 10
"""Rows of a list on the page; the files have all."""


def sections(report: Report) -> Iterator[str]:
    """Each section that the report has something for."""
    if report.against:
        yield section("New large and new stable customers", _marks(report))
        yield section("Promotions and demotions, with the reason", _moves(report))
        yield section("Why classes changed", _causes(report.causes))
    yield section("Stars of tomorrow", _stars(report))
    yield section("Abnormal trends of key customers", _alerts(report))
    if report.feedback:
        if report.feedback.refusals is not None:
            yield section("Why customers did not buy", _refusals(report))
        yield section("Purchases that customers announced", _expected(report))
    yield section("Core market", "".join(_market(each, report.setting) for each in report.markets))
    yield section("Is service fairly allocated?", _allocation(report.allocation, report.setting))
    yield section("Is the classification complete?", _health(report))


def _marks(report: Report) -> str:
    setting, parts = report.setting, []
    for name in MARKS:
        if name not in report.migrations:
            continue
        found = report.migrations[name]
        mine = report.newcomers.filter(pc.equal(report.newcomers["dimension"], name))
        lost, all_ = found.losses[0], found.after[0]
        lead = f"New {name} customers: {mine.num_rows:,}; no longer {name}: {lost:,}; in all {all_:,}."
        rows = [
            (row["customer"], setting.named(name, row["before"]) if row["before"] in found.classes else row["before"],
             setting.whole(row["spend"]))
            for row in mine.slice(0, TOP).to_pylist()
        ]  # fmt: skip
        heads = ("customer", "was", f"spend, {setting.currency}")
        parts.append(f"<div><p>{escape(lead)}</p>{table(heads, rows, numbers=[2]) if rows else ''}</div>")
    return f"<div class=pair>{''.join(parts)}</div>"


def _moves(report: Report) -> str:
    setting, rows = report.setting, []
    for name, order in ordered(setting.scheme).items():
        mine = report.moves.filter(pc.equal(report.moves["dimension"], name))
        up, down = (mine.filter(pc.equal(mine["direction"], way)).num_rows for way in (UP, DOWN))
        if name in report.migrations:
            rows.append((name, setting.named(name, order[0]), setting.named(name, order[-1]), f"{up:,}", f"{down:,}"))
    heads = ("dimension", "from the top …", "… to the bottom", "went up", "went down")
    parts = [table(heads, rows, numbers=[3, 4])]
    for way, said in ((UP, "promoted"), (DOWN, "demoted")):
        mine = report.moves.filter(
            pc.and_(pc.equal(report.moves["dimension"], VALUE_DIMENSION), pc.equal(report.moves["direction"], way))
        )
        if mine.num_rows:
            parts.append(f"<h3>{mine.num_rows:,} were {said} by value{_first(mine)}</h3>{_people(mine, setting)}")
    return "".join(parts)


def _people(mine: pa.Table, setting: Setting) -> str:
    heads = ("customer", "class", f"spend then, {setting.currency}", "now", "why")
    rows = [
        (
            row["customer"],
            f"{row['before']}\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}{row['after']}",
            setting.whole(row["spend_before"]),
            setting.whole(row["spend_after"]),
            row["reason"] or row["kind"] or "",
        )
        for row in mine.slice(0, TOP).to_pylist()
    ]
    return table(heads, rows, numbers=[2, 3])


def _causes(found: Sequence[Cause]) -> str:
    if not found:
        return "<p>Nothing changed.</p>"
    total = in_total(found)
    heads = ("dimension", "changes of raw class", *NAMES, *(["not known"] if total.unshared else []))
    rows = [
        (each.dimension, f"{each.raw:,}", *(f"{part:,.1f}" for part in each.shares))
        + ((f"{each.unshared:,}",) if total.unshared else ())
        for each in (*sorted(found, key=lambda each: (-each.raw, each.dimension)), total)
    ]
    kinds = [f"{many:,} {_kind(kind)}" for kind, many in total.kinds.items()]
    lead = (
        "Each change of raw class is shared out among what can have caused it; the shares of a change add up to 1, "
        f"those of a row to its changes. Of {total.changes:,} changes of either class: {', '.join(kinds)}."
    )
    bars = image("Changes by cause", plots.cause_bars(found)) if total.raw else ""
    numbers = range(1, len(heads))
    detail = f"<details><summary>As a table</summary>{table(heads, rows, total.dimension, numbers)}</details>"
    return f"<p>{escape(lead)}</p><div class=chart>{bars}</div>{detail}"


def _kind(kind: str) -> str:
    return {
        "moved": "where the class moved with it",
        "held": "held back until they are sure",
        "caught up": "where the class followed later",
        "illegal": "that cannot be",
        "override": "overridden by a person",
        "override ended": "where an override ended",
    }.get(kind, kind)


def _stars(report: Report) -> str:
    setting, found = report.setting, report.stars
    if not found.table.num_rows:
        return "<p>No customer has a probability of rising.</p>"
    lead = (
        f"Of {found.asked:,} customers of the lowest class these are the likeliest to be of a higher one in "
        f"{setting.potential_days} days{_first(found.table)}."
    )
    rows = [
        (
            row["rank"],
            row["customer"],
            f"{row['probability']:.0%}",
            setting.whole(row["spend"]),
            "objects to marketing" if row["no_marketing"] else "",
        )
        for row in found.table.slice(0, TOP).to_pylist()
    ]
    heads = ("", "customer", "probability", f"spend, {setting.currency}", "")
    fared = f"<p>{escape(fared_said(found.fared))}</p>" if found.fared else ""
    return f"<p>{escape(lead)}</p>{table(heads, rows, numbers=[0, 2, 3])}{fared}"


def _alerts(report: Report) -> str:
    if report.alerts is None:
        return f"<p>Early warning did not run for {month_said(report.month.name)}.</p>"
    found, said = report.alerts.table, alerts_said(report.alerts)
    lead = f"<p>{escape(said[0].upper() + said[1:])}</p>"
    if not found.num_rows:
        return lead
    rows = [
        (row["customer"], row["kind"], row["sentence"], "" if row["q"] is None else f"{row['q']:.1%}")
        for row in found.slice(0, TOP).to_pylist()
    ]
    shown = table(("customer", "what", "how", "false alarms up to here"), rows, numbers=[3])
    return f"{lead}{shown}<p class=quiet>{_first(found)[2:]}</p>"


def _refusals(report: Report) -> str:
    found = report.feedback.refusals if report.feedback else None
    if not found:
        return "<p>Nobody noted why a customer did not buy.</p>"
    rows = [
        (
            row["reason"] or "no reason given",
            f"{row['refusals']:,}",
            "" if row["share"] is None else f"{row['share']:.0%}",
            f"{row['customers']:,}",
            "" if row["refusals_before"] is None else f"{row['refusals_before']:,}",
        )
        for row in found.slice(0, TOP).to_pylist()
    ]
    heads = ("reason", "refusals in 365 days", "share", "customers", "in the year before")
    return table(heads, rows, numbers=range(1, 5))


def _expected(report: Report) -> str:
    found = report.feedback.expected if report.feedback else None
    if not found:
        return "<p>No purchase that a customer announced is still to come.</p>"
    due = pc.sum(found["overdue"]).as_py()
    lead = f"{found.num_rows:,} customers said when they would buy, and have not since; of {due:,} the day is past"
    rows = [
        (row["customer"], f"{row['expected']}", f"{row['told_on']}", row["channel"] or "")
        for row in found.slice(0, TOP).to_pylist()
    ]
    return f"<p>{lead}{_first(found)}.</p>{table(('customer', 'expects to buy on', 'told on', 'to whom'), rows)}"


def _market(market: Market, setting: Setting) -> str:
    heads = [" and ".join(market.by), "customers", f"spend, {setting.currency}"]
    heads += ["margin"] if market.measure != SPEND else []
    heads += ["cost of service"] if market.measure == RETURN else []
    rows = []
    for each in market.groups[:TOP]:
        sums = [each.spend, *(x for x in (each.margin, each.service_cost) if x is not None)]
        amounts = [setting.whole(x) for x in sums]
        rows.append([each.name, f"{each.customers:,}", *amounts, measure_said(market.measure, each.measure, setting)])
    heads.append(per(market.measure, setting))
    best = market.best.name if market.best else None
    lead = f"<p>{escape(best_said(market, setting))}</p>" if best else ""
    more = f"<p class=quiet>The first {TOP} of {len(market.groups)}.</p>" if len(market.groups) > TOP else ""
    return f"{lead}{table(heads, rows, best, range(1, len(heads)))}{more}"


def _allocation(found: Allocation, setting: Setting) -> str:
    parts = [f"<p>{escape(allocation_said(found, setting))}</p>"]
    if found.classes:
        heads = ("", "customers", f"cost of service per head, {setting.currency}", "spend per head", "cost in spend")
        rows = [
            (
                setting.named(VALUE_DIMENSION, each.class_),
                f"{each.customers:,}",
                f"{setting.whole(each.service_cost, 2)}",
                setting.whole(each.spend),
                share(each.service_cost, each.spend),
            )
            for each in found.classes
        ]
        parts.append(table(heads, rows, numbers=range(1, 5)))
    said = [
        f"{place.dimension} {setting.named(place.dimension, place.class_)}: {setting.whole(place.last, 2)} against "
        f"{setting.whole(place.first, 2)}"
        for place in found.places
    ]
    if said:
        parts.append(f"<p>Where the lowest class costs more per head than the first:</p>{bullets(said)}")
    return "".join(parts)


def _health(report: Report) -> str:
    found, setting = report.health, report.setting
    parts = [bullets([*health_said(found), *(f"Mind: {each}" for each in found.cautions)])]
    rows = [(name, f"{many:,}", share(many, found.rows)) for name, many in found.unknown.items() if many]
    if rows:
        parts.append("<p>Of whom the fact behind a class is not known, so that the class is U:</p>")
        parts.append(table(("dimension", "customers", "share"), rows, numbers=[1, 2]))
    if found.illegal.num_rows:
        moves = [
            (row["customer"], row["dimension"], setting.named(row["dimension"], row["class"]),
             setting.named(row["dimension"], row["raw_class"]))
            for row in found.illegal.slice(0, TOP).to_pylist()
        ]  # fmt: skip
        parts.append(table(("customer", "dimension", "stays", "the records say"), moves))
    return "".join(parts)


def _first(mine: pa.Table) -> str:
    return f"; the first {TOP}" if mine.num_rows > TOP else ""
