"""Laundering grades, alerts and their reasons are for the role aml only: nothing else tells or depends on them."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from classification.grade import FACTS, TRAIT_NAMES
from classification.laundering.role import KEY_VARIABLE
from classification.scheme import check_facts, read_scheme, scheme_text
from features.catalogue.confidential import CONFIDENTIAL
from features.errors import InputError
from features.tables.audit import Audit
from features.tables.events import CONFIDENTIAL_KINDS
from features.workspace import Workspace
from serving.access import document
from serving.cli import app
from serving.desk import Desk
from serving.laundering import open_officer
from serving.reporting import report_month
from tests.conftest import Ran
from tests.serving.conftest import Months
from tests.serving.test_service import start
from tests.small_world import contents

AML = "tests only: the key of the role aml, long enough"
TYPOLOGIES = ("fan_in", "cycle", "pass_through", "structuring", "rapid_movement", "dormant_then_active")


@pytest.fixture(scope="module")
def aml(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Who has the key of the role."""
    patch = pytest.MonkeyPatch()
    patch.setenv(KEY_VARIABLE, AML)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def worked(months: Months, aml: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, dict[str, bytes], str]:
    """A workspace of its own in which officers have worked: its desk, its files before, and a customer of grade H."""
    home = tmp_path_factory.mktemp("confidential") / "home"
    shutil.copytree(months.ran.workspace.home, home)
    job = replace(months.ran.job, workspace=Workspace(home))
    desk = Desk(job.source, job.workspace, months.desk.pseudonyms, Audit(home / "audit.jsonl", "eva"))
    before = contents(home)
    run, where = CliRunner(), ["--source", "sample", "--home", str(home), "--by", "eva"]
    graded = run.invoke(app, ["laundering", "grade", *where], catch_exceptions=False)
    assert graded.exit_code == 0 and re.search(r"^H +\d+", graded.output, re.MULTILINE), graded.output
    officer = open_officer(job, "eva")
    register = officer.records.register()
    highest = register.filter(pc.equal(register["grade"], "H"))["customer_id"].to_pylist()
    people = pd.read_csv(months.ran.workspace.simulated / "customers.csv", dtype=str)["customer_no"]
    graded_too = set(pd.read_parquet(job.workspace.months / "2026-10" / "grades.parquet")["customer_id"])
    who = next(raw for raw in people if (id_ := desk.pseudonyms.of(raw)) in highest and id_ in graded_too)
    for command in (
        ["show", who],
        ["assess", who, "--grade", "H", "--reason", "a shell company"],
        ["alerts"],
        ["typologies"],
        ["due"],
        ["report", "--to", str(home.parent / "institution.html")],
    ):
        done = run.invoke(app, ["laundering", *command, *where], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    return desk, before, who


Worked = tuple[Desk, dict[str, bytes], str]


def outside(home: Path) -> dict[str, bytes]:
    """Every file with its bytes but for the sealed records."""
    return {name: content for name, content in contents(home).items() if not name.startswith("laundering/")}


def test_a25_officers_leave_a_trace_nowhere_else(worked: Worked) -> None:
    """Every other file of the workspace keeps its bytes, the audit log too; the sealed ones are for their owner."""
    desk, before, _ = worked
    home = desk.workspace.home
    assert outside(home) == before
    log = home / "audit.jsonl"
    assert not log.exists() or "laundering" not in log.read_text()
    sealed = [path for path in desk.workspace.laundering.rglob("*") if path.is_file()]
    assert len(sealed) >= 4 and all(path.suffix == ".sealed" and path.stat().st_mode & 0o077 == 0 for path in sealed)
    assert (home.parent / "institution.html").stat().st_mode & 0o077 == 0


def test_no_file_says_who_is_of_which_grade(worked: Worked) -> None:
    """Neither a pseudonym nor a word of the grade is to be read in the sealed files, nor in the institution's page."""
    desk, _, who = worked
    id_ = desk.pseudonyms.of(who)
    words = [id_, who, "highest:", "upgrade:", *TYPOLOGIES]
    for path in desk.workspace.laundering.rglob("*"):
        found = path.read_bytes() if path.is_file() else b""
        assert not [word for word in words if word.encode() in found]
    page = (desk.workspace.home.parent / "institution.html").read_text()
    assert id_ not in page and not re.search(rf"\b{who}\b", page)


def test_without_the_key_there_is_no_answer(worked: Worked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of `scoring laundering`, whatever it is asked, ends with a letter and shows nothing."""
    desk, _, who = worked
    monkeypatch.setenv(KEY_VARIABLE, "another key, as long as the right one, which opens nothing")
    where = ["--source", "sample", "--home", str(desk.workspace.home)]
    asked = {
        "show": [who], "assess": [who, "--grade", "L", "--reason", "x"],
        "confirm": [who, "--grade", "L", "--reason", "x"], "train": [], "typologies": [],
        "diligence": [who, "--kind", "enhanced", "--reason", "x"], "alerts": [], "due": [],
        "decide": ["1", "--outcome", "cleared", "--reason", "x"], "report": ["--to", os.devnull], "grade": [],
    }  # fmt: skip
    before = contents(desk.workspace.home)
    for command, rest in asked.items():
        done = CliRunner().invoke(app, ["laundering", command, *rest, *where])
        assert done.exit_code != 0 and "does not open" in str(done.exception) and who not in done.output, command
    assert contents(desk.workspace.home) == before


def answers(ran: Ran, who: str, log: Path) -> dict[str, Any]:
    """What every route without a body says, of a customer where it asks for one, and two scores."""
    found: dict[str, Any] = {}
    values = {"customer_id": who, "dimension": "value", "class": "A", "code": "A", "version": "2026-12"}
    server = start(ran, log)
    client = next(server)
    document_ = client.get("/openapi.json").json()
    for path, methods in document_["paths"].items():
        if "get" in methods:
            answer = client.get(re.sub(r"{(\w+)(:path)?}", lambda m: values[m[1]], path))
            found[path] = answer.status_code, UNTOLD.sub("", answer.text) if path == "/metrics" else answer.text
    bare = {"customer_id": who, "as_of": "2026-11-01", "events": [EVENT]}
    suspicious = [{"ts": "2026-08-03T10:00:00", "kind": kind} for kind in CONFIDENTIAL_KINDS]
    found["score"] = client.post("/v1/score", json=bare).raise_for_status().json()
    found["score suspicious"] = client.post("/v1/score", json={**bare, "events": [EVENT, *suspicious]}).json()
    found["openapi"] = json.dumps(without_the_roles_own(document_))
    for _ in server:
        pass
    return found


def without_the_roles_own(document_: dict[str, Any]) -> dict[str, Any]:
    """The document without the route of the role aml, of which everybody may know that there is one."""
    del document_["paths"][OWN_ROUTE]
    schemas = document_["components"]["schemas"]
    for name in [name for name in schemas if name.startswith("Laundering")]:
        del schemas[name]
    text = json.dumps(document_).replace("`credit` or `laundering` at its end", "`credit` at its end")
    found: dict[str, Any] = json.loads(text)
    return found


OWN_ROUTE = "/v1/customers/{customer_id}/laundering"
UNTOLD = re.compile(r" \S+$", re.MULTILINE)
"""How long answers took, at the end of each line of the meters."""
EVENT = {"ts": "2026-07-03T10:00:00", "kind": "purchase", "ref": "1", "amount": 5_000}


def test_no_route_tells(worked: Worked, months: Months, tmp_path: Path) -> None:
    """Every route answers the same with the records and without; none speaks of laundering; events that must not be
    told change no score; nothing is in the log."""
    desk, _, who = worked
    ran = replace(months.ran, job=replace(months.ran.job, workspace=desk.workspace))
    with_records = answers(ran, who, tmp_path / "log")
    aside = desk.workspace.home.parent / "aside"
    desk.workspace.laundering.rename(aside)
    try:
        without = answers(ran, who, tmp_path / "log")
    finally:
        aside.rename(desk.workspace.laundering)
    assert with_records == without
    assert with_records["score"] == with_records["score suspicious"]
    assert not re.search("launder|list_hits|suspicious_reports_365d", with_records["openapi"])
    told = [path for path, answer in with_records.items() if re.search("launder|typolog", str(answer), re.IGNORECASE)]
    assert told == [] and sum(1 for path, said in with_records.items() if path[0] == "/" and said[0] == 200) >= 5
    assert who not in (tmp_path / "log").read_text()


def test_reports_exports_and_answers_to_a_person_do_not_look(worked: Worked, tmp_path: Path, months: Months) -> None:
    """They are the same, to the byte, when the records are unreadable."""
    desk, _, who = worked
    job = replace(months.ran.job, workspace=desk.workspace)

    def made(name: str) -> tuple[dict[str, bytes], str, str]:
        report_month(job, "2026-10")
        to = tmp_path / name
        where = ["--source", "sample", "--home", str(desk.workspace.home)]
        export = ["export", "--format", "csv", "--out", str(to), *where]
        done = CliRunner().invoke(app, export, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        files = contents(desk.workspace.reports) | {f"export {key}": each for key, each in contents(to).items()}
        return files, json.dumps(document(desk, who), default=str), done.output.replace(str(to), "")

    for path in desk.workspace.exports.glob("*"):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    first = made("one")
    shutil.rmtree(desk.workspace.exports, ignore_errors=True)
    aside = desk.workspace.home.parent / "aside"
    desk.workspace.laundering.rename(aside)
    try:
        desk.workspace.laundering.write_bytes(b"nothing to be read here")
        second = made("two")
    finally:
        desk.workspace.laundering.unlink()
        aside.rename(desk.workspace.laundering)
    assert first == second and not re.search("launder|typolog", first[1], re.IGNORECASE)


def test_mlflow_has_nothing_of_a_customer(worked: Worked) -> None:
    """No model, run, tag or parameter of anything but the ranking names laundering; and no pseudonym is anywhere."""
    desk, _, who = worked
    client, id_ = mlflow.MlflowClient(), desk.pseudonyms.of(who)
    for model in client.search_registered_models(max_results=500):
        for version in client.search_model_versions(f"name = '{model.name}'"):
            said = json.dumps({"tags": dict(version.tags), "description": version.description})
            assert id_ not in said and who not in said
            assert model.name.endswith(".laundering") or "launder" not in said.lower()


def test_drift_and_schemes_keep_away_from_suspicions(worked: Worked) -> None:
    """No drift report names a confidential feature, and a scheme of classes that looks at one is refused."""
    desk, _, _ = worked
    reports = list(desk.workspace.home.rglob("drift.json"))
    assert reports and CONFIDENTIAL.isdisjoint(FACTS)
    for path in reports:
        assert not [name for name in CONFIDENTIAL if name in path.read_text()]
    for name in CONFIDENTIAL:
        text = scheme_text("2026-12").replace("P: {orders: 0}", f"P: {{{name}: [1, .inf]}}")
        with pytest.raises(InputError, match=name):
            check_facts(read_scheme(text, "a scheme"), FACTS, TRAIT_NAMES, "a scheme")
