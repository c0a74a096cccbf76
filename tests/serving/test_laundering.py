"""The compliance officer's desk; and that what a person asks for neither tells of it nor takes anything away."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from classification.laundering.records import LOG, Records
from classification.laundering.register import Inputs
from classification.laundering.scheme import CURRENT
from features.company import Company
from features.errors import InputError
from features.tables.privacy import Pseudonyms
from serving.access import document
from serving.desk import Desk
from serving.forgetting import forget
from serving.laundering import Officer
from serving.options import write_for_owner
from tests.classification.laundering.bank import days_later
from tests.classification.laundering.test_register import finding, found
from tests.small_world import ANNA, BERT, small_world

TODAY = date(2026, 4, 10)


def officer_of(desk: Desk, by: str = "eva", today: date = TODAY) -> Officer:
    records = Records(desk.workspace.laundering, bytes(32), by)
    return Officer(desk.workspace, desk.pseudonyms, records, Company(), "A bank", today, TODAY + timedelta(days=1))


@pytest.fixture
def desk(tmp_path: Path, pseudonyms: Pseudonyms) -> Desk:
    return small_world(tmp_path, pseudonyms)


def work(desk: Desk) -> Officer:
    """A register, a review that a second person confirmed, an alert that was decided; of Bert."""
    eva, tom = officer_of(desk), officer_of(desk, "tom")
    bert = desk.pseudonyms.of(BERT)
    eva.grade(CURRENT, TODAY, Inputs(found(finding(bert, -250, -240))))
    assert eva.assess(BERT, "H", "a shell company")
    tom.confirm(BERT, "H", "agreed")
    eva.diligence(BERT, "enhanced", TODAY - timedelta(days=3), "visited")
    tom.decide(1, "reported", "sent on")
    return eva


def test_a25_an_officer_sees_the_evidence_and_every_look_is_noted(desk: Desk) -> None:
    """By the company's own ids; sealed, and not in the log that others read."""
    eva = work(desk)
    row, scheme, acts, alerts = eva.show(BERT)
    assert (row["grade"], row["ground"], row["system_grade"]) == ("H", "review", "M")
    assert row["review_due"] == TODAY + timedelta(days=scheme.review_days["H"]) and row["diligence_done"] == "enhanced"
    assert [act["act"] for act in acts] == ["assess", "confirm", "diligence", "outcome"]
    assert [alert["state"] for alert in alerts] == ["reported"] == [alert["state"] for alert in eva.alerts(True)]
    assert eva.alerts() == []
    assert eva.names([row["customer_id"]]) == {row["customer_id"]: BERT}
    later = officer_of(desk, today=TODAY + timedelta(days=182 - 30))
    assert [each["customer_id"] for each in later.due(30)] == [row["customer_id"]] and later.due(29) == []
    log = [(line["by"], line["action"]) for line in eva.records.read("log", LOG).to_pylist()]
    assert ("eva", "show") in log and ("tom", "confirm") in log and ("eva", "due") in log
    assert not desk.audit.path.exists() or "assess" not in desk.audit.path.read_text()


def test_what_an_officer_gets_wrong_is_a_letter(desk: Desk) -> None:
    eva = officer_of(desk)
    with pytest.raises(InputError, match="no register of any date"):
        eva.show(BERT)
    work(desk)
    for wrong, letter in (
        (lambda: eva.grade(CURRENT, TODAY + timedelta(days=2)), "a day up to 2026-04-11, the end of the data"),
        (lambda: eva.show("nobody-0009"), "nothing of a customer of that id"),
        (lambda: eva.assess(BERT, "X", "x"), "one of H, M, L"),
        (lambda: eva.assess(BERT, "L", " "), "--reason"),
        (lambda: eva.confirm(BERT, "H", "again"), "no assessment that waits"),
        (lambda: eva.diligence(BERT, "deep", None, "x"), "simplified, standard, enhanced"),
        (lambda: eva.diligence(BERT, "standard", TODAY + timedelta(days=1), "x"), "a day up to"),
        (lambda: eva.decide(1, "ignored", "x"), "reported, cleared, monitor"),
        (lambda: eva.decide(7, "cleared", "x"), "the number of an alert"),
    ):
        with pytest.raises(InputError, match=letter):
            wrong()
    assert eva.assess(BERT, "L", "harmless")
    with pytest.raises(InputError, match="a second person"):
        eva.confirm(BERT, "L", "I am sure")
    with pytest.raises(InputError, match="L, as was assessed last, by eva"):
        officer_of(desk, "tom").confirm(BERT, "M", "agreed")


def test_whoever_uses_the_key_is_in_the_log_and_another_key_opens_nothing(desk: Desk) -> None:
    """Also where nobody is looked at, as when patterns are counted or a ranking is learnt."""
    eva = work(desk)
    eva.note("typologies", as_of=TODAY)
    assert eva.records.read("log", LOG).to_pylist()[-1]["action"] == "typologies"
    assert eva.decided() == {(desk.pseudonyms.of(BERT), "fan_in"): days_later(-240)}
    other = replace(eva, records=Records(desk.workspace.laundering, bytes(range(32)), "eva"))
    for act in (lambda: other.note("train"), other.decided):
        with pytest.raises(InputError, match="does not open"):
            act()


def test_a_person_is_told_the_same_with_and_without_laundering_records(tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    """`scoring access` and all that `scoring forget` says and logs: the same, to the byte; and the records, which the
    law keeps, stay as they were."""
    told = []
    for name in ("with", "without"):
        desk = small_world(tmp_path / name, pseudonyms)
        if name == "with":
            work(desk)
        kept = contents_of(desk.workspace.laundering)
        answer = json.dumps(document(desk, BERT), default=str)
        done = [forget(desk, desk.person(who), "asked", TODAY) for who in (BERT, ANNA)]
        log = [json.loads(line) for line in desk.audit.path.read_bytes().splitlines()]
        said = [(line["action"], line["person"], line.get("files_searched"), line.get("found")) for line in log]
        told.append((answer, [(each.searched, each.files and len(each.files)) for each in done], said))
        assert contents_of(desk.workspace.laundering) == kept
        assert bool(kept) == (name == "with")
    assert told[0] == told[1]


def test_a_forgotten_customer_is_in_the_registers_of_before_only(desk: Desk) -> None:
    eva = work(desk)
    forget(desk, desk.person(BERT), "asked", TODAY)
    assert eva.show(BERT)[0]["grade"] == "H"
    report, _ = eva.report()
    assert report.coverage.gone == 1 and report.coverage.whole
    after = eva.grade(CURRENT, TODAY + timedelta(days=1))
    assert desk.pseudonyms.of(BERT) not in after["customer_id"].to_pylist()


def test_the_page_is_for_its_owner_and_replaces_files_only(tmp_path: Path) -> None:
    """Whatever was to be read before; not what a link leads to, no device, and nothing beside it stays."""
    kept, link, page = tmp_path / "kept.txt", tmp_path / "link.html", tmp_path / "page.html"
    kept.write_text("precious")
    link.symlink_to(kept)
    page.write_text("of last month")
    for each in (page, tmp_path / "new.html"):
        write_for_owner(each, "grades")
        assert each.read_text() == "grades" and each.stat().st_mode & 0o777 == 0o600
    for each in (link, tmp_path, Path("/dev/null"), tmp_path / "none" / "page.html"):
        with pytest.raises(InputError, match="the name of a new file"):
            write_for_owner(each, "grades")
    assert kept.read_text() == "precious" and len(list(tmp_path.iterdir())) == 4


def contents_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
