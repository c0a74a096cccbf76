"""Bad input gets one clear message: where, what was found, what was wanted, what to do. Exit code 2, no traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from features.workspace import Workspace
from tests.conftest import Ran
from tests.features.tables.test_ingest import HEADER, LINES, SOURCE, Shop, shop

__all__ = ["shop"]

Scoring = Callable[..., tuple[int, str]]

BAD_TABLES = {
    "an event id that names a customer": (
        {"source": SOURCE.replace("    ref: order\n", "    ref: order\n    event_id: [customer, order]\n")},
        ["event_id", "'customer'", "name nobody"],
    ),
    "a wrong column": ({"header": HEADER.replace("amount", "total")}, ["'amount'", "customer, at, order, total, item"]),
    "an amount of abc": (
        {"lines": LINES + "anna,2026-03-10,9,abc,x\n"},
        ["line 5, column amount", "'abc'", "a number"],
    ),
    "a date in the future": ({"lines": LINES + "anna,2999-01-01,9,1,x\n"}, ["line 5", "'2999-01-01'", "has come"]),
    "a date that is none": ({"lines": LINES + "anna,31.31.2026,9,1,x\n"}, ["line 5, column at", "'31.31.2026'"]),
    "an empty table": ({"lines": ""}, ["orders.csv", "no rows"]),
    "no bytes at all": ({"lines": "", "header": ""}, ["orders.csv"]),
    "only refused lines": ({"lines": ",2026-03-01,1,1,x\n"}, ["no line that is an event"]),
    "a ragged row": ({"lines": LINES + "anna,2026-03-10\nx,y,z,1,2,3,4,5\n"}, ["orders.csv"]),
}

BAD_SOURCES = {
    "an unknown key": (SOURCE.replace("ref: order", "reff: order"), ["reff", "Did you mean 'ref'"]),
    "a key twice": (SOURCE + "title: Again\n", ["the key 'title' twice"]),
    "no YAML": (SOURCE + "  - : : [", ["YAML"]),
    "an unknown kind": (SOURCE.replace("is: purchase", "is: buy"), ["'buy'", "one of purchase"]),
    "a zone that is none": (SOURCE.replace("Europe/Berlin", "Mars/Base"), ["timezone", "IANA"]),
    "a missing key": (SOURCE.replace("    customer: customer\n", ""), ["customer", "nothing"]),
    "kinds that are not total": (SOURCE.replace("      - {is: purchase}\n", ""), ["every row has a kind"]),
    "another name": (SOURCE.replace("name: shop", "name: other"), ["'other'", "'shop'"]),
    "a date for a key": (SOURCE + "2024-01-01: x\n", ["datetime.date", "YAML"]),
    "a day that is none": (SOURCE.replace("title: A shop", "title: 2024-13-45"), ["YAML"]),
    "a drop rule of a known name": (
        SOURCE + "    drop: [{rule: missing-customer, when: {item: {empty: true}}}]\n",
        ["'missing-customer'"],
    ),
    "an unknown rule": (SOURCE + "rules: {missing-custmer: drop}\n", ["'missing-custmer'", "missing-customer"]),
}


def check(error: str, wanted: list[str]) -> None:
    assert "Traceback" not in error
    for words in wanted:
        assert words in error, error


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_table_stops_ingest(case: str, shop: Shop, scoring: Scoring) -> None:
    """And leaves nothing behind."""
    changes, wanted = BAD_TABLES[case]
    path = shop(**changes)
    home = path.parent / "home"
    code, error = scoring("ingest", "--source", path, "--raw", path.parent, "--home", home)
    assert code == 2
    check(error, wanted)
    assert not home.exists() or not list(home.iterdir())


@pytest.mark.parametrize("case", BAD_SOURCES)
def test_a_bad_source_file_stops_ingest(case: str, shop: Shop, scoring: Scoring) -> None:
    """Before anything is read."""
    source, wanted = BAD_SOURCES[case]
    path = shop(source=source)
    code, error = scoring("ingest", "--source", path, "--raw", path.parent, "--home", path.parent / "home")
    assert code == 2
    check(error, ["shop", *wanted])


def test_a_failed_ingest_keeps_the_old_tables(shop: Shop, scoring: Scoring) -> None:
    """All or nothing, also the second time."""
    path = shop()
    home = Workspace(path.parent / "home")
    words = ("ingest", "--source", path, "--raw", path.parent, "--home", home.home)
    assert scoring(*words)[0] == 0
    before = {p: p.read_bytes() for p in home.tables.rglob("*") if p.is_file()}
    shop(lines=LINES + "anna,2026-03-10,9,abc,x\n")
    assert scoring(*words)[0] == 2
    assert {p: p.read_bytes() for p in home.tables.rglob("*") if p.is_file()} == before
    assert [p.name for p in home.home.iterdir()] == ["tables"]


def test_bytes_that_are_not_utf8_are_named(shop: Shop, scoring: Scoring) -> None:
    """The file and the cure, not a decoder's traceback."""
    path = shop()
    (path.parent / "orders.csv").write_bytes((HEADER + LINES).encode() + b"ren\xe9,2026-03-10,9,1,x\n")
    code, error = scoring("ingest", "--source", path, "--raw", path.parent, "--home", path.parent / "home")
    assert code == 2
    check(error, ["orders.csv", "line 5", "utf-8"])


