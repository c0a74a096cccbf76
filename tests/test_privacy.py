"""What is private stays private: in every file, log and answer; and a person's no is heard everywhere."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.attributes import attribute_table
from features.batch import feature_table
from features.catalogue import CATALOGUE, NAMES, POSITION
from features.catalogue.confidential import CONFIDENTIAL, confidential
from features.errors import InputError
from features.spec import Combined, Feature, kinds
from features.tables.audit import Audit
from features.tables.consents import read_consents
from features.tables.events import CONFIDENTIAL_KINDS, CUSTOMERS
from features.tables.identity import merge_by_hand, undo
from features.tables.ingest import ingest
from features.tables.privacy import Pseudonyms
from features.tables.sources import load_source
from features.tables.vault import Vault, open_vault
from features.workspace import Workspace, read_json
from serving.access import document
from serving.desk import Desk
from serving.forgetting import forget, set_hold
from serving.opt_out import opt_out
from serving.steps import Job
from tests.conftest import Ran
from tests.serving.test_service import start
from tests.small_world import ANNA, BERT, CARL, SEVEN, SUSPICIONS, contents, small_world
from training.models.inputs import LEFT_OUT, inputs

TODAY = date(2026, 11, 23)
CANARY = {
    "id": "CANARY-0001",
    "partner": "CANARY-0002",
    "name": "Canaria Fink",
    "mail": "canaria.fink@example.org",
    "phone": "+49 555 01990",
    "street": "Kanarienweg 7c",
    "illness": "canaritis",
}
SOURCE = """
name: aviary
title: A shop for birds
tables:
  - name: orders
    gives: events
    files: [orders.csv]
    customer: customer
    time: {column: at}
    kind: purchase
    ref: order
    amount: amount
    item: item
  - name: transfers
    gives: events
    files: [transfers.csv]
    customer: payer
    counterparty: payee
    time: {column: at}
    kind: transfer_out
    both_sides: true
    amount: amount
  - name: customers
    gives: customers
    files: [customers.csv]
    customer: id
    attributes:
      region: {column: region, family: social}
      illness: {column: illness, family: private}
    identity: {name: name, email: mail, phone: phone, address: street}
"""


def aviary(folder: Path) -> list[str]:
    """Writes the tables of a shop of 400 customers with canaries among them; returns the command's options."""
    rng, first = np.random.default_rng(5), np.datetime64("2024-01-01")
    names = [CANARY["id"], CANARY["partner"], *(f"customer-{c:04d}" for c in range(400))]
    lines = [
        f"{name},{first + day},{i}-{day},{rng.integers(1, 90)},x"
        for i, name in enumerate(names)
        for day in np.unique(rng.integers(0, 700 if i % 3 else 400, 4 + rng.poisson(12)))
    ]
    refused = f"{CANARY['id']},2025-03-01,r1,,{CANARY['phone']}\n{CANARY['id']},2025-03-02,r2,1,x,one too many\n"
    (folder / "orders.csv").write_text("customer,at,order,amount,item\n" + "\n".join(lines) + "\n" + refused)
    pairs = [(CANARY["id"], CANARY["partner"]), ("customer-0001", CANARY["id"])]
    later = f"customer-0002,{CANARY['id']},,9\n"  # refused: it has no time
    transfers = "".join(f"{payer},{payee},2025-05-0{1 + i},{7 + i}\n" for i, (payer, payee) in enumerate(pairs))
    (folder / "transfers.csv").write_text("payer,payee,at,amount\n" + transfers + later)
    people = pd.DataFrame(
        {"id": names, "region": "north", "illness": "none", "name": "Jo Doe", "mail": "", "phone": ""}
    )
    people["street"] = ""
    for column in ("name", "mail", "phone", "street", "illness"):
        people.loc[0, column] = CANARY[column]
    people.to_csv(folder / "customers.csv", index=False)
    (folder / "aviary.yaml").write_text(SOURCE)
    return ["--source", str(folder / "aviary.yaml"), "--home", str(folder / "home")]


