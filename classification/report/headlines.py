"""A report in sentences: what one reads who reads nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.compute as pc

from classification.past import VALUE_DIMENSION
from classification.report.alerts import Alerts
from classification.report.allocation import Allocation
from classification.report.causes import NAMES, in_total
from classification.report.health import Health
from classification.report.market import MARGIN, RETURN, Market
from classification.report.moves import DOWN, MARKS, UP
from classification.report.report import Report
from classification.report.setting import Setting, month_said, share
from classification.report.stars import Fared

PER = {RETURN: "margin per {c} of service cost", MARGIN: "margin per head", "spend": "spend per head"}


def headlines(report: Report) -> list[str]:
    """The sentences at the top of the page, which the command prints too."""
    return [*_base(report), *_moves(report), *_outlook(report), *health_said(report.health)]


def _base(report: Report) -> Iterator[str]:
    setting, value = report.setting, report.migrations.get(VALUE_DIMENSION)
    within = ", ".join(f"{n} {setting.named(n, c)}" for n, c in report.within.items())
    who = f"{report.customers:,} customers{f' of {within}' if within else ''}"
    if value is None:
        yield f"{who} at the end of {month_said(report.month.name)}."
        return
    now, then = int(value.spend_after.sum()), int(value.spend_before.sum())
    said = f"{who} at the end of {month_said(report.month.name)} had spent {setting.amount(now)} in 365 days"
    if report.against and then:
        turn = f"{abs(now / then - 1):.1%} {'more' if now >= then else 'less'}"
        said += (
            f", {turn} than in {month_said(report.against.name)}; {value.joined:,} joined since, {value.left:,} left"
        )
    yield f"{said}."
    if VALUE_DIMENSION not in report.within and value.after[0]:
        first, n = setting.named(VALUE_DIMENSION, value.classes[0]), int(value.after[0])
        hold = share(value.spend_after[0], now)
        yield f"{n:,} of them, {share(n, report.customers)}, are of class {first}; they hold {hold} of the spend."


def _moves(report: Report) -> Iterator[str]:
    if report.against is None:
        yield "It is the first month that was graded: there is nothing to hold it against."
        return
    mine = report.moves.filter(pc.equal(report.moves["dimension"], VALUE_DIMENSION))
    up, down = (pc.sum(pc.equal(mine["direction"], way)).as_py() or 0 for way in (UP, DOWN))
    yield f"{up:,} were promoted to a higher class of value, {down:,} demoted."
    for name in (each for each in MARKS if each in report.migrations):
        new = pc.sum(pc.equal(report.newcomers["dimension"], name)).as_py() or 0
        yield f"New {name} customers: {new:,}; no longer {name}: {report.migrations[name].losses[0]:,}."
    total = in_total(report.causes)
    if total.raw > total.unshared:
        parts = sorted(zip(total.shares, NAMES, strict=True), reverse=True)
        shown = [(part / total.raw, name) for part, name in parts if part / total.raw > 0.005]
        told = ", ".join(f"{part:.0%} {_owner(name)}" for part, name in shown)
        yield f"Of the {total.raw:,} changes of raw class in all dimensions {told}."


def _owner(name: str) -> str:
    known = {"own facts": "come from customers' own facts", "cut-offs": "from cut-offs that moved"}
    return known.get(name, f"from another {name}")


def alerts_said(found: Alerts) -> str:
    """How many customers were watched and judged, and of how many there is something to tell."""
    watched = f"{found.watched:,} key customers are watched"
    if not found.watched:
        return "there are no key customers to watch."
    judged = "all judged" if found.judged == found.watched else f"{found.judged:,} of them judged"
    if not found.judged:
        judged = "none judged: too little is known of earlier months to compare with"
    return f"{watched}, {judged}; {found.table.num_rows:,} alerts."


def _outlook(report: Report) -> Iterator[str]:
    if report.alerts is None:
        yield "Early warning did not run for this month."
    else:
        yield f"Early warning: {alerts_said(report.alerts)}"
    if report.stars.fared:
        yield fared_said(report.stars.fared)
    for market in report.markets:
        if market.best:
            yield best_said(market, report.setting)
    yield allocation_said(report.allocation, report.setting)


def fared_said(fared: Fared) -> str:
    """What became of an earlier list of stars."""
    base = share(fared.asked_rose, fared.asked)
    said = (
        f"Of the {fared.listed:,} stars of {month_said(fared.month)} {fared.rose:,} are of a higher class now, "
        f"{share(fared.rose, fared.listed)}; of all {fared.asked:,} who were asked about, {base}"
    )
    late = "" if fared.due else f"; the {fared.days} days that they were given are not over"
    return f"{said}{late}."


def best_said(market: Market, setting: Setting) -> str:
    """Which group returns most."""
    best = market.best
    if best is None or best.measure is None or market.overall is None:
        return ""
    where = " and ".join(market.by)
    ours, all_ = (measure_said(market.measure, each, setting) for each in (best.measure, market.overall))
    return f"Core market by {where}: {best.name}, {ours} of {per(market.measure, setting)}; all customers: {all_}."


def per(measure: str, setting: Setting) -> str:
    """What groups are ranked by."""
    return PER[measure].format(c=setting.currency)


def measure_said(measure: str, value: float | None, setting: Setting) -> str:
    """A group's measure; a dash where it is not ranked."""
    if value is None:
        return "–"
    return f"{round(value, 2) + 0.0:,.2f}" if measure == RETURN else f"{setting.whole(value)}"


def allocation_said(found: Allocation, setting: Setting) -> str:
    """Whether service goes where it should."""
    if not found.classes:
        return "No cost of service is on record for the last 365 days: nobody can say whether service follows value."
    costs = [f"{setting.named(VALUE_DIMENSION, e.class_)} {setting.amount(e.service_cost, 2)}" for e in found.classes]
    told = f"service costs per head: {', '.join(costs)}"
    if len(found.classes) == 1:
        return f"Only one class is looked at; {told}."
    if found.same:
        return f"All classes of value cost the same to serve, within 5 %: service does not follow value; {told}."
    if found.upside_down:
        first, last = found.classes[0].class_, found.classes[-1].class_
        return f"{last} costs more to serve per head than {first}: service is upside down; {told}."
    return f"Service follows value{'' if found.follows else ' only in part'}; {told}."


def health_said(found: Health) -> list[str]:
    """Whether the classification is whole, and what is wrong where it is not."""
    if found.whole:
        said = [f"Nobody is unclassified: each of {found.rows:,} customers has one class in each dimension."]
    else:
        twice = found.rows - found.distinct
        said = [f"{found.unclassified:,} customers lack a class, and {twice:,} are in the month twice: grade it again."]
    if found.graded is not None and found.graded != found.rows:
        said.append(f"{found.graded - found.rows:,} of the {found.graded:,} that were graded were erased since.")
    if found.illegal.num_rows:
        said.append(
            f"{found.illegal.num_rows:,} moves cannot be: the records of these customers are wrong, or were restated."
        )
    return said