def test_missing_files_are_named(tmp_path: Path, scoring: Scoring, shop: Shop) -> None:
    """The source file, the raw folder, a raw file, an earlier step's output."""
    code, error = scoring("ingest", "--source", "no-such-company")
    assert code == 2
    check(error, ["no-such-company.yaml", "online-retail.yaml"])
    path = shop()
    code, error = scoring("ingest", "--source", path, "--home", tmp_path / "home")
    assert code == 2
    check(error, ["--raw"])
    code, error = scoring("ingest", "--source", path, "--raw", tmp_path / "nowhere", "--home", tmp_path / "home")
    assert code == 2
    check(error, ["nowhere/orders.csv", "no such file"])
    for step, before in (("features", "ingest"), ("train", "features"), ("evaluate", "train"), ("classify", "")):
        code, error = scoring(step, "--source", path, "--home", tmp_path / "empty")
        assert code == 2
        check(error, [f"scoring {before}"])


def test_dates_that_cannot_be_are_named(sample: Ran, scoring: Scoring) -> None:
    """A test date whose labels are open, or before any training; a grading date beyond the data."""
    where = ("features", "--source", "sample", "--home", sample.workspace.home)
    before = (sample.workspace.features / "cuts.json").read_bytes()
    for words, wanted in (
        (("--as-of", "2026-10-01"), ["2026-10-01", "2026-12-30", "up to 2026-08-03"]),
        (("--as-of", "2023-12-01"), ["2023-12-01", "at least 270 days"]),
        (("--grade-as-of", "2027-01-01"), ["--grade-as-of", "2027-01-01", "2026-11-01"]),
        (("--as-of", "soon"), ["soon"]),
    ):
        code, error = scoring(*where, *words)
        assert code == 2
        check(error, wanted)
    assert (sample.workspace.features / "cuts.json").read_bytes() == before


def test_a_short_key_is_refused(monkeypatch: pytest.MonkeyPatch, scoring: Scoring, tmp_path: Path) -> None:
    """And so is a key that is not the one the tables were made with."""
    monkeypatch.setenv("CUSTOMER_SCORING_KEY", "short")
    code, error = scoring("ingest", "--source", "sample", "--home", tmp_path)
    assert code == 2
    check(error, ["CUSTOMER_SCORING_KEY", "5 characters"])