Command = Callable[..., str]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the command line; returns what it printed on either stream."""

    def run(*words: str, code: int = 0) -> str:
        from serving.cli import main

        monkeypatch.setattr(sys, "argv", ["scoring", *words])
        try:
            main()
            ended = 0
        except SystemExit as end:
            ended = int(end.code or 0)
        assert ended == code
        return "".join(capfd.readouterr())

    return run


def decoded(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file below `folder` as text, in all ways it can be read; the vault as it lies there."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        yield path, content.decode("latin-1") + content.decode("utf-16-le", errors="replace") + path.name
        if content[:4] == b"PAR1":
            yield path, str(pq.ParquetFile(path).read().to_pylist())
        if content[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(path) as members:
                yield path, "".join(members.read(name).decode("latin-1") for name in members.namelist())


def shows(text: str, words: list[str]) -> list[str]:
    return [word for word in words if word in text or word.encode().decode("latin-1") in text]


def test_canaries_never_sing(
    tmp_path: Path, pseudonyms: Pseudonyms, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    """Ids, names, addresses and private values of the input are in no file, database, log or message of the whole job
    but in the vault, which does not show them; once forgotten they are not in the vault either, nor the pseudonym."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/registry/mlflow.db")
    options, words, raw = aviary(tmp_path), list(CANARY.values()), ("--raw", str(tmp_path))
    good = (tmp_path / "orders.csv").read_text()
    (tmp_path / "orders.csv").write_text(good + f"{CANARY['id']},2025-03-03,r3,a lot,{CANARY['mail']}\n" * 200)
    said = command("ingest", *options, *raw, code=2)
    assert "column amount" in said
    (tmp_path / "orders.csv").write_text(good)
    said += command("run", *options, *raw)
    job = Job(load_source(options[1]), Workspace(tmp_path / "home"))
    for client in start(Ran(job, 1, job.workspace.grades), tmp_path / "server.log", options[1]):
        said += talk(client)
    said += (tmp_path / "server.log").read_text()
    places = (tmp_path / "home", tmp_path / "registry")
    assert not shows(said, words) and not shown(places, words)
    vault = open_vault(job.workspace.tables, pseudonyms)
    assert shows(unsealed(vault), words) == words

    said = command("forget", CANARY["id"], *options, "--reason", "asked")
    assert "0 hits" in said and not shows(said, words)
    gone = [word for name, word in CANARY.items() if name != "partner"] + [pseudonyms.of(CANARY["id"])]
    assert not shown(places, gone) and not shows(unsealed(vault), gone)
    found = []
    for _ in range(2):  # the steps of a month, run twice: the same bytes
        job.features()
        job.classify()
        files = contents(job.workspace.home)
        found.append({n: b for n, b in files.items() if n.startswith(("features/", "grades/", "store/"))})
    assert found[0] == found[1] and len(found[0]) > 5
    command("ingest", *options, *raw, "--afresh")
    again = pq.read_table(job.workspace.tables / "events.parquet")["customer_id"].unique()
    assert not shown(places, gone) and not shows(unsealed(vault), gone) and len(again) == 401


def shown(places: Sequence[Path], words: list[str]) -> dict[Path, list[str]]:
    """File → the words that it shows."""
    return {path: hit for place in places for path, text in decoded(place) if (hit := shows(text, words))}


def unsealed(vault: Vault) -> str:
    return " ".join(str(table.to_pylist()) for _, table in vault.tables(""))


def talk(client: httpx.Client) -> str:
    """Good and bad requests about the canary; what was answered, but for its own id in answers to it."""
    event = {"ts": "2025-06-01T00:00:00", "kind": "transfer_out", "amount": 1, "counterparty": CANARY["partner"]}
    good = client.post("/v1/score", json={"customer_id": CANARY["id"], "events": [event]}).raise_for_status().json()
    stored = client.get(f"/v1/customers/{CANARY['id']}").raise_for_status().json()
    assert good.pop("customer_id") == stored.pop("customer_id") == CANARY["id"]
    said = [json.dumps(good), json.dumps(stored)]
    bad = [{"customer_id": CANARY["id"], "events": [event | extra]} for extra in ({"kind": CANARY["name"]}, {"x": 1})]
    bad += [{"customer_id": CANARY["id"], CANARY["mail"]: CANARY["illness"], "events": []}]
    said += [client.post("/v1/score", json=body).text for body in bad]
    said += [client.get(f"/v1/customers/{CANARY['id']}x").text, client.get(f"/{CANARY['id']}").text]
    return "\n".join(said)


