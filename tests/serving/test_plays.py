"""What to do for a customer comes with its classes, from the playbook of now; so do the lists to work through."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from classification.playbook import CURRENT, load_playbook
from classification.playbook_use import playbook_in_use
from classification.plays import play_of
from classification.scheme import load_scheme
from classification.worklists import LOOKED_AT
from features.errors import InputError
from features.tables.audit import open_audit, read_lines
from features.tables.events import EVENTS
from features.tables.privacy import Pseudonyms
from features.workspace import Workspace, part_files
from serving.app import Service, create_app
from serving.plays import Plays, open_plays
from serving.schema import ClassPlayOut, CustomerScore
from serving.scorer import Scorer
from serving.steps import Job
from serving.store.sqlite import SqliteStore
from tests.conftest import Ran

PLAYBOOK = load_playbook(CURRENT)
Told = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def service(sample: Ran, pseudonyms: Pseudonyms) -> Service:
    live, _, path = sample.job.live()
    return Service(
        Scorer(live, pseudonyms), SqliteStore(path), sample.workspace, open_plays(sample.workspace, live.scheme)
    )


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service)) as client:
        yield client


@pytest.fixture(scope="module")
def known(sample: Ran, pseudonyms: Pseudonyms) -> list[dict[str, Any]]:
    """The rows of the last grading, each with the company's own id as `id`."""
    with (sample.workspace.simulated / "customers.csv").open() as file:
        ids = {pseudonyms.of(row["customer_no"]): row["customer_no"] for row in csv.DictReader(file)}
    rows = pq.read_table(sample.folder / "grades.parquet").to_pylist()
    return [{**row, "id": ids[row["customer_id"]]} for row in rows]


def classes_of(row: dict[str, Any]) -> dict[str, str]:
    return {name.removeprefix("class_"): class_ for name, class_ in row.items() if name.startswith("class_")}


def test_a34_marketing_service_and_care_come_back_with_the_class(client: TestClient, known: list[Any]) -> None:
    """Of the first 60 customers the answer is the play of the classes that were graded; the types hold."""
    for row in known[:60]:
        answer = client.get(f"/v1/customers/{row['id']}").raise_for_status().json()
        CustomerScore.model_validate(answer)
        play, wanted = answer["play"], play_of(PLAYBOOK, classes_of(row), row["no_marketing"])
        for name in ("service", "marketing", "care", "needs"):
            assert tuple(play[name]) == getattr(wanted, name)
        assert (play["owner"], play["cap"], play["because"]) == (wanted.owner, wanted.cap, wanted.because)
        assert play["discount"] == {"tier": wanted.discount, "percent": PLAYBOOK.tiers[wanted.discount]}
        assert play["visits"] == ({"representative": 30, "supervisor": 90} if row["class_value"] == "A" else None)
        assert play["playbook"] == CURRENT


def test_a_customer_scored_from_its_events_has_the_play_of_its_classes(client: TestClient) -> None:
    """Also one of whom nothing is stored."""
    event = {"ts": "2026-10-01T10:00:00Z", "kind": "purchase", "ref": "1", "amount": 10**8}
    body = {"customer_id": "new", "as_of": "2026-11-01", "events": [event]}
    answer = client.post("/v1/score", json=body).raise_for_status().json()
    CustomerScore.model_validate(answer)
    assert answer["classes"]["value"]["code"] == "A" and answer["play"]["owner"] == "own manager"
    assert answer["play"]["because"]["owner"] == "value=A"


def test_who_objects_to_marketing_gets_none_in_any_answer(client: TestClient, known: list[Any]) -> None:
    """Neither marketing nor a programme, an action that sells, or a campaign."""
    objectors = [row for row in known if row["no_marketing"]]
    assert len(objectors) > 5
    for row in objectors:
        play = client.get(f"/v1/customers/{row['id']}").json()["play"]
        assert play["marketing"] == [] and play["programmes"] == {} and play["owner"] != "campaign"
        assert not (play["action"] or {}).get("sells")