def test_another_key_than_at_ingest_is_refused(monkeypatch: pytest.MonkeyPatch, scoring: Scoring, sample: Ran) -> None:
    """The service would find nobody under the new pseudonyms."""
    monkeypatch.setenv("CUSTOMER_SCORING_KEY", "another key that is long enough for it")
    code, error = scoring("serve", "--source", "sample", "--home", sample.workspace.home)
    assert code == 2
    check(error, ["another key", "ingest"]) if "another key" in error else check(error, ["pseudonyms made with key"])


def test_the_key_file_is_made_once_and_for_its_owner_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Outside the workspace, mode 600, the same at every use."""
    from features.tables.privacy import key_file, load_pseudonyms

    monkeypatch.delenv("CUSTOMER_SCORING_KEY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    first = load_pseudonyms()
    assert key_file().stat().st_mode & 0o777 == 0o600
    assert load_pseudonyms() == first


def test_one_companys_workspace_is_not_anothers(shop: Shop, scoring: Scoring, sample: Ran) -> None:
    """No step of a source works on the data of another."""
    for step in ("ingest", "features", "train", "evaluate", "classify"):
        raw = ("--raw", shop().parent) if step == "ingest" else ()
        before = (sample.workspace.tables / "report.json").read_bytes()
        code, error = scoring(step, "--source", "cdnow", "--home", sample.workspace.home, *raw)
        assert code == 2, step
        if step != "classify":  # cdnow has no release here, which is said first
            check(error, ["'sample'", "'cdnow'"])
        assert (sample.workspace.tables / "report.json").read_bytes() == before


def test_labels_of_another_horizon_are_refused(sample: Ran, monkeypatch: pytest.MonkeyPatch, scoring: Scoring) -> None:
    """A release that says 60 days must not be trained on labels of 90."""
    from serving import steps
    from training.recipes import load_settings

    changed = load_settings().model_copy(update={"horizon_days": 60})
    monkeypatch.setattr(steps, "load_settings", lambda: changed)
    code, error = scoring("train", "--source", "sample", "--home", sample.workspace.home)
    assert code == 2
    check(error, ["60", "30, 90, 180", "scoring features", "--horizon"])


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////proc/none/mlflow.db", "foo://x"])
def test_a_registry_that_does_not_answer_is_not_an_empty_one(
    uri: str, monkeypatch: pytest.MonkeyPatch, scoring: Scoring, tmp_path: Path
) -> None:
    """An unreachable registry must never look like one without a champion."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    code, error = scoring("promote", "--source", "sample", "--home", tmp_path)
    assert code == 2
    assert "Traceback" not in error and "no release" not in error and error.strip()


def test_damaged_files_are_named(sample: Ran, tmp_path: Path, scoring: Scoring) -> None:
    """Whatever step meets them."""
    import shutil

    home = tmp_path / "home"
    for file, step in (
        ("tables/report.json", "features"),
        ("tables/events.parquet/part-00000-000.parquet", "features"),
        ("features/cuts.json", "train"),
        ("features/features.parquet/part-00000.parquet", "train"),
        ("training/run.json", "evaluate"),
        ("training/predictions/churn.parquet", "evaluate"),
    ):
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(sample.workspace.home, home)
        content = (home / file).read_bytes()
        (home / file).write_bytes(content[: len(content) // 2])
        code, error = scoring(step, "--source", "sample", "--home", home)
        assert code == 2, file
        check(error, [file.split("/")[0], "damaged"])


def test_a_home_that_is_a_file_is_named(tmp_path: Path, scoring: Scoring) -> None:
    """The file system's own word for it, without a traceback."""
    (tmp_path / "file").write_text("x")
    code, error = scoring("ingest", "--source", "sample", "--home", tmp_path / "file")
    assert code == 2
    check(error, ["file"])


def test_an_address_in_use_is_named(sample: Ran, scoring: Scoring) -> None:
    """Before anything is printed about serving."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, error = scoring("serve", "--source", "sample", "--home", sample.workspace.home, "--port", port)
    assert code == 2
    check(error, [str(port)])
    assert scoring("serve", "--port", 99999)[0] == 2
