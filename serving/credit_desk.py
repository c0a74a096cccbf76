"""Where persons decide about a customer's credit: made, contested and reviewed decisions, each with who and why."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from classification.credit.advice import advice_of
from classification.credit.decisions import Act, CreditDecision, add_row, check_act, decisions
from features.errors import InputError
from features.tables.audit import Audit
from features.tables.consents import read_consents
from features.tables.holds import knows
from features.tables.merges import read_merges
from features.tables.person import Person, find_person, unknown_customer
from features.tables.privacy import Pseudonyms
from features.tables.vault import open_vault
from features.workspace import Workspace, alone
from serving.desk import check_reason


@dataclass(frozen=True)
class Said:
    """What a person says of a customer's credit. outcome, limit (minor currency units): null with `contested`;
    decision: the number of the decision that is contested or reviewed, by default the customer's last."""

    act: Act
    reason: str
    outcome: str | None = None
    limit: int | None = None
    decision: str | None = None


@dataclass(frozen=True)
class CreditDesk:
    """The decisions of one workspace; audit: its log, with who acts."""

    workspace: Workspace
    pseudonyms: Pseudonyms
    audit: Audit

    def say(self, raw_id: str, said: Said, today: date) -> CreditDecision:
        """Note an act, with what is advised today beside a decision, and return the decision as it then stands.

        Raises UnknownCustomerError for a customer nobody knows; InputError for a reason that is none or carries an id,
        and for an act that cannot follow (`check_act`).
        """
        person = self._person(raw_id)
        if not said.reason.strip():
            raise InputError("--reason", "nothing", "why a person decides so")
        check_reason(said.reason, person)
        folder = self.workspace.decisions
        with alone(self.workspace.home):  # others wait until this act is noted
            folder.mkdir(mode=0o700, exist_ok=True)
            before = self._meant(decisions(folder, person.ids), said) if said.act != "decided" else None
            row = self._row(person, raw_id, said, before, today)
            check_act(row, before)
            self.audit.append(f"credit {said.act}", person, said.reason, decision=row["decision"], outcome=said.outcome)
            add_row(folder, row)
            return next(each for each in decisions(folder, person.ids) if each.decision == row["decision"])

    def of(self, raw_id: str) -> list[CreditDecision]:
        """The decisions about a customer, as they stand."""
        return decisions(self.workspace.decisions, self._person(raw_id).ids)

    def advice(self, raw_id: str) -> dict[str, Any] | None:
        """What is advised about a customer, of a merged one its survivor; None where nothing is, or where it objects to
        profiling."""
        return self._advice(self._person(raw_id), raw_id)

    def _advice(self, person: Person, raw_id: str) -> dict[str, Any] | None:
        if person.ids & read_consents(self.workspace.tables).no_profiling:
            return None
        own = self.pseudonyms.of(raw_id)
        return advice_of(self.workspace, read_merges(self.workspace.tables).get(own, own))

    def _person(self, raw_id: str) -> Person:
        """The person behind one of the company's ids. Raises InputError for an unknown one."""
        tables = self.workspace.tables
        person = find_person(tables, open_vault(tables, self.pseudonyms), self.pseudonyms, raw_id)
        if not knows(tables, person):
            raise unknown_customer(self.workspace.home)
        return person

    def _meant(self, mine: list[CreditDecision], said: Said) -> CreditDecision | None:
        """The decision that an act is about."""
        return next((each for each in reversed(mine) if said.decision in (None, each.decision)), None)

    def _row(
        self, person: Person, raw_id: str, said: Said, before: CreditDecision | None, today: date
    ) -> dict[str, Any]:
        advice = self._advice(person, raw_id) if said.act == "decided" else None
        return {
            "decision": before.decision if before else secrets.token_hex(8),
            "customer_id": before.customer_id if before else self.pseudonyms.of(raw_id),
            "act": said.act,
            "outcome": said.outcome,
            "limit": said.limit,
            "advice": json.dumps(advice, ensure_ascii=False) if advice else None,
            "by": self.audit.by,
            "reason": said.reason,
            "on": today,
            "at": datetime.now(UTC),
        }