def test_the_play_is_of_the_playbook_of_now(service: Service, known: list[Any], pseudonyms: Pseudonyms) -> None:
    """The same records with another playbook give another play: none is stored."""
    key = next(row for row in known if row["class_value"] == "A")
    assert b'"play"' not in (service.store.record(key["customer_id"]) or b"")
    everyone = PLAYBOOK.everyone.model_copy(update={"care": "Say thank you."})
    other = PLAYBOOK.model_copy(update={"version": "2027-01", "everyone": everyone, "plays": {}})
    later = Service(service.scorer, service.store, service.workspace, Plays(other, service.scorer.live.scheme))
    app = create_app(later)
    app.state.service = later
    play = TestClient(app).get(f"/v1/customers/{key['id']}").json()["play"]
    assert (play["playbook"], play["care"], play["owner"]) == ("2027-01", ["Say thank you."], "automation")


def test_one_class_can_be_asked_for(client: TestClient) -> None:
    """What the playbook says of it alone; 404 for what has no play."""
    found = client.get("/v1/plays/value/A").raise_for_status().json()
    ClassPlayOut.model_validate_json(client.get("/v1/plays/value/A").content)
    assert (found["name"], found["playbook"]) == ("key customer", CURRENT)
    assert found["play"]["visits"] == {"representative": 30, "supervisor": 90} and found["play"]["needs"] == []
    for path in ("value/Q", "region/N", "nothing/A", "value/U"):
        answer = client.get(f"/v1/plays/{path}")
        assert answer.status_code == 404 and answer.headers["content-type"] == "application/problem+json"
    assert client.get(f"/v1/plays/value/{'x' * 201}").json()["errors"][0]["place"] == "path.class"


def test_classes_of_another_scheme_get_no_play(tmp_path: Path) -> None:
    """The service starts without plays, and says null; one that is asked for by version is refused."""
    old = load_scheme("2026-01")
    assert open_plays(Workspace(tmp_path), old) is None
    with pytest.raises(InputError, match="2026-01, the scheme of the classes at hand"):
        open_plays(Workspace(tmp_path), old, CURRENT)
    assert not list(tmp_path.iterdir())


def test_the_service_notes_which_playbook_it_uses(service: Service, sample: Ran) -> None:
    """A line in the audit log at the first start with it, and none at the next."""
    assert service.plays is not None
    log = open_audit(sample.workspace.home).path
    before = read_lines(log, action="playbook")
    assert before[-1]["digest"] == service.plays.playbook.digest == PLAYBOOK.digest
    open_plays(sample.workspace, service.plays.scheme)
    assert read_lines(log, action="playbook") == before


