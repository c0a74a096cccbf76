"""The institution's report as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from html import escape

from classification.laundering.report import LEFT, NEW, SOON, InstitutionReport
from classification.laundering.scheme import LaunderingScheme
from classification.report.page import STYLE
from classification.report.setting import share, signed
from training.html import bullets, page, section, table


def to_html(report: InstitutionReport) -> str:
    """The whole page; the same bytes for the same report."""
    title = f"{report.title}: money-laundering grades, {report.on}"
    against = f"beside that of {report.against}" if report.against else "the first one"
    under = (
        f"Register of {report.as_of}, {against}; decisions of persons through {report.on}; scheme "
        f"{report.scheme.version}. Confidential: for those who may see laundering grades only."
    )
    parts = [
        f"<h1>{escape(title)}</h1><p class=quiet>{escape(under)}</p>",
        f"<div class=lead>{bullets(headlines(report))}</div>",
        section("Customers of each grade", _grades(report)),
        section("What the grades follow from", _grounds(report)),
        section("Reviews and due diligence", _duties(report)),
        section("Alerts", _alerts(report)),
        section("How much is known", _known(report)),
        section("How to read this", bullets(_notes(report))),
    ]
    return page(title, parts, STYLE)


def headlines(report: InstitutionReport) -> list[str]:
    """What whoever reads nothing else should know."""
    found, duties = report.coverage, report.duties
    if found.whole:
        said = [f"Comprehensive: {found.customers:,} customers at {report.as_of}, and each has one grade."]
    else:
        said = [f"{found.ungraded:,} of {found.customers:,} customers have no grade, and {found.twice:,} have two."]
    if found.gone:
        said.append(f"{found.gone:,} of the register were erased from the tables since; the register keeps them.")
    top = duties[0]
    everyone = sum(each.customers for each in duties)
    said.append(f"{_named(report, top.grade)}: {top.customers:,}, {share(top.customers, everyone)} of all.")
    overdue, lacks = sum(each.overdue for each in duties), sum(each.lacks for each in duties)
    said.append(f"Reviews overdue: {overdue:,}; due within {SOON} days: {sum(each.soon for each in duties):,}.")
    said.append(f"Less due diligence on record than the grade asks: {lacks:,} customers.")
    days = report.scheme.new_within_working_days
    late = f"Graded later than {days} working days after they came: {report.late:,} of {report.late + report.in_time:,}"
    said.append(f"{late} who came since the register began; not known when they came: {report.unknown:,}.")
    still = sum(count for (_, _, state), count in report.alerts.items() if state == "open")
    return [*said, f"Alerts: {sum(report.alerts.values()):,}, of which {still:,} are open."]


def _grades(report: InstitutionReport) -> str:
    everyone = sum(each.customers for each in report.duties)
    heads = ["", "customers", "share"]
    rows = [[_named(report, d.grade), f"{d.customers:,}", share(d.customers, everyone)] for d in report.duties]
    if report.against:
        heads += [str(report.against), "change"]
        for row, duty in zip(rows, report.duties, strict=True):
            before = report.before.get(duty.grade, 0)
            row += [f"{before:,}", signed(duty.customers - before)]
    found = table(heads, rows, numbers=range(1, len(heads)))
    return found + (_moves(report) if report.against else "")


def _moves(report: InstitutionReport) -> str:
    """From which grade to which."""
    sides, to = (*report.scheme.grades, NEW), (*report.scheme.grades, LEFT)
    rows = [[_named(report, a), *(f"{report.moves.get((a, b), 0):,}" for b in to)] for a in sides]
    heads = ["", *(_named(report, b) for b in to)]
    return f"<h3>From which grade (rows) to which (columns)</h3>{table(heads, rows, numbers=range(1, len(heads)))}"


def _grounds(report: InstitutionReport) -> str:
    rank = {grade: i for i, grade in enumerate(report.scheme.grades)}
    found = sorted(report.grounds.items(), key=lambda each: (rank[each[0][0]], -each[1], each[0][1]))
    rows = [[_named(report, grade), ground_said(report.scheme, ground), f"{n:,}"] for (grade, ground), n in found]
    return table(["grade", "ground", "customers"], rows, numbers=[2])


def _duties(report: InstitutionReport) -> str:
    heads = ["", "reviewed every", "overdue", f"due in {SOON} days", "waiting for a second person"]
    heads += ["due diligence", "on record", "lacking"]
    rows = []
    for each in report.duties:
        days = f"{report.scheme.review_days[each.grade]} days"
        counts = (f"{n:,}" for n in (each.overdue, each.soon, each.waits))
        kept = f"{each.customers - each.lacks:,}"
        rows.append([_named(report, each.grade), days, *counts, each.due_diligence, kept, f"{each.lacks:,}"])
    return table(heads, rows, numbers=[1, 2, 3, 4, 6, 7])


def _alerts(report: InstitutionReport) -> str:
    if not report.alerts:
        return "<p>No alerts on record.</p>"
    rows = [[*group, f"{count:,}"] for group, count in sorted(report.alerts.items())]
    return table(["typology", "stage", "outcome", "alerts"], rows, numbers=[3])


def _known(report: InstitutionReport) -> str:
    factors = report.scheme.factors
    rows = [
        [factors[name].element, factors[name].title, f"{factors[name].weight:g}", f"{100 * known:.1f} %"]
        for name, known in report.known.items()
    ]
    return table(["element", "factor", "weight", "known of"], rows, numbers=[2, 3])


def ground_said(scheme: LaunderingScheme, ground: str) -> str:
    """A ground in words."""
    kind, _, name = ground.partition(":")
    match kind:
        case "highest":
            return f"straight to the highest grade: {scheme.highest[name].title}"
        case "lowest":
            return f"straight to the lowest grade: {scheme.lowest[name].title}"
        case "upgrade":
            return f"raised: {scheme.upgrades[name].title}"
        case "model":
            return "raised by the model"
        case "review":
            return "a person's review"
        case "held":
            return "the highest grade before, until it is reviewed"
        case _:
            return "total score"


def _named(report: InstitutionReport, grade: str) -> str:
    return f"{grade} {report.scheme.names[grade]}" if grade in report.scheme.names else grade


def _notes(report: InstitutionReport) -> list[str]:
    return [
        "Customers are counted twice, by two ways: as they are graded, and from the tables.",
        "A grade is advice with its evidence; a person assesses, and a second one confirms.",
        "Who had to be graded before the register began is graded at the first run, and does not count as late.",
        f"A review is due {', '.join(f'{d} days ({g})' for g, d in report.scheme.review_days.items())} after the last.",
        "Typologies and model are tested on simulated data only.",
    ]
