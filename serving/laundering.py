"""Where the laundering records of a workspace are seen and decided on, by who has the key of the role.

Nothing of it goes into the audit log, which others read: every act and every look is noted in a sealed log of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from classification.laundering import reviews
from classification.laundering.alerts import OPEN, check_outcome, decided_until, read_alerts, states
from classification.laundering.coverage import customers_at
from classification.laundering.page import to_html
from classification.laundering.records import Records, open_records
from classification.laundering.register import NOTHING, Inputs, current, grade_register, merges_in, scheme_of
from classification.laundering.report import InstitutionReport, institution_report
from classification.laundering.reviews import Reviewed, read_acts, reviewed
from classification.laundering.scheme import LaunderingScheme, laundering_text
from features.calendar import today
from features.company import Company
from features.errors import InputError
from features.progress import Progress, silent
from features.tables.audit import this_user
from features.tables.ingest import data_end
from features.tables.merges import read_merges
from features.tables.person import own_ids, unknown_customer
from features.tables.privacy import Pseudonyms, check_same_key, load_pseudonyms
from features.tables.vault import open_vault
from features.workspace import Workspace
from serving.steps import Job

Row = dict[str, Any]


@dataclass(frozen=True)
class Officer:
    """A person of the role at work. today: the company's day; until: the end of the data."""

    workspace: Workspace
    pseudonyms: Pseudonyms
    records: Records
    company: Company
    title: str
    today: date
    until: date

    def grade(self, scheme: str, on: date, inputs: Inputs = NOTHING, progress: Progress = silent) -> pa.Table:
        """Everybody graded at a day, by a scheme's version or file; returns the register.

        Raises InputError for a day after the end of the data: what happens until then is not known yet.
        """
        if on > self.until:
            raise InputError("--on", str(on), f"a day up to {self.until}, the end of the data")
        text = laundering_text(scheme)
        return grade_register(self.records, self.workspace, self.company, text, on, inputs, progress)

    def decided(self) -> dict[tuple[str, str], date]:
        """(customer, typology) → the last day of its alerts that are decided: what is looked for begins after it."""
        alerts = read_alerts(self.records, read_merges(self.workspace.tables))
        return decided_until(alerts, reviews.outcomes(read_acts(self.records)))

    def note(self, action: str, **said: Any) -> None:
        """Note in the log what is done with the key of the role. Raises InputError for another key."""
        with self.records.changing() as now:
            now.note(action, **said)

    def show(self, raw_id: str) -> tuple[Row, LaunderingScheme, list[reviews.Act], list[Row]]:
        """A customer's row with its evidence, the scheme, the acts and the alerts of it; the log notes the look.

        Raises InputError for who is not in the register.
        """
        with self.records.changing() as now:
            row, scheme = self._row(now, raw_id)
            now.note("show", row["customer_id"])
            under = read_merges(self.workspace.tables)
            alerts = self._alerts(now)
            acts = [a for a in read_acts(now) if under.get(a["customer_id"], a["customer_id"]) == row["customer_id"]]
        return row, scheme, acts, [each for each in alerts if each["customer_id"] == row["customer_id"]]

    def assess(self, raw_id: str, grade: str, reason: str) -> bool:
        """Set or keep a customer's grade, whatever the system says; whether it waits for a second person.

        Raises InputError for who is not in the register, a grade that is none, and a reason that is none.
        """
        with self.records.changing() as now:
            row, scheme = self._row(now, raw_id)
            if grade not in scheme.rank:
                raise InputError("--grade", f"'{grade}'", f"one of {', '.join(scheme.grades)}")
            said = {"grade": grade, "earlier": row["grade"]}
            said |= {"basis": row["as_of"], "basis_grade": row["system_grade"]}
            reviews.add_act(now, reviews.ASSESS, row["customer_id"], self.today, reason, **said)
        return reviews.needs_second(scheme, grade, row["grade"])

    def confirm(self, raw_id: str, grade: str, reason: str) -> None:
        """Confirm, as a second person, the assessment of a customer that waits for one; grade: what it says.

        Raises InputError where none waits, for the person who made it, for another grade, and where the customer came
        to the highest grade, or news came, after what the first person saw.
        """
        with self.records.changing() as now:
            row, scheme = self._row(now, raw_id)
            mine = self._reviewed(now, scheme).get(row["customer_id"], Reviewed())
            waiting = reviews.check_confirms(mine, now.by, grade)
            if row["grade"] == scheme.top:
                reviews.check_saw(scheme, waiting, row["since"], row["signal"])
            reviews.add_act(now, reviews.CONFIRM, row["customer_id"], self.today, reason, refers=waiting.id)

    def diligence(self, raw_id: str, kind: str, on: date | None, reason: str) -> None:
        """Note that due diligence was done, of which kind, and on which day."""
        reviews.check_diligence(kind)
        day = on or self.today
        if day > self.today:
            raise InputError("--on", str(day), f"a day up to {self.today}")
        with self.records.changing() as now:
            row, _ = self._row(now, raw_id)
            reviews.add_act(now, reviews.DILIGENT, row["customer_id"], self.today, reason, kind=kind, on=day)

    def decide(self, alert: int, outcome: str, reason: str) -> None:
        """Say what comes of an alert; a later word takes the place of an earlier one."""
        check_outcome(outcome)
        with self.records.changing() as now:
            found = [each for each in self._alerts(now) if each["alert_id"] == alert]
            if not found:
                raise InputError("ALERT", f"{alert}", "the number of an alert", "See `scoring laundering alerts`.")
            customer = found[0]["customer_id"]
            reviews.add_act(now, reviews.OUTCOME, customer, self.today, reason, refers=alert, kind=outcome)

    def alerts(self, everything: bool = False) -> list[Row]:
        """The alerts, open ones or all, the strongest first, each with its state; the log notes the look."""
        with self.records.changing() as now:
            now.note("alerts")
            found = [each for each in self._alerts(now) if everything or each["state"] == OPEN]
        return sorted(found, key=lambda each: (-(each["strength"] or 0), each["alert_id"]))

    def due(self, days: int) -> list[Row]:
        """The customers whose review is due within some days or overdue, whose assessment waits for a second person,
        or of whom less due diligence is on record than the grade asks where that is enhanced; first due first."""
        with self.records.changing() as now:
            now.note("due", days=days)
            found = current(now, self.workspace, self.today)
        soon = pc.less_equal(found["review_due"], pa.scalar(self.today + timedelta(days=days), pa.date32()))
        enhanced = pc.and_(pc.equal(found["due_diligence"], "enhanced"), found["diligence_lacks"])
        found = found.filter(pc.or_(pc.or_(soon, found["waits"]), enhanced))
        return list(found.sort_by([("review_due", "ascending"), ("customer_id", "ascending")]).to_pylist())

    def ungraded(self) -> list[str]:
        """The pseudonyms of customers who are not in the last register: they came after it."""
        there = customers_at(self.workspace.tables, self.company.timezone, self.until)
        return sorted(there - frozenset(self.records.register()["customer_id"].to_pylist()))

    def report(self) -> tuple[InstitutionReport, str]:
        """The institution's report as of today, and its page."""
        with self.records.changing() as now:
            now.note("report")
            found = institution_report(now, self.workspace, self.title, self.company.timezone, self.today)
        return found, to_html(found)

    def names(self, ids: Collection[str]) -> dict[str, str]:
        """The company's own ids of pseudonyms, as far as the vault has them."""
        return own_ids(open_vault(self.workspace.tables, self.pseudonyms), ids)

    def _row(self, now: Records, raw_id: str) -> tuple[Row, LaunderingScheme]:
        """A customer's row as it stands today, and the scheme."""
        id_ = self.pseudonyms.of(raw_id)
        customer = read_merges(self.workspace.tables).get(id_, id_)
        rows = current(now, self.workspace, self.today, customer)
        if not rows.num_rows:
            raise unknown_customer(self.workspace.laundering)
        return rows.to_pylist()[0], scheme_of(rows)

    def _reviewed(self, now: Records, scheme: LaunderingScheme) -> dict[str, Reviewed]:
        return reviewed(read_acts(now), scheme, merges_in(now.register(), read_merges(self.workspace.tables)))

    def _alerts(self, now: Records) -> list[Row]:
        """Every alert with its state, under the customer that its id is merged with."""
        found = read_alerts(now, read_merges(self.workspace.tables))
        said = states(found, reviews.outcomes(read_acts(now)))
        return [row | {"state": state} for row, state in zip(found.to_pylist(), said, strict=True)]


def open_officer(job: Job, by: str | None = None) -> Officer:
    """The officer's desk of a job's workspace; by: who acts, by default the user of this computer.

    Raises InputError without tables, with another key than theirs, and without the key of the role.
    """
    pseudonyms, report = load_pseudonyms(), job.report()
    check_same_key(pseudonyms, report["key"], job.workspace.tables)
    return officer_of(job.workspace, pseudonyms, report, job.source.title, by or this_user())


def officer_of(workspace: Workspace, pseudonyms: Pseudonyms, report: Row, title: str, by: str) -> Officer:
    """The same where the tables' key is known to be right; report: what ingest noted of itself."""
    records = open_records(workspace, by)
    company = Company.from_json(report["company"])
    return Officer(workspace, pseudonyms, records, company, title, today(company.timezone), data_end(report))
