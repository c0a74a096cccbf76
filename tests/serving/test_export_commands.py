"""`scoring export`: from a graded month to files for another system, and what forgetting leaves of that."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from classification.export.ledger import ledger_path
from classification.export.target import load_target
from features.tables.audit import verify
from features.tables.merges import read_merges
from features.tables.privacy import Pseudonyms
from features.workspace import Workspace
from serving.desk import Desk
from serving.forgetting import forget
from serving.opt_out import PROFILING, opt_out
from tests.classification.handed import export, grade, imported, read
from tests.serving.conftest import Months
from tests.small_world import ANNA, BERT, CARL, SEVEN, small_world

TODAY = date(2026, 11, 23)
PLAIN = {"value": "C", "lifecycle": "X", "intent": "V", "demand": "L"}
MONTH = "2026-04"


@pytest.fixture
def desk(tmp_path: Path, pseudonyms: Pseudonyms) -> Desk:
    """Four customers, graded, and handed over to two systems."""
    desk = small_world(tmp_path, pseudonyms)
    grade(desk.workspace, pseudonyms, MONTH, dict.fromkeys((ANNA, BERT, CARL, SEVEN), PLAIN))
    for name in ("zoho", "csv"):
        assert export(desk.workspace, pseudonyms, MONTH, tmp_path / f"{name}-1", name).refused == 0
    return desk


def test_forgetting_takes_a_customer_out_of_the_ledgers(desk: Desk, tmp_path: Path) -> None:
    """No trace of it in the workspace; the next export can only say that there was one, and leaves the others alone."""
    forget(desk, desk.person(ANNA), "asked", TODAY)
    for name in ("zoho", "csv"):
        left = pq.read_table(ledger_path(desk.workspace, name))["customer_id"].to_pylist()
        assert sorted(left) == sorted(map(desk.pseudonyms.of, (BERT, CARL, SEVEN)))
        done = export(desk.workspace, desk.pseudonyms, MONTH, tmp_path / f"{name}-2", name)
        assert (done.erased, done.files, done.same) == (1, (), 3)
        assert export(desk.workspace, desk.pseudonyms, MONTH, tmp_path / f"{name}-3", name).erased == 0


def test_a51_who_objects_to_profiling_is_taken_out_of_the_target(desk: Desk, tmp_path: Path) -> None:
    """The objection empties the ledger of it too, so the next export names whoever objects; an export within a class
    does not forget to."""
    opt_out(desk, BERT, [PROFILING], False, "", TODAY)
    export(desk.workspace, desk.pseudonyms, MONTH, tmp_path / "within", within={"value": "A"})
    done = export(desk.workspace, desk.pseudonyms, MONTH, tmp_path / "zoho-2")
    gone = [{"customer": BERT, "file": "", "why": "objects to profiling", "into": ""}]
    assert done.erased == 1 and read(tmp_path / "zoho-2") == {"gone": gone}
    crm = imported({}, tmp_path / "zoho-1", load_target("zoho"))
    assert set(imported(crm, tmp_path / "zoho-2", load_target("zoho"))["accounts"]) == {ANNA, CARL, SEVEN}


def test_the_command_says_what_it_did(desk: Desk, tmp_path: Path, scoring: Callable[..., tuple[int, str]]) -> None:
    """The first time everybody, the second time nobody, not even a folder; the log says who did it."""
    where = ("--source", tmp_path / "bank.yaml", "--home", desk.workspace.home, "--by", "erna")
    assert scoring("export", "--format", "json", "--out", tmp_path / "new", *where)[0] == 0
    assert {row["customer"] for row in read(tmp_path / "new")["customers"]} == {ANNA, BERT, CARL, SEVEN}
    assert scoring("export", "--format", "json", "--out", tmp_path / "again", *where)[0] == 0
    assert not (tmp_path / "again").exists()
    assert all(row["owner"] == "automation" for row in read(tmp_path / "new")["customers"])
    said = desk.audit.path.read_text()
    assert '"by": "erna", "action": "export"' in said and '"by": "erna", "action": "playbook"' in said
    assert verify(desk.audit.path)[0] == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "zohoo"), "There are: csv.yaml, fxiaoke.yaml, json.yaml, zoho.yaml."),
        (("--format", "zoho", "--month", "2026-07"), "one of: 2026-04"),
        (("--format", "zoho", "--within", "value=Z"), "value= one of A, B, C, U"),
        (("--format", "zoho", "--within", "worht=A"), "dimension=class"),
        (("--format", "zoho", "--out", "{home}/out"), "one outside it"),
    ],
)
def test_a_mistake_is_a_letter(
    desk: Desk, tmp_path: Path, scoring: Callable[..., tuple[int, str]], words: tuple[str, ...], said: str
) -> None:
    """Exit code 2, where, what and the cure; and nothing is written."""
    lines, where = verify(desk.audit.path), ("--source", tmp_path / "bank.yaml", "--home", desk.workspace.home)
    given = [word.replace("{home}", str(desk.workspace.home)) for word in words]
    code, error = scoring("export", "--out", tmp_path / "out", *given, *where)
    assert code == 2 and said in error and verify(desk.audit.path) == lines
    assert not (tmp_path / "out").exists() and not (desk.workspace.home / "out").exists()


def test_a49_the_sample_company_in_zoho(months: Months, pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    """Every graded customer once, under the id of the company's own file, with the class of its grade and the company's
    own word on marketing; prospects are leads. The month after, exactly those whose row is another one; a person's word
    on a class is told as such."""
    shutil.copytree(months.ran.workspace.home, tmp_path / "home")
    described, workspace = load_target("zoho"), Workspace(tmp_path / "home")
    with (workspace.simulated / "customers.csv").open(encoding="utf-8") as file:
        own = {row["customer_no"]: row for row in csv.DictReader(file)}
    grades = pq.read_table(workspace.months / "2026-09" / "grades.parquet").to_pylist()
    merged = read_merges(workspace.tables)
    wanted = {row["customer_id"]: row for row in grades if row["customer_id"] not in merged}
    export(workspace, pseudonyms, "2026-09", tmp_path / "09")
    crm = imported({}, tmp_path / "09", described)
    assert len(crm["leads"]) + len(crm["accounts"]) == len(wanted) and len(crm["accounts"]) > 300 < len(own)
    for file, rows in crm.items():
        words = {column.header: column for column in described.files[file].columns if column.kind == "class"}
        for id_, row in rows.items():
            graded = wanted[pseudonyms.of(id_)]
            assert id_ in own and (graded["class_lifecycle"] == "P") == (file == "leads")
            assert row["Class_Code"] == graded["code"]
            assert row["No_Marketing"] == ("true" if graded["no_marketing"] else "false")
            for header, column in words.items():
                said = (column.values or {}).get(graded[f"class_{column.name}"], "")
                assert row[header] == ("" if column.marketing and graded["no_marketing"] else said)
    export(workspace, pseudonyms, "2026-10", tmp_path / "10")
    export(workspace, pseudonyms, "2026-10", tmp_path / "all", "whole", described, full=True)
    whole = imported({}, tmp_path / "all", described)
    after = imported(crm, tmp_path / "10", described)
    dated = {column.header for file in described.files.values() for column in file.columns if not column.change}
    assert _but(after, dated) == _but(whole, dated)
    given = {
        (file, str(row["External_Customer_ID"]))
        for file, rows in read(tmp_path / "10").items()
        for row in rows
        if file != "gone"
    }
    before, now = _but(crm, dated), _but(whole, dated)
    assert given == {(file, id_) for file in now for id_, row in now[file].items() if before[file].get(id_) != row}
    assert 0 < len(given) < len(wanted) / 2
    told = after["accounts"][months.overridden]
    assert (told["Customer_Class"], told["Class_Notes"]) == ("Key customer", "value override")


def _but(crm: dict[str, dict[str, dict[str, object]]], headers: set[str]) -> dict[str, dict[str, dict[str, object]]]:
    """A CRM without some columns."""
    return {
        file: {id_: {name: cell for name, cell in row.items() if name not in headers} for id_, row in rows.items()}
        for file, rows in crm.items()
    }