@pytest.fixture
def desk(tmp_path: Path, pseudonyms: Pseudonyms) -> Desk:
    return small_world(tmp_path, pseudonyms)


def said_of(desk: Desk, who: str) -> str:
    return json.dumps(document(desk, who), indent=1)


def test_access_tells_all_that_is_held(desk: Desk) -> None:
    """Own ids, events, attributes, private ones, identity, refused lines, features, grades, store, consents, hold."""
    opt_out(desk, ANNA, ["no_marketing"], False, "", TODAY)
    set_hold(desk, ANNA, date(2030, 1, 1), "invoices", TODAY)
    found = document(desk, ANNA)
    assert found["ids"] == [{"id": ANNA, "pseudonym": desk.pseudonyms.of(ANNA), "merged_into": None}]
    assert [event["amount"] for event in found["events"]] == [1000]
    assert {row["attribute"]: row.get("value") for row in found["attributes"]} == {
        "region": "north",
        "referred_by": None,
    }
    assert {row["attribute"]: row["value"] for row in found["private"]} == {"illness": "gout"}
    assert {row["attribute"]: row["value"] for row in found["identity"]} == {
        "name": "Anna Alder",
        "email": "anna@example.org",
    }
    assert [(row["rule"], row["row"]["order"]) for row in found["refused_lines"]] == [("missing-amount", "2")]
    assert found["features"]["orders"] == 1.0
    assert [(g["snapshot"], g["code"], g["no_marketing"]) for g in found["grades"]] == [
        ("2026-03-01-v1", "AL", True),
        ("2026-04-01-v1", "AL", True),
        ("2026-03", "AL", True),
    ]
    assert [grade["online"]["code"] for grade in found["grades"][:2]] == ["AL", "AL"]
    assert [(each["snapshot"], each["after"], each["share_facts"]) for each in found["changes"]] == [
        ("2026-03", "A", 0.25)
    ]
    assert [(each["task"], each["reason"]) for each in found["reasons"]] == [("churn", "orders")]
    assert [(each["class"], each["until"], each["by"], each["reason"]) for each in found["overrides"]] == [
        ("A", "2026-12-31", "eva", "a contract")
    ]
    assert found["consents"][0]["attribute"] == "no_marketing" and found["hold"]["until"] == "2030-01-01"
    for other in (BERT, CARL, "Cedar", "Svea"):  # Carl's refused transfer names Anna, and is his
        assert other not in json.dumps(found)
    assert [line["table"] for line in document(desk, CARL)["refused_lines"]] == ["transfers"]


def test_access_to_a_restricted_person(desk: Desk) -> None:
    """What the vault keeps under a hold is still told."""
    before = document(desk, CARL)
    set_hold(desk, CARL, date(2030, 1, 1), "invoices", TODAY)
    forget(desk, desk.person(CARL), "", TODAY)
    found = document(desk, CARL)
    assert found["events"] == before["events"] and found["attributes"] == before["attributes"]
    assert found["hold"] and found["features"] is None and found["grades"] == []


