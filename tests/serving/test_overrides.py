"""A person overrides a class: seen everywhere at once, until its day, with who and why; the past stays as it was."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest

from classification.decisions import read_acts, read_overrides
from features.errors import InputError
from features.tables.privacy import Pseudonyms
from serving.forgetting import forget
from serving.opt_out import opt_out
from serving.overrides import LONGEST, Wanted, lift_override, set_override
from serving.schema import CustomerScore
from serving.store.sqlite import SqliteStore
from tests.serving.conftest import SAID, WANTED, Months
from tests.small_world import ANNA, BERT, contents, small_world


def test_a_month_counts_what_was_said_before_its_end(months: Months) -> None:
    """Class, code and note in the grades, the kind of the change, and the classes counted in the snapshot."""
    (september,) = months.row("2026-09", months.overridden)
    (october,) = months.row("2026-10", months.overridden)
    assert (september["class_value"], september["notes"]) == ("C", None)
    assert (october["class_value"], october["raw_value"]) == ("A", "C")
    assert "value override" in str(october["notes"]).split(", ") and str(october["code"]).startswith("A")
    (change,) = [each for each in months.row("2026-10", months.overridden, "changes") if each["dimension"] == "value"]
    assert (change["before"], change["after"], change["kind"]) == ("C", "A", "override")


def test_a_month_of_before_keeps_its_bytes(months: Months) -> None:
    """Graded again after the override, September is what it was."""
    assert len(months.before) > 5 and months.before == months.again


def test_an_override_that_ran_out_no_longer_counts(months: Months, service: httpx.Client) -> None:
    """The service shows the class by the facts, the months keep what was said."""
    found = service.get(f"/v1/customers/{months.overridden}").raise_for_status().json()
    assert found["classes"]["value"]["code"] == found["classes"]["value"]["raw"] == "C"
    assert found["classes"]["value"]["note"] is None and found["overrides"] == [] and found["code"][0] == "C"


def test_a37_one_current_class_everywhere(months: Months, service: httpx.Client) -> None:
    """Set while the service runs: both answers have it at once, with its code, its end, who and why; lifted, all is as
    it was."""
    job, who = months.ran.job, months.others[0]
    live, _, store = job.live()
    today = job.source.today()
    before = service.get(f"/v1/customers/{who}").json()
    wanted = Wanted("value", "B", today + timedelta(30), "about to sign")
    set_override(months.desk, live.scheme, store, who, wanted, today)
    stored = service.get(f"/v1/customers/{who}").raise_for_status().json()
    sent = service.post("/v1/score", json={"customer_id": who, "as_of": "2026-11-01", "events": []}).json()
    merged = service.get("/v1/customers/a").json()
    for answer in (stored, sent, merged):
        said = answer["classes"]["value"]
        assert (said["code"], said["name"], said["raw"], said["note"]) == ("B", "major customer", "C", "override")
        assert said["at_least"] == live.snapshot.cutoffs["value"]["B"]
        assert live.scheme.decode(answer["code"])["value"] == "B"
        until = str(wanted.until)
        assert answer["overrides"] == [
            {"dimension": "value", "class": "B", "until": until, "by": "eva", "reason": "about to sign"}
        ]
        CustomerScore.model_validate(answer)
    assert {name: c for name, c in stored["classes"].items() if name != "value"} == {
        name: c for name, c in before["classes"].items() if name != "value"
    }
    lift_override(months.desk, who, "value", "it was not signed", today)
    assert service.get(f"/v1/customers/{who}").json() == before
    lines = [line for line in months.desk.audit.lines(months.desk.person(who)) if line["action"] != "revise"]
    assert [line["action"] for line in lines] == ["override", "override lifted"]
    first = lines[0]
    assert (first["dimension"], first["class"], first["until"], first["by"]) == ("value", "B", until, "eva")


REFUSED: dict[str, tuple[Wanted, str]] = {
    "dimension": (Wanted("colour", "A", WANTED.until, "x"), "--dimension"),
    "class": (Wanted("value", "Z", WANTED.until, "x"), "A (key customer), B (major customer), C (ordinary customer)"),
    "unknown class": (Wanted("value", "U", WANTED.until, "x"), "--class"),
    "no move": (Wanted("lifecycle", "W", WANTED.until, "x"), "W (won back) after R (repeat)"),
    "over": (Wanted("value", "A", SAID, "x"), "--until"),
    "too long": (Wanted("value", "A", SAID + LONGEST + timedelta(1), "x"), "--until"),
    "no reason": (Wanted("value", "A", WANTED.until, " "), "--reason"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused(months: Months, case: str) -> None:
    """A letter that names what could be; no act, and no line in the log."""
    wanted, said = REFUSED[case]
    live, _, store = months.ran.job.live()
    acts, log = read_acts(months.desk.workspace.decisions).num_rows, months.desk.audit.path.read_bytes()
    with pytest.raises(InputError) as error:
        set_override(months.desk, live.scheme, store, months.others[1], wanted, SAID)
    assert said in error.value.letter()
    assert read_acts(months.desk.workspace.decisions).num_rows == acts
    assert months.desk.audit.path.read_bytes() == log


def test_ids_are_not_repeated(months: Months) -> None:
    """Neither an id in a reason, nor that of somebody who is not graded; and what is not there cannot be lifted."""
    live, _, store = months.ran.job.live()
    who = months.others[1]
    for raw_id, reason, said in (
        (who, f"{who} asked", "an id of the customer"),
        ("X-4711", "x", "nothing of a customer"),
    ):
        with pytest.raises(InputError, match=said) as error:
            set_override(months.desk, live.scheme, store, raw_id, Wanted("value", "A", WANTED.until, reason), SAID)
        assert raw_id not in error.value.letter()
    with pytest.raises(InputError, match="overridden for this customer: none"):
        lift_override(months.desk, who, "value", "x", SAID)


def test_the_commands_set_list_and_lift(months: Months, capsys: pytest.CaptureFixture[str]) -> None:
    """Customers are listed by their pseudonyms, shortened; all acts stay in the list of all."""
    where, who = ("--home", str(months.ran.workspace.home)), months.others[2]
    until = str(months.ran.job.source.today() + timedelta(60))
    words = ("--dimension", "large", "--reason", "a new site", "--by", "bert")
    said = run(capsys, "override", "set", who, "--class", "Y", "--until", until, *words, *where)
    assert f"large is Y (large) through {until}" in said
    listed = run(capsys, "override", "list", *where)
    short = months.desk.pseudonyms.of(who)[:8]
    assert f"{short}…  large Y until {until}  by bert  a new site" in listed and listed.count("\n") == 1
    run(capsys, "override", "lift", who, *words, *where)
    assert run(capsys, "override", "list", *where) == "No overrides.\n"
    everything = run(capsys, "override", "list", "--all", *where)
    assert f"{short}…  large lifted" in everything and who not in said + listed + everything


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    from serving.cli import app

    app(list(words), standalone_mode=False)
    return capsys.readouterr().out


@pytest.mark.parametrize("objects", [False, True])
def test_forgetting_erases_what_was_decided(tmp_path: Path, pseudonyms: Pseudonyms, objects: bool) -> None:
    """The acts, and what the stores say of them; whoever objects to profiling is overridden no more either. Nothing of
    the others changes."""
    desk = small_world(tmp_path, pseudonyms)
    a, b = map(pseudonyms.of, (ANNA, BERT))
    assert {a, b} <= {each.customer_id for each in read_overrides(desk.workspace)}
    if objects:
        opt_out(desk, ANNA, ["no_profiling"], False, "", SAID)
    else:
        forget(desk, desk.person(ANNA), "asked", SAID)
    assert [each for each in read_acts(desk.workspace.decisions)["customer_id"].to_pylist() if each == a] == []
    for path in desk.workspace.store.glob("*.sqlite"):
        store = SqliteStore(path)
        assert store.find(a).overrides == () and [each.class_ for each in store.find(b).overrides] == ["A"]
        store.close()
    assert not any(a.encode() in content for content in contents(desk.workspace.decisions).values())


def test_a_store_keeps_its_bytes_when_it_says_so_already(tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    """Lifting what has run out for the stores changes nothing but what it says."""
    desk = small_world(tmp_path, pseudonyms)
    before = contents(desk.workspace.store)
    lift_override(desk, ANNA, "value", "x", date(2026, 4, 2))
    after = contents(desk.workspace.store)
    assert set(before) == set(after) and before != after
    said = [json.loads(line) for line in desk.audit.path.read_bytes().splitlines()]
    assert [line["action"] for line in said] == ["override lifted", "revise", "revise"]
