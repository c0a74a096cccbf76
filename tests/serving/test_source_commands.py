"""A user's first hour: from files to a source that runs, by the commands as they are typed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from features.tables.infer.write import SCHEMA, json_schema
from features.tables.sources import SOURCES, Source, load_source, source_kind
from features.workspace import Workspace
from serving.steps import Job
from tests.conftest import ROOT, real_data
from tests.features.tables.test_propose import CORRECTED, GERMAN, orders

Scoring = Callable[..., tuple[int, str]]

EVERY = {"classes", "churn", "value", "demand", "intent", "potential", "segments"}
ALLOWED = {
    "online-retail": EVERY,
    "cdnow": EVERY,
    "essec": EVERY,
    "grocery": EVERY - {"value", "potential"},
    "berka": {"laundering"},
    "accounts-receivable": {"arrears"},
    "amlsim": {"laundering"},
}
"""Data set → the tasks that it allows."""


def test_the_schema_in_the_repository_is_that_of_the_models() -> None:
    """Editors complete what the program accepts. `scoring source schema` prints it anew."""
    assert (ROOT / "configs/schemas/source.schema.json").read_text() == json_schema()


def test_every_source_of_events_names_its_schema() -> None:
    """The first line tells the editor."""
    for path in SOURCES.glob("*.yaml"):
        if source_kind(path.stem) == "events":
            assert path.read_text().splitlines()[0] == SCHEMA, path


def test_a_proposal_loads_and_reads_every_line(
    tmp_path: Path, scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word of help from its owner a German export is taken in whole."""
    (tmp_path / "Bestellungen.csv").write_bytes(GERMAN.encode("cp1252"))
    target = tmp_path / "shop.yaml"
    assert scoring("source", "init", tmp_path / "Bestellungen.csv", "--out", target) == (0, "")
    source = load_source(str(target))
    job = Job(source, Workspace(tmp_path / "home"), tmp_path)
    (counts,) = job.ingest().counts
    assert counts.read == counts.accepted + counts.fixed.total() == 300
    code, said = scoring("source", "init", tmp_path / "Bestellungen.csv", "--out", target)
    assert code == 2 and "--force" in said


def test_what_was_not_understood_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scoring: Scoring
) -> None:
    """The terminal repeats what the file marks as unsure, and says what to type next."""
    from serving.source_commands import init

    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "orders.csv").write_text(orders(lambda t: f"{t:%Y-%m-%d}"))
    (tmp_path / "raw" / "notes.txt").write_text("nothing of interest\n")
    init([str(tmp_path / "raw")], name=None, target=tmp_path / "orders.yaml")
    said = capsys.readouterr().out
    text = (tmp_path / "orders.yaml").read_text()
    assert "Please look at" in said and "timezone" in said and "notes.txt" in said
    assert "# unsure: nothing tells the company's time zone" in text and "notes.txt" in text
    assert f"scoring source check {tmp_path / 'orders.yaml'} --raw {tmp_path / 'raw'}" in said


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("source", "init", "/no/such/file.csv", "--name", "x"), "no such file"),
        (("source", "init", "postgresql://u:secret@127.0.0.1/db?table=t"), "a password"),
        (("source", "init", "postgresql://127.0.0.1/db"), "no table"),
        (("source", "check", "no-such-source"), "no such file"),
        (("source", "check", "essec"), "--raw"),
    ],
)
def test_mistakes_are_answered_by_a_letter(scoring: Scoring, words: tuple[str, ...], found: str) -> None:
    """Exit code 2, a few lines, no traceback, no password."""
    code, said = scoring(*words)
    assert code == 2 and found in said and "Traceback" not in said and "secret" not in said


