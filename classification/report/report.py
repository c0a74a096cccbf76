"""The report of a month, as data: everything that the page and the CSV files tell.

It stays in the company: it names customers by the first digits of their pseudonyms, and tells what few of them spent.
Only what leaves the workspace for others to read, such as the comparison of releases, keeps back sums of fewer than
`classification.swap.FEWEST_TOLD` customers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from classification.migration import Migration, migrations
from classification.months import Month, find_month, months
from classification.past import VALUE_DIMENSION
from classification.report.alerts import Alerts, read_alerts
from classification.report.allocation import Allocation, allocation
from classification.report.base import Naming, handles, read_base, read_period
from classification.report.causes import Cause, causes
from classification.report.feedback import Feedback, read_feedback
from classification.report.health import Health, health
from classification.report.history import History, histories
from classification.report.market import Market, markets
from classification.report.moves import moves, newcomers
from classification.report.setting import Setting
from classification.report.stars import Stars, stars
from features.errors import InputError
from features.workspace import Workspace

PROMINENT = (VALUE_DIMENSION, "lifecycle")
"""The dimensions that a report shows at length."""


@dataclass(frozen=True)
class Report:
    """A month beside an earlier one, `against`; None where there is none: then everybody has joined.

    within: dimension → class, of which all customers told of are; migrations: dimension → who moved; moves, newcomers:
    tables of `classification.report.moves`; alerts, feedback: None where the month
    was graded without; own_ids: whether
    customers are told by the company's own ids.
    """

    month: Month
    against: Month | None
    within: Mapping[str, str]
    setting: Setting
    migrations: Mapping[str, Migration]
    moves: pa.Table
    newcomers: pa.Table
    causes: tuple[Cause, ...]
    stars: Stars
    alerts: Alerts | None
    feedback: Feedback | None
    markets: tuple[Market, ...]
    allocation: Allocation
    health: Health
    histories: tuple[History, ...]
    own_ids: bool = False

    @property
    def customers(self) -> int:
        """Those told of."""
        return self.health.rows


def make_report(
    workspace: Workspace,
    setting: Setting,
    name: str | None = None,
    against: str | None = None,
    within: Mapping[str, str] | None = None,
    naming: Naming = handles,
) -> Report:
    """Tell of a month, by default the last, beside an earlier one, by default the one before it, from their folders.

    Raises InputError for months that were not graded, or are in the wrong order.
    """
    within, known = within or {}, months(workspace)
    month = find_month(workspace, name)
    earlier = [each for each in known if each.as_of < month.as_of]
    other = find_month(workspace, against) if against else earlier[-1] if earlier else None
    if other and other not in earlier:
        raise InputError("--against", f"{other.name}", f"a month before {month.name}")
    between = [each for each in known if other and other.as_of < each.as_of <= month.as_of]
    period = read_period(read_base(month), other, between, within)
    scheme, base = setting.scheme, period.after
    orders = {n: dimension.all for n, dimension in scheme.dimensions.items() if n in base.classes}
    spend = period.before.spend, base.spend
    shown = {n: order for n, order in orders.items() if n in PROMINENT}
    return Report(
        month=month,
        against=other,
        within=within,
        setting=setting,
        migrations=migrations(orders, period.before.classes, base.classes, spend, period.paired),
        moves=moves(period, scheme, naming),
        newcomers=newcomers(period, scheme, naming),
        causes=causes(period.changes, list(orders)),
        stars=stars(base, earlier, setting, within, naming),
        alerts=read_alerts(base, naming),
        feedback=read_feedback(base, within, naming),
        markets=markets(base, setting),
        allocation=allocation(base, setting),
        health=health(base, not within, scheme, naming),
        histories=histories(earlier, base, shown, within),
        own_ids=naming is not handles,
    )
