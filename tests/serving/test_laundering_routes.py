"""The route of the role aml: what the officer's command tells, to nobody else, and without a trace elsewhere."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from classification.laundering.records import LOG
from classification.laundering.role import KEY_FILE, KEY_VARIABLE
from features.tables.audit import Audit
from features.tables.privacy import Pseudonyms, key_file
from features.workspace import Workspace
from serving.app import create_app
from serving.cli import app as cli
from serving.keys import ROLES, KeyRing, add_key, keys_path
from serving.laundering import open_officer
from serving.logs import Log
from serving.opening import open_service
from serving.steps import Job
from tests.conftest import Ran

AML = "tests only: the key of the role aml, long enough"
NOBODY = "nobody-0009"


@dataclass(frozen=True)
class Bank:
    """A service whose officers have worked. secrets: role → key; who: a customer whom persons decided about; others:
    further ones; objects: one who objects to profiling."""

    job: Job
    client: TestClient
    log: io.StringIO
    secrets: dict[str, str]
    who: str
    others: list[str]
    objects: str

    def ask(self, customer: str, role: str = "aml") -> Any:
        headers = {"authorization": f"Bearer {self.secrets[role]}"}
        return self.client.get(f"/v1/customers/{customer}/laundering", headers=headers)

    def command(self, *words: str, by: str = "eva") -> str:
        where = ["--source", "sample", "--home", str(self.job.workspace.home), "--by", by]
        done = CliRunner().invoke(cli, ["laundering", *words, *where], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output


@pytest.fixture(scope="module")
def bank(sample: Ran, pseudonyms: Pseudonyms, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    folder = tmp_path_factory.mktemp("bank")
    patch = pytest.MonkeyPatch()
    patch.setenv(KEY_VARIABLE, AML)
    patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    shutil.copytree(sample.workspace.home, folder / "home")
    job = replace(sample.job, workspace=Workspace(folder / "home"))
    audit = Audit(folder / "home" / "audit.jsonl", "eva")
    secrets = {role: add_key(job.workspace, audit, f"the {role}", [role], None) for role in ROLES}
    people = pd.read_csv(sample.workspace.simulated / "customers.csv", dtype=str)
    log = io.StringIO()
    app = create_app(open_service(job), KeyRing(keys_path(job.workspace)), Log(pseudonyms, log))
    objects = people.loc[people["no_profiling"] == "yes", "customer_no"].tolist()[0]
    others = people.loc[people["no_profiling"] != "yes", "customer_no"].tolist()
    with TestClient(app, raise_server_exceptions=False) as client:
        made = Bank(job, client, log, secrets, "", [], objects)
        assert made.ask(others[0]).status_code == 503  # nobody is graded yet
        made.command("grade")
        officer = open_officer(job, "eva")
        alerted = officer.names({each["customer_id"] for each in officer.alerts()[:1]})
        who = next(iter(alerted.values()), others[1])
        made.command("assess", who, "--grade", "H", "--reason", "a shell company")
        made.command("confirm", who, "--grade", "H", "--reason", "agreed", by="tom")
        made.command("diligence", who, "--kind", "enhanced", "--reason", "visited")
        yield replace(made, who=who, others=[each for each in others if each != who])
    patch.undo()


def as_printed(said: dict[str, Any], scale: int) -> str:
    """An answer in the words of the command, without the layout of its table."""
    lines = [
        f"{said['grade']} {said['name']}, since {said['since']}: {said['ground']}. Total {said['score']:.1f} of 100."
    ]
    if said["grade"] != said["system_grade"]:
        lines.append(f"The system says {said['system_grade']}: {said['system_ground']}.")
    done = f"{said['diligence_done']} on {said['diligence_on']}" if said["diligence_done"] else "none on record"
    lines.append(f"Due diligence: {said['due_diligence']}; {done}.")
    late = ", overdue" if said["overdue"] else ""
    lines.append(f"First graded {said['graded_on']}; next review by {said['review_due']}{late}.")
    lines.append("element factor value sub-score weight points")
    for each in said["factors"]:
        value = "unknown" if each["value"] is None else each["value"]
        points = f"{each['sub_score']} of {scale} {each['weight']:g} {each['points']:.1f}"
        lines.append(f"{each['element']} {each['title']} {value} {points}")
    for each in said["acts"]:
        what = " ".join(each[name] for name in ("act", "grade", "kind") if each[name])
        lines.append(f"{each['day']} {what} by {each['by']} {each['reason']}")
    for each in said["alerts"]:
        days = f"{each['first_day']} to {each['last_day']}"
        lines.append(f"alert {each['alert']} {each['typology']} {days} {each['state']}")
    return " ".join(" ".join(lines).split())


def test_a25_the_route_tells_what_the_command_tells(bank: Bank) -> None:
    """Word for word, of customers with and without decisions, and of who objects to profiling."""
    scale = open_officer(bank.job, "eva").show(bank.who)[1].scale
    for customer in (bank.who, bank.objects, *bank.others[:20]):
        said = bank.ask(customer).raise_for_status().json()
        assert said["customer_id"] == customer
        assert as_printed(said, scale) == " ".join(bank.command("show", customer).split())
    said = bank.ask(bank.who).json()
    assert [each["act"] for each in said["acts"]] == ["assess", "confirm", "diligence"] and said["grade"] == "H"
    assert sum(each["points"] for each in said["factors"]) == pytest.approx(said["score"])
    assert [each["state"] for each in said["alerts"]] and said["scheme"]
    assert not re.search(r"\b[0-9a-f]{32}\b", json.dumps(said))  # no pseudonym


def test_other_roles_learn_nothing(bank: Bank) -> None:
    """403, the same to the byte whether the customer is graded, objects or is nobody; without keys, to everybody."""
    for role in ROLES:
        if role == "aml":
            continue
        told = {(r.status_code, r.text) for r in (bank.ask(c, role) for c in (bank.who, bank.objects, NOBODY))}
        assert len(told) == 1 and next(iter(told))[0] == 403
    with TestClient(create_app(open_service(bank.job))) as keyless:
        told = {
            (answer.status_code, answer.text)
            for answer in (keyless.get(f"/v1/customers/{c}/laundering") for c in (bank.who, NOBODY))
        }
        assert len(told) == 1 and next(iter(told))[0] == 403
    assert bank.ask(NOBODY).status_code == 404 and NOBODY not in bank.ask(NOBODY).text


def test_a_look_leaves_its_trace_in_the_sealed_log_alone(bank: Bank, pseudonyms: Pseudonyms) -> None:
    """By the key's id; not in the service's log, its meters, the audit log or any other answer."""
    audit = (bank.job.workspace.home / "audit.jsonl").read_bytes()
    officer = open_officer(bank.job, "eva")
    before, begun = officer.records.read("log", LOG).num_rows, len(bank.log.getvalue())
    for customer, role in ((bank.who, "aml"), (NOBODY, "aml"), (bank.who, "read")):
        bank.ask(customer, role)
    new = officer.records.read("log", LOG).to_pylist()[before:]
    key = bank.secrets["aml"].split("_")[1]
    assert [(line["by"], line["action"]) for line in new] == [(f"key {key}", "show")]
    lines = [json.loads(line) for line in bank.log.getvalue()[begun:].splitlines()]
    assert [(line["route"], line["status"]) for line in lines] == [(None, 200), (None, 404), (None, 403)]
    assert not any("customer" in line for line in lines)
    headers = {"authorization": f"Bearer {bank.secrets['admin']}"}
    meters = bank.client.get("/metrics", headers=headers).text
    named = Log(pseudonyms).name(bank.who)
    for text in (bank.log.getvalue(), meters):
        assert "launder" not in text and bank.who not in text and named not in text
    assert (bank.job.workspace.home / "audit.jsonl").read_bytes() == audit
    read = {"authorization": f"Bearer {bank.secrets['read']}"}
    for path in ("", "/history", "/why", "/credit"):
        assert "launder" not in bank.client.get(f"/v1/customers/{bank.who}{path}", headers=read).text


def test_without_the_key_of_the_role_nothing_is_told_or_made(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, the same for everybody, without the key and with another one; whoever asks makes none."""
    for key, title in ((None, "the key of the role aml is not"), (AML + "?", "cannot be read"), ("short", "cannot be")):
        if key is None:
            monkeypatch.delenv(KEY_VARIABLE)
        else:
            monkeypatch.setenv(KEY_VARIABLE, key)
        told = {(r.status_code, r.text) for r in (bank.ask(c) for c in (bank.who, bank.objects, NOBODY))}
        ((status, text),) = told
        assert status == 503 and title in text
        assert bank.ask(bank.who, "read").status_code == 403
    assert not key_file(KEY_FILE).exists()


def test_an_id_with_the_last_word_in_it_is_an_id(bank: Bank) -> None:
    """A slash that belongs to it is written %2F, and the question is the one for the role read."""
    headers = {"authorization": f"Bearer {bank.secrets['read']}"}
    assert bank.client.get("/v1/customers/a%2Flaundering", headers=headers).status_code == 404
    assert bank.client.get("/v1/customers/a/laundering", headers=headers).status_code == 403
