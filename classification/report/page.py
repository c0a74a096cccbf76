"""The report as one HTML page that needs nothing beside itself: no script, no other file, no address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from classification.migration import JOINED, LEFT, Migration
from classification.report import plots
from classification.report.base import HANDLE
from classification.report.headlines import headlines
from classification.report.report import PROMINENT, Report
from classification.report.sections import sections
from classification.report.setting import Setting, month_said, share, signed
from training.html import bullets, image, page, section, table

STYLE = """
body { max-width: 68rem; } h3 { font-size: 1rem; margin: 1.6rem 0 .2rem; } .quiet { font-size: .9rem; }
.lead li { margin: .15rem 0; } table { font-size: .9rem; } td { border-bottom: 1px solid #f0f0f0; }
td:first-child { white-space: nowrap; } th { vertical-align: bottom; } th.number { white-space: normal; }
.pair { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
.pair > * { flex: 1 1 28rem; min-width: 0; }
.pair img, .chart img { width: 100%; } .chart { max-width: 52rem; }
.matrix td, .matrix th { text-align: right; padding: .15rem .55rem; }
.matrix .side { text-align: left; font-weight: normal; border-bottom: 1px solid #f0f0f0; }
.matrix .stays { color: #888; background: #f4f4f4; } .matrix .sum { border-left: 1px solid #999; }
details { margin: .3rem 0; } summary { cursor: pointer; } summary span { color: #666; }
@media print { details { display: none; } h2 { break-after: avoid; } table, img { break-inside: avoid; } }
"""

NONE = "·"


def to_html(report: Report) -> str:
    """The whole page; the same bytes for the same report."""
    title = f"{report.setting.title}: {month_said(report.month.name)}"
    parts = [
        f"<h1>{escape(title)}</h1><p class=quiet>{escape(_subtitle(report))}</p>",
        f"<div class=lead>{bullets(headlines(report))}</div>",
        *(_prominent(report, name) for name in PROMINENT if name in report.migrations),
        *sections(report),
        section("The other dimensions", "".join(_others(report))),
        section("How to read this", bullets(_notes(report))),
    ]
    return page(title, parts, STYLE)


def _subtitle(report: Report) -> str:
    against = f"beside {month_said(report.against.name)}" if report.against else "the first month that was graded"
    within = "".join(f"; only {n} {report.setting.named(n, c)}" for n, c in report.within.items())
    return (
        f"Monthly report, {against}{within}. Customers and spend of the 365 days before {report.month.as_of}; "
        f"release {report.month.release}, scheme {report.month.scheme}. For use in the company only."
    )


def _prominent(report: Report, name: str) -> str:
    """One dimension at length: its classes, its history, who moved from where to where."""
    setting, found = report.setting, report.migrations[name]
    there = np.flatnonzero(found.before + found.after)
    shades = plots.colours([found.classes[i] for i in there], name not in _ordered(setting))
    history = next((each for each in report.histories if each.dimension == name), None)
    parts = [_sizes(report, found)]
    pictures = []
    if history and len(history.months) > 1:
        money = name in _ordered(setting)
        caption = "What each class had spent, month by month" if money else "Customers of each class, month by month"
        pictures.append(_figure(caption, plots.history(history, setting, shades, money)))
    if report.against and (found.gains.any() or found.losses.any()):
        caption = f"Who changed class since {month_said(report.against.name)}; {found.stayed.sum():,} stayed"
        pictures.append(_figure(caption, plots.flow(found, setting, shades)))
    parts.append(f"<div class=pair>{''.join(pictures)}</div>")
    if report.against:
        parts.append(f"<h3>From which class (rows) to which (columns)</h3>{_matrix(report, found)}")
    return section(setting.scheme.dimensions[name].title, "".join(parts))


def _others(report: Report) -> Iterator[str]:
    for name, found in report.migrations.items():
        if name not in PROMINENT:
            moved = f"{found.moved:,} of {report.customers:,} changed" if report.against else ""
            title = escape(report.setting.scheme.dimensions[name].title)
            matrix = _matrix(report, found) if report.against else ""
            heading = f"<b>{escape(name)}</b> {title} <span>{moved}</span>"
            yield f"<details><summary>{heading}</summary>{_sizes(report, found)}{matrix}</details>"


def _sizes(report: Report, found: Migration) -> str:
    """Customers and spend per class; beside an earlier month: before, came, went, after."""
    setting, against, now = report.setting, report.against, month_said(report.month.name, short=True)
    spend, everyone = int(found.spend_after.sum()), int(found.after.sum())
    heads = [f"customers {now}", "share", f"spend {now}, {setting.currency}", "share"]
    if against:
        then = month_said(against.name, short=True)
        heads = [f"customers {then}", "came", "went", now, "share", "change"]
        heads += [f"spend {then}, {setting.currency}", now, "share", "change"]
    rows: list[list[str]] = []
    for i in np.flatnonzero(found.before + found.after):
        counts, amounts = (int(found.before[i]), int(found.after[i])), (found.spend_before[i], found.spend_after[i])
        flows = f"{found.gains[i]:,}", f"{found.losses[i]:,}"
        cells = _row(setting, counts, flows, amounts, (everyone, spend), against is not None)
        rows.append([setting.named(found.dimension, found.classes[i]), *cells])
    counts, amounts = (int(found.before.sum()), everyone), (found.spend_before.sum(), found.spend_after.sum())
    flows = f"{found.joined:,} joined", f"{found.left:,} left"
    rows.append(["all", *_row(setting, counts, flows, amounts, (everyone, spend), against is not None)])
    return table(["", *heads], rows, "all", range(1, len(heads) + 1))


def _row(
    setting: Setting,
    counts: tuple[int, int],
    flows: tuple[str, str],
    amounts: tuple[float, float],
    totals: tuple[int, int],
    beside: bool,
) -> list[str]:
    """The cells of a class; counts, amounts: before and after; flows: who came and went; totals: of all classes."""
    (before, after), (then, now) = counts, amounts
    shares = share(after, totals[0]), share(now, totals[1])
    if not beside:
        return [f"{after:,}", shares[0], setting.whole(now), shares[1]]
    change = signed(round(setting.major(now - then)))
    customers = [f"{before:,}", *flows, f"{after:,}", shares[0], signed(after - before)]
    return [*customers, setting.whole(then), setting.whole(now), shares[1], change]


def _matrix(report: Report, found: Migration) -> str:
    """Customers from class to class; the darker, the more of those who moved. Whoever stayed is grey."""
    setting, size = report.setting, len(found.classes)
    there = [*np.flatnonzero(found.before + found.after), size]
    most = max(int(max(found.customers[i, j] for i in there for j in there if i != j)), 1)
    names = [*(setting.named(found.dimension, c) for c in found.classes), ""]
    head = "".join(f"<th>{escape(names[j] or LEFT)}</th>" for j in there)
    body = ""
    for i in there:
        cells = "".join(_cell(int(found.customers[i, j]), i == j, most) for j in there)
        total = int(found.customers[i].sum())
        body += f"<tr><th class=side>{escape(names[i] or JOINED)}</th>{cells}<td class=sum>{total:,}</td></tr>"
    sums = "".join(f"<td><b>{int(found.customers[:, j].sum()):,}</b></td>" for j in there)
    foot = f"<tr><th class=side>all</th>{sums}<td class=sum><b>{int(found.customers.sum()):,}</b></td></tr>"
    return f"<table class=matrix><tr><th></th>{head}<th class=sum>all</th></tr>{body}{foot}</table>"


def _cell(count: int, stays: bool, most: int) -> str:
    if stays:
        return f"<td class=stays>{f'{count:,}' if count else ''}</td>"
    shade = f" style='background:rgba(31,95,139,{0.08 + 0.5 * count / most:.2f})'" if count else ""
    return f"<td{shade}>{f'{count:,}' if count else NONE}</td>"


def _figure(caption: str, png: bytes) -> str:
    return f"<div><h3>{escape(caption)}</h3>{image(caption, png)}</div>"


def _ordered(setting: Setting) -> Sequence[str]:
    return [name for name, each in setting.scheme.dimensions.items() if each.share]


def _names(report: Report) -> str:
    return "the company's own ids" if report.own_ids else f"the first {HANDLE} digits of their pseudonyms"


def _notes(report: Report) -> list[str]:
    said = [
        "Spend is net of returns, of the last 365 days; where returns exceed purchases it counts as 0.",
        "Every customer of either month is in each matrix once: before + came − went = after, for each class.",
        f"Customers are told by {_names(report)}; the files beside this page list all.",
    ]
    if report.within:
        said.append(
            "Only customers who are of the class at the end of the later month are told of, with what they were before."
        )
    return said