@pytest.mark.parametrize("kind", CONFIDENTIAL_KINDS)
def test_access_does_not_tell_of_suspicions(
    kind: str, tmp_path: Path, pseudonyms: Pseudonyms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is the same to the byte with and without list hits, reports and refusals, refused lines of their
    tables included; a person known by nothing else is unknown."""
    monkeypatch.setattr("tests.small_world.KIND", kind)
    header = SUSPICIONS.splitlines()[0] + "\n"
    other = f"{SEVEN},2026-03-01,1\n"  # the table has a line, in either case
    lines = f"{ANNA},2026-03-01,1\n{ANNA},2025-01-01,\n{ANNA},2026-03-31,5\n{ANNA},,5\nonly-0001,2026-03-01,1\n"
    without = small_world(tmp_path / "without", pseudonyms, header + other)
    with_ = small_world(tmp_path / "with", pseudonyms, header + other + lines)
    assert said_of(without, ANNA) == said_of(with_, ANNA)
    assert kind not in said_of(with_, ANNA) and "suspicion" not in said_of(with_, ANNA)
    assert "only-0001" in str([table.to_pylist() for _, table in with_.vault.tables("names")])
    letters = []
    for desk in (without, with_):
        with pytest.raises(InputError) as error:
            document(desk, "only-0001")
        letters.append(error.value.found)
    assert letters[0] == letters[1]


def test_features_and_grades_of_suspicions_are_not_told(desk: Desk) -> None:
    """Columns that follow from confidential events are left out of feature rows and grades; so is what changed, or was
    decided, in a dimension that does."""
    assert sorted(CONFIDENTIAL) == ["due_diligence_refused", "list_hits", "suspicious_reports_365d"]
    hits = Feature("a", op="count", kinds=kinds("list_hit", "purchase"), family="risk", unit="1", doc="")
    plain = replace(hits, name="b", kinds=kinds("purchase"))
    share = Combined("c", op="ratio", of=("a", "b"), family="risk", unit="1", doc="")
    assert confidential((hits, plain, share)) == {"a", "c"}
    before, added = said_of(desk, ANNA), ("list_hits", "score_laundering", "class_laundering", "percentile_laundering")
    for folder, names in (("features/features.parquet", added[:1]), ("grades", added)):
        for path in [path for path in (desk.workspace.home / folder).rglob("*.parquet") if path.is_file()]:
            table = pq.read_table(path)
            for name in names:
                table = table.append_column(name, pa.array([4242.0] * table.num_rows))
            pq.write_table(table, path)
    mine = desk.pseudonyms.of(ANNA)
    month, decisions = desk.workspace.months / "2026-03", desk.workspace.decisions
    for path in (month / "changes.parquet", decisions / "overrides.parquet"):
        table = pq.read_table(path)
        rows = [row for row in table.to_pylist() if row["customer_id"] == mine]
        more = pa.Table.from_pylist([row | {"dimension": "laundering"} for row in rows], table.schema)
        pq.write_table(pa.concat_tables([table, more]), path)
    grades = pq.read_table(month / "grades.parquet")
    for name in (*added, "raw_laundering", "notes"):
        grades = grades.append_column(name, pa.array(["laundering override"] * grades.num_rows))
    pq.write_table(grades, month / "grades.parquet")
    assert said_of(desk, ANNA) == before


def test_models_do_not_see_suspicions() -> None:
    """A score that moved with a report would tell of it."""
    rng = np.random.default_rng(1)
    rows, rhythm = rng.random((5, len(NAMES))), rng.random((5, 3))
    moved = rows.copy()
    for name in CONFIDENTIAL:
        moved[:, POSITION[name]] += 1
    assert np.array_equal(inputs(rows, rhythm), inputs(moved, rhythm), equal_nan=True)
    assert np.isnan(inputs(rows, rhythm)).sum() == 5 * len(CONFIDENTIAL | LEFT_OUT)


def test_the_newest_word_counts(desk: Desk) -> None:
    """Yes, no and yes again; of one day the later word; what was said to us outlasts the company's exports."""
    mine = desk.pseudonyms.of(ANNA)

    def objects() -> bool:
        return mine in read_consents(desk.workspace.tables).no_profiling

    def exported(value: str, day: date | None) -> None:
        part = desk.workspace.tables / "customers.parquet" / "part-77777.parquet"
        row = [mine, "no_profiling", value, day, "consent", None]
        before = pq.read_table(part).to_pylist() if part.exists() else []
        rows = [*before, dict(zip(CUSTOMERS.names, row, strict=True))]
        pq.write_table(pa.Table.from_pylist(rows, CUSTOMERS), part)

    assert not objects()
    exported("yes", None)
    assert objects()
    exported("no", date(2026, 1, 1))
    assert not objects()
    opt_out(desk, ANNA, ["no_profiling"], False, "", TODAY)
    assert objects()
    exported("no", TODAY + timedelta(1))
    assert objects()  # the company's old list does not take back what the person said to us
    opt_out(desk, ANNA, ["no_profiling"], True, "", TODAY)
    assert not objects()
    opt_out(desk, ANNA, ["no_profiling"], False, "", TODAY + timedelta(2))
    opt_out(desk, ANNA, ["no_profiling"], True, "", TODAY + timedelta(3))
    assert not objects()
    exported("yes", TODAY + timedelta(4))
    assert objects()


def test_a_no_survives_reading_everything_afresh(desk: Desk) -> None:
    """`ingest --afresh` forgets what was read, not what a person said."""
    opt_out(desk, ANNA, ["no_profiling", "no_marketing"], False, "", TODAY)
    before = read_consents(desk.workspace.tables)
    ingest(desk.source, desk.workspace.home.parent, desk.workspace, desk.pseudonyms, afresh=True)
    assert read_consents(desk.workspace.tables) == before
    assert desk.pseudonyms.of(ANNA) in before.no_profiling & before.no_marketing


def test_a_no_under_any_id_is_a_no_of_the_customer(desk: Desk) -> None:
    """Of merged ids all object when one does; when the merge is undone each keeps what it said itself."""
    a, b = map(desk.pseudonyms.of, (ANNA, CARL))
    opt_out(desk, CARL, ["no_profiling"], False, "", TODAY)
    merge = merge_by_hand(desk.workspace.tables, desk.pseudonyms, ANNA, CARL, "tester")
    assert read_consents(desk.workspace.tables).no_profiling == {a, b}
    undo(desk.workspace.tables, desk.pseudonyms, merge, "tester")
    assert read_consents(desk.workspace.tables).no_profiling == {b}


def test_opting_out_removes_what_was_computed_at_once(desk: Desk) -> None:
    """Features, predictions, grades, store; events and attributes stay. The marketing flag alone removes nothing."""
    a, b = map(desk.pseudonyms.of, (ANNA, BERT))
    opt_out(desk, BERT, ["no_marketing"], False, "", TODAY)
    grades = pq.read_table(desk.workspace.grades / "2026-04-01-v1" / "grades.parquet").to_pylist()
    assert {g["customer_id"] for g in grades if g["no_marketing"]} == {b} and len(grades) == 4
    before = contents(desk.workspace.tables)
    opt_out(desk, ANNA, ["no_profiling"], False, "", TODAY)
    after = contents(desk.workspace.tables)
    assert {name for name in after if after[name] != before.get(name)} == {"objections.parquet"}
    found = desk.search(desk.person(ANNA)).found
    assert found and all(name.startswith("tables/") or name.startswith("store/") for name in found)
    with duckdb.connect() as db:
        for folder in ("features", "training", "grades"):
            for path in (desk.workspace.home / folder).rglob("*.parquet"):
                if path.is_file():
                    assert not db.sql(f"SELECT 1 FROM '{path}' WHERE customer_id = '{a}'").fetchall()
    assert document(desk, ANNA)["grades"] == []


def test_consents_are_no_model_inputs(desk: Desk) -> None:
    """They are no attribute of a model, and make nobody a customer."""
    ids = ["0" * 31 + "1", "0" * 31 + "2"]
    rows = [
        {"customer_id": ids[0], "attribute": "no_marketing", "value": "no", "family": "consent"},
        {"customer_id": ids[1], "attribute": "region", "value": "north", "family": "social"},
    ]
    part = desk.workspace.tables / "customers.parquet" / "part-77777.parquet"
    pq.write_table(pa.Table.from_pylist(rows, CUSTOMERS), part)
    day = date(2026, 4, 1)
    assert "consent" not in attribute_table(desk.workspace.tables, [day])["family"].to_pylist()
    known = feature_table(desk.workspace.tables, desk.source.company(), CATALOGUE[:1], [day])["customer_id"].to_pylist()
    assert ids[0] not in known and ids[1] in known


@pytest.fixture(scope="module")
def sample_copy(sample: Ran, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The sample company in a workspace that may be changed."""
    home = tmp_path_factory.mktemp("copy") / "home"
    shutil.copytree(sample.workspace.home, home)
    return replace(
        sample, job=replace(sample.job, workspace=Workspace(home)), folder=home / "grades" / sample.folder.name
    )


@pytest.fixture(scope="module")
def client(sample_copy: Ran, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    yield from start(sample_copy, tmp_path_factory.mktemp("server") / "log")


def planted(ran: Ran, consent: str) -> list[str]:
    people = pd.read_csv(ran.workspace.simulated / "customers.csv", dtype=str)
    return list(people.loc[people[consent] == "yes", "customer_no"])


def test_who_objects_is_not_scored(sample_copy: Ran, client: httpx.Client, pseudonyms: Pseudonyms) -> None:
    """In no feature row, prediction or grade; the service answers 403, also to events sent with the request."""
    objectors = planted(sample_copy, "no_profiling")
    assert len(objectors) >= 2
    ids = set(map(pseudonyms.of, objectors))
    workspace = sample_copy.workspace
    for path in (workspace.features / "features.parquet", workspace.features / "labels.parquet",
                 workspace.features / "attributes.parquet", workspace.training / "predictions" / "churn.parquet",
                 sample_copy.folder / "grades.parquet"):  # fmt: skip
        assert ids.isdisjoint(pq.read_table(path)["customer_id"].to_pylist()), path
    for id_ in objectors:
        for answer in (
            client.get(f"/v1/customers/{id_}"),
            client.post("/v1/score", json={"customer_id": id_, "events": []}),
        ):
            assert answer.status_code == 403 and answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["title"] == "this customer has objected to profiling" and id_ not in answer.text


def test_who_wants_no_marketing_is_scored_and_marked(
    sample_copy: Ran, client: httpx.Client, pseudonyms: Pseudonyms
) -> None:
    """Grades and both kinds of answer say it, of those and of no other."""
    wanted = set(planted(sample_copy, "no_marketing"))
    graded = pq.read_table(sample_copy.folder / "grades.parquet").to_pylist()
    marked = {row["customer_id"] for row in graded if row["no_marketing"]}
    assert marked and marked <= read_consents(sample_copy.workspace.tables).no_marketing
    for id_ in [*[id_ for id_ in sorted(wanted) if pseudonyms.of(id_) in marked][:3], "C10009"]:
        sent = client.post("/v1/score", json={"customer_id": id_, "as_of": "2026-11-01", "events": []}).json()
        assert sent["no_marketing"] is client.get(f"/v1/customers/{id_}").json()["no_marketing"] is (id_ in wanted)


def test_an_objection_is_heard_by_the_running_service(
    sample_copy: Ran, client: httpx.Client, pseudonyms: Pseudonyms
) -> None:
    """403 from the moment of the command; withdrawn, the customer is back with the next grading."""
    workspace, id_ = sample_copy.workspace, "C10011"
    desk = Desk(sample_copy.job.source, workspace, pseudonyms, Audit(workspace.home / "audit.jsonl", "tester"))
    assert client.get(f"/v1/customers/{id_}").status_code == 200
    before = read_json(sample_copy.folder / "snapshot.json")["customers"]
    opt_out(desk, id_, ["no_profiling"], False, "", TODAY)
    assert client.get(f"/v1/customers/{id_}").status_code == 403
    assert client.get("/v1/customers/C10009").status_code == 200
    _, folder = sample_copy.job.classify()
    assert read_json(folder / "snapshot.json")["customers"] == before - 1
    opt_out(desk, id_, ["no_profiling"], True, "", TODAY)
    assert client.get(f"/v1/customers/{id_}").status_code == 404
    sample_copy.job.features()
    _, folder = sample_copy.job.classify()
    assert read_json(folder / "snapshot.json")["customers"] == before
    assert datetime.fromisoformat(str(desk.audit.lines(desk.person(id_))[0]["at"]))


def test_an_objection_reaches_a_grading_from_old_features(sample_copy: Ran, pseudonyms: Pseudonyms) -> None:
    """Whoever said no after the features were computed is not graded from them."""
    from training.snapshots import read_cuts, read_snapshots

    workspace, who = sample_copy.workspace, pseudonyms.of("C10012")
    day = read_cuts(workspace).grade
    assert who in read_snapshots(workspace, [day])[0].ids
    row = [who, "no_profiling", "yes", TODAY, "consent", None]
    part = workspace.tables / "customers.parquet" / "part-77777.parquet"
    pq.write_table(pa.Table.from_pylist([dict(zip(CUSTOMERS.names, row, strict=True))], CUSTOMERS), part)
    assert who not in read_snapshots(workspace, [day])[0].ids
    part.unlink()