@pytest.mark.real
@pytest.mark.parametrize("name", CORRECTED)
def test_every_shipped_source_says_what_its_data_allow(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`scoring source check` reads all lines, keeps nothing, and names what each other task lacks."""
    from serving.source_commands import check

    check(name, real_data(*CORRECTED[name][0]))
    rows = capsys.readouterr().out.rpartition("What the data allow")[2].splitlines()
    answers = {row.split()[0]: row for row in rows if "yes" in row or "skipped: " in row}
    assert {task for task, row in answers.items() if "skipped" not in row} == ALLOWED[name]
    assert len(answers) == 9


@pytest.mark.real
@pytest.mark.parametrize("name", ["accounts-receivable", "amlsim"])
def test_a_run_ends_well_where_nothing_can_be_graded(name: str, tmp_path: Path, scoring: Scoring) -> None:
    """Features are there, no release is made, and the exit code is 0."""
    raw = real_data(*CORRECTED[name][0])
    code, _ = scoring("run", "--source", name, "--raw", raw, "--home", tmp_path)
    assert code == 0
    assert (tmp_path / "features" / "features.parquet").exists() and not (tmp_path / "training").exists()
    code, said = scoring("train", "--source", name, "--home", tmp_path)
    assert code == 2 and "no events of kind purchase" in said


def test_a_short_history_is_graded_by_what_happened(tmp_path: Path, scoring: Scoring) -> None:
    """Five months of orders train no forest: purchase rhythm answers, and says what is missing for more."""
    first = date(2024, 1, 1)
    rows = [f"c{i % 250},{first + timedelta(days=i * 7 % 150)},{i},{i % 90 + 1}.50" for i in range(2_000)]
    (tmp_path / "orders.csv").write_text("\n".join(["customer_id,date,order_id,amount", *rows, ""]))
    target = tmp_path / "young.yaml"
    assert scoring("source", "init", tmp_path / "orders.csv", "--out", target)[0] == 0
    job = Job(load_source(str(target)), Workspace(tmp_path / "home"), tmp_path)
    job.ingest()
    job.features()
    assert "150 days of data, at least 270" in job.lacking()["churn"]
    release = job.train()
    for task in ("churn", "value", "demand"):
        assert release.about["rungs"][task]["name"] == "btyd"
        assert "270 are needed" in release.about["rungs"][task]["missing"]
    assert set(release.about["skipped"]) == {"potential"} and "segments" in release.models
    version, found = job.evaluate()
    assert not {v.task for v in found.verdicts} & {"churn", "value"} and job.promote(version).promoted
    _, folder = job.classify()
    assert (folder / "grades.parquet").exists()


def test_the_sample_company_is_proposed_whole(sample_tables: Path) -> None:
    """A file, a table: who it is, what they buy and all their dealings, each of the kind that it is."""
    from tests.features.tables.test_propose import proposed

    source, _, _ = proposed(sample_tables)
    kinds = kinds_of(source)
    (log,) = (table for table in source.tables if table.gives == "events" and table.name == "entries")
    assert {rule.is_ for rule in log.kind_rules} == {"contact", "refusal", "contact_changed"}
    (banked,) = (table for table in source.tables if table.gives == "events" and table.name == "transfers")
    assert banked.both_sides and (banked.customer, banked.counterparty) == ("from_no", "to_no")
    assert {table.name: table.gives for table in source.tables if table.name not in kinds} == {
        "compliance": "customers",  # three lines, each of another customer: nothing tells that these are events
        "customers": "customers",
        "items": "items",
    }
    assert {name: kind for name, kind in kinds.items() if name != "entries"} == {
        "orders": "purchase",
        "returns": "return",
        "visits": "visit",
        "quotes": "quote",
        "complaints": "complaint",
        "service requests": "service_request",
        "service costs": "service_cost",
        "surveys": "survey",
        "campaigns": "campaign",
        "invoices": "invoice_due",
        "payments": "payment",
        "transfers": "transfer_out",
    }


def kinds_of(source: Source) -> dict[str, object]:
    return {table.name: table.kind for table in source.tables if table.gives == "events"}


@pytest.fixture(scope="module")
def sample_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw tables of the sample company."""
    from features.tables.simulate import simulate

    folder = tmp_path_factory.mktemp("sample-raw")
    simulate(folder, 300)
    return folder
