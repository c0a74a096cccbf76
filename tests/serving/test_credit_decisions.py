"""A person decides about credit, with a reason; the customer contests; somebody else reviews; nothing gets lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from classification.credit.advice import SCHEMA, write_advice
from classification.credit.attribute import note_grades
from classification.credit.decisions import decisions, read_rows
from features.attributes import attribute_table
from features.errors import InputError
from features.tables.audit import open_audit
from features.tables.person import UnknownCustomerError
from features.tables.privacy import Pseudonyms
from features.workspace import Workspace
from serving.access import document
from serving.credit_desk import CreditDesk, Said
from serving.desk import Desk
from serving.forgetting import forget
from serving.opt_out import opt_out
from tests.serving.conftest import Months
from tests.small_world import ANNA, BERT, contents, small_world

TODAY = date(2026, 4, 2)
REFUSED = Said("decided", "three invoices open for months", "refused")
CONTESTED = Said("contested", "the goods came back")
REVIEWED = Said("reviewed", "the returns were booked late", "limited", 50_000)
ADVISED = {
    "probability": 0.2, "score": 488.0, "grade": "C", "percentile": 31.0, "limit": 120_000, "open": 4_000,
    "reasons": ["paid 12 days late on average"], "advice": "a smaller limit",
}  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path, pseudonyms: Pseudonyms) -> Desk:
    """A small company, of whose customers Anna has been advised about."""
    found = small_world(tmp_path, pseudonyms)
    rows = [{"customer_id": pseudonyms.of(ANNA), **ADVISED}]
    about = {"model": "bank.arrears", "version": 3}
    write_advice(found.workspace, TODAY, pa.Table.from_pylist(rows, SCHEMA), about)
    return found


def at(desk: Desk, by: str = "eva") -> CreditDesk:
    return CreditDesk(desk.workspace, desk.pseudonyms, open_audit(desk.workspace.home, by))


def test_a22_a_decision_is_recorded_contested_and_reviewed(desk: Desk) -> None:
    """With what was advised on the day; by whom, when and why; every act stays."""
    made = at(desk).say(ANNA, REFUSED, TODAY)
    assert (made.outcome, made.state, made.by, made.on) == ("refused", "decided", "eva", TODAY)
    assert '"grade": "C"' in str(made.advice) and '"version": 3' in str(made.advice)
    assert at(desk).say(ANNA, CONTESTED, TODAY).state == "contested"
    done = at(desk, "max").say(ANNA, REVIEWED, TODAY)
    assert (done.outcome, done.limit, done.state, done.by, done.decided_by) == (
        "limited", 50_000, "reviewed", "max", "eva",
    )  # fmt: skip
    assert read_rows(desk.workspace.decisions)["act"].to_pylist() == ["decided", "contested", "reviewed"]
    lines = [line["action"] for line in desk.audit.lines(desk.person(ANNA))]
    assert lines == ["credit decided", "credit contested", "credit reviewed"]


@pytest.mark.parametrize(
    ("before", "said", "by", "place"),
    [
        ([], CONTESTED, "eva", "--decision"),
        ([REFUSED], REVIEWED, "max", "--decision"),
        ([REFUSED, CONTESTED], CONTESTED, "max", "--decision"),
        ([REFUSED, CONTESTED], REVIEWED, "eva", "--by"),
        ([REFUSED, CONTESTED], REVIEWED, " Eva", "--by"),
        ([REFUSED], replace(CONTESTED, outcome="granted"), "eva", "--outcome"),
        ([], replace(REFUSED, outcome="maybe"), "eva", "--outcome"),
        ([], replace(REFUSED, outcome="limited"), "eva", "--limit"),
        ([], replace(REFUSED, limit=5), "eva", "--limit"),
        ([], replace(REFUSED, reason=" "), "eva", "--reason"),
        ([], replace(REFUSED, reason=f"{ANNA} again"), "eva", "--reason"),
    ],
)
def test_what_cannot_follow_is_refused(desk: Desk, before: list[Said], said: Said, by: str, place: str) -> None:
    """With a letter, and nothing is noted."""
    for each in before:
        at(desk).say(ANNA, each, TODAY)
    whole = contents(desk.workspace.home)
    with pytest.raises(InputError, match=place):
        at(desk, by).say(ANNA, said, TODAY)
    assert contents(desk.workspace.home) == whole


def test_nobody_reviews_their_own_review(desk: Desk) -> None:
    """Contested again, it takes a third person."""
    for by, said in (("eva", REFUSED), ("eva", CONTESTED), ("max", REVIEWED), ("eva", CONTESTED)):
        at(desk, by).say(ANNA, said, TODAY)
    with pytest.raises(InputError, match="--by"):
        at(desk, "max").say(ANNA, REVIEWED, TODAY)
    assert at(desk, "ida").say(ANNA, REVIEWED, TODAY).by == "ida"


def test_readers_never_see_a_half_written_file(desk: Desk) -> None:
    """While others decide, every reader sees all decisions that were there before."""
    at(desk).say(ANNA, REFUSED, TODAY)
    seen: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(lambda: [at(desk).say(ANNA, REFUSED, TODAY) for _ in range(25)])
        while not writing.done():
            seen.append(len(decisions(desk.workspace.decisions)))
        assert len(writing.result()) == 25
    assert min(seen) >= 1 and len(decisions(desk.workspace.decisions)) == 26


def test_an_objection_takes_the_noted_grade_and_a_lost_grade_is_null(desk: Desk) -> None:
    """The attribute of the one who objects goes from the tables at once; who is given none any more has a null."""
    ids = {name: desk.pseudonyms.of(name) for name in (ANNA, BERT)}
    first = pa.Table.from_pylist([{"customer_id": id_, **ADVISED} for id_ in ids.values()], SCHEMA)
    assert note_grades(desk.workspace, desk.source, first, TODAY)
    later = TODAY + timedelta(days=30)
    assert note_grades(desk.workspace, desk.source, first.filter(pc.equal(first["customer_id"], ids[ANNA])), later)

    def grades(on: date) -> dict[str, str | None]:
        rows = attribute_table(desk.workspace.tables, [on]).to_pylist()
        return {row["customer_id"]: row["value"] for row in rows if row["attribute"] == "credit_grade"}

    assert grades(TODAY) == {ids[ANNA]: "C", ids[BERT]: "C"} and grades(later) == {ids[ANNA]: "C", ids[BERT]: None}
    opt_out(desk, ANNA, ["no_profiling"], False, "asked by mail", TODAY)
    assert grades(later) == {ids[BERT]: None}


def test_nobody_decides_about_nobody(desk: Desk) -> None:
    """And without advice the decision says so."""
    with pytest.raises(UnknownCustomerError):
        at(desk).say("nobody-0000", REFUSED, TODAY)
    assert at(desk).say(BERT, REFUSED, TODAY).advice is None


def test_the_person_is_told_all_of_it(desk: Desk) -> None:
    """Advice and decisions are in what is held about it."""
    at(desk).say(ANNA, REFUSED, TODAY)
    told = document(desk, ANNA)
    assert told["credit_advice"][0]["grade"] == "C" and told["credit_decisions"][0]["outcome"] == "refused"
    assert document(desk, BERT)["credit_advice"] == [] == document(desk, BERT)["credit_decisions"]


def test_an_objection_ends_advice_and_keeps_decisions(desk: Desk) -> None:
    """What a model says goes; what a person decided stays, so that it can be contested."""
    at(desk).say(ANNA, REFUSED, TODAY)
    opt_out(desk, ANNA, ["no_profiling"], False, "asked by mail", TODAY)
    assert at(desk).advice(ANNA) is None and [each.outcome for each in at(desk).of(ANNA)] == ["refused"]
    assert at(desk).say(ANNA, CONTESTED, TODAY).state == "contested"


def test_forgetting_takes_advice_and_decisions(desk: Desk) -> None:
    """Of the person only; the search that follows finds nothing."""
    at(desk).say(ANNA, REFUSED, TODAY)
    at(desk).say(BERT, REFUSED, TODAY)
    forget(desk, desk.person(ANNA), "asked by mail", TODAY)
    assert [each.customer_id for each in decisions(desk.workspace.decisions)] == [desk.pseudonyms.of(BERT)]


def test_over_http(months: Months, service: httpx.Client) -> None:
    """Decided, contested, reviewed, and shown with the advice; errors name the field and repeat no id."""
    who, workspace = months.others[1], Workspace(months.ran.workspace.home)
    rows = [{"customer_id": months.desk.pseudonyms.of(who), **ADVISED}]
    write_advice(workspace, TODAY, pa.Table.from_pylist(rows, SCHEMA), {"model": "sample.arrears", "version": 1})
    sent = {"customer_id": who, "outcome": "refused", "reason": "three invoices open", "by": "eva"}
    made = service.post("/v1/decisions", json=sent)
    assert made.status_code == 201 and made.json()["advice"]["limit"] == 120_000
    contested = {"customer_id": who, "act": "contested", "reason": "paid by now", "by": "eva"}
    assert service.post("/v1/decisions", json=contested).json()["state"] == "contested"
    again = service.post("/v1/decisions", json={**sent, "act": "reviewed"})
    assert again.status_code == 409 and "by" in again.json()["title"] and who not in again.text
    reviewed = {**sent, "act": "reviewed", "outcome": "granted", "by": "max"}
    assert service.post("/v1/decisions", json=reviewed).status_code == 201
    shown = service.get(f"/v1/customers/{who}/credit").raise_for_status().json()
    assert shown["advice"]["reasons"] == ADVISED["reasons"] and "person decides" in shown["note"]
    assert [each["state"] for each in shown["decisions"]] == ["reviewed"]
    nobody = service.post("/v1/decisions", json={**sent, "customer_id": "nobody-0000"})
    assert nobody.status_code == 404 and "nobody-0000" not in nobody.text
    wrong = service.post("/v1/decisions", json={**sent, "outcome": "perhaps", "hidden": 1})
    assert wrong.status_code == 422 and {"body.outcome", "body.(another name)"} == {
        each["place"] for each in wrong.json()["errors"]
    }
    assert service.get("/v1/customers/nobody-0000/credit").status_code == 404