@pytest.fixture(scope="module")
def october(sample: Ran, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The sample company with October graded, and then with no complaints and talks but four complaints and a visit."""
    workspace = Workspace(tmp_path_factory.mktemp("october") / "home")
    shutil.copytree(sample.workspace.home, workspace.home)
    done = Job(sample.job.source, workspace).reclassify("2026-10")
    rows = pq.read_table(done.month.folder / "grades.parquet").to_pylist()
    first = {value: next(row["customer_id"] for row in rows if row["class_value"] == value) for value in "ABC"}
    for part in part_files(workspace.tables / "events.parquet"):
        table = pq.read_table(part)
        pq.write_table(table.filter(pc.invert(pc.is_in(table["kind"], pa.array(LOOKED_AT)))), part)
    events = [(first["C"], 1), (first["B"], 2), (first["A"], 4), (first["A"], 3)]
    said = [said_event(id_, date(2026, 10, day), "complaint", code=f"late {day}") for id_, day in events]
    said.append(said_event(first["A"], date(2026, 10, 20), "contact", channel="representative"))
    pq.write_table(pa.Table.from_pylist(said, EVENTS), workspace.tables / "events.parquet" / "part-99999.parquet")
    return workspace


def said_event(customer: str, day: date, kind: str, **said: str) -> dict[str, Any]:
    ts = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    row = {"event_id": f"{day}{kind}", "customer_id": customer, "ts": ts, "day": day, "kind": kind, "known_at": ts}
    return row | said


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    """Runs the command line; returns exit code, stdout, stderr."""

    def command(*words: object) -> tuple[int, str, str]:
        from serving.cli import main

        monkeypatch.setattr(sys, "argv", ["scoring", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return command


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a30_the_queue_of_complaints(october: Workspace, tell: Told, tmp_path: Path) -> None:
    """Key customers first, by ten digits of the pseudonym; the file has all of it, and no id of the company's."""
    path = tmp_path / "complaints.csv"
    code, said, _ = tell("worklist", "complaints", "--home", october.home, "--csv", path)
    rows = rows_of(path)
    assert code == 0 and [row["code"] for row in rows] == ["late 3", "late 4", "late 2", "late 1"]
    assert [row["value"] for row in rows] == ["A", "A", "B", "C"] and path.stat().st_mode & 0o77 == 0
    assert all(row["customer_id"][:10] in said and row["customer_id"] not in said for row in rows)
    tell("worklist", "complaints", "--home", october.home, "--within", "value=C", "--csv", path)
    assert [row["code"] for row in rows_of(path)] == ["late 1"]
    code, _, letter = tell("worklist", "complaints", "--home", october.home, "--within", "value=Q")
    assert code == 2 and "value= one of A, B, C, U" in letter


def test_own_ids_are_shown_where_asked_and_the_log_says_so(
    october: Workspace, tell: Told, pseudonyms: Pseudonyms, tmp_path: Path
) -> None:
    """The ids are those behind the pseudonyms; the audit log has how many, and none of them."""
    hidden, open_ = tmp_path / "hidden.csv", tmp_path / "open.csv"
    tell("worklist", "complaints", "--home", october.home, "--csv", hidden)
    assert tell("worklist", "complaints", "--home", october.home, "--csv", open_, "--ids")[0] == 0
    ids = [row["customer_id"] for row in rows_of(open_)]
    assert pseudonyms.of_all(ids) == [row["customer_id"] for row in rows_of(hidden)]
    log = open_audit(october.home).path
    assert read_lines(log, action="names")[-1]["customers"] == 3
    assert not any(id_ in log.read_text() for id_ in ids)


def test_a31_the_visits_that_are_due(october: Workspace, tell: Told, tmp_path: Path) -> None:
    """Two for each key customer; the one who was seen on October 20 is due 30 days later, and overdue by December."""
    path = tmp_path / "visits.csv"
    tell("worklist", "visits", "--home", october.home, "--on", "2026-12-01", "--csv", path)
    rows = rows_of(path)
    key = pq.read_table(october.months / "2026-10" / "grades.parquet")["class_value"].to_pylist().count("A")
    assert len(rows) == 2 * key
    assert (rows[0]["last"], rows[0]["due"], rows[0]["overdue"]) == ("2026-10-20", "2026-11-19", "True")
    assert {(row["last"], row["due"]) for row in rows[1:]} == {("", "2026-12-01")}


def test_the_other_lists_are_told(october: Workspace, tell: Told, tmp_path: Path) -> None:
    """Who costs more than the cap of its play; every customer has an owner."""
    path = tmp_path / "cap.csv"
    grades = pq.read_table(october.months / "2026-10" / "grades.parquet").to_pylist()
    capped = {row["customer_id"]: play_of(PLAYBOOK, classes_of(row), row["no_marketing"]).cap for row in grades}
    cost = {row["customer_id"]: row["service_cost_365d"] or 0 for row in grades}
    over = {id_ for id_, cap in capped.items() if cap is not None and cost[id_] > cap}
    assert tell("worklist", "cap", "--home", october.home, "--csv", path)[0] == 0 and over
    assert {row["customer_id"] for row in rows_of(path)} == over
    code, said, _ = tell("worklist", "owners", "--home", october.home)
    counts = [int(line.split()[-1].replace(",", "")) for line in said.splitlines() if line.split()[-1:][0].isdigit()]
    assert code == 0 and sum(counts) == len(grades)


def test_a_playbook_is_checked_shown_and_used(october: Workspace, tell: Told) -> None:
    """The commands say what they found; a use without a reason is refused, and one with it is in the log."""
    assert f"Playbook {CURRENT} ({PLAYBOOK.digest})" in tell("playbook", "check")[1]
    said = tell("playbook", "show", "--class", "value=C", "--class", "demand=T")[1]
    assert "campaign" in said and "demand=T" in said and "convenient and timely" in said
    assert "key customer" in tell("playbook", "show")[1]
    code, _, letter = tell("playbook", "use", CURRENT, "--home", october.home)
    assert code == 2 and "--reason" in letter
    assert tell("playbook", "use", CURRENT, "--home", october.home, "--reason", "agreed", "--by", "eva")[0] == 0
    last = read_lines(open_audit(october.home).path, action="playbook")[-1]
    assert (last["by"], last["reason"], last["version"]) == ("eva", "agreed", CURRENT)
    assert playbook_in_use(october).digest == PLAYBOOK.digest
