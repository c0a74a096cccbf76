"""The hand-off: what another system imports says what the grades say, of the company's own ids, and loses no change."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classification.export.ledger import ledger_path
from classification.export.plays import SAID, plays_in
from classification.export.target import PLAYS, TARGETS, Target, check_target, load_target, target_path
from classification.playbook import CURRENT, load_playbook
from classification.plays import play_of
from features.config import read_config
from features.errors import InputError
from features.tables.audit import verify
from features.tables.privacy import Pseudonyms
from features.tables.rewrite import rewrite
from features.workspace import Workspace
from tests.classification.handed import (
    SCHEME,
    UNKNOWN,
    export,
    grade,
    imported,
    know,
    merge,
    object_to,
    read,
    target,
)

LEAD = {"value": "C", "lifecycle": "P", "intent": "H", "demand": "T", "region": "N"}
KEY = {"value": "A", "lifecycle": "R", "intent": "I", "demand": "H", "churn": "3", "worth": "H", "behaviour": "F"}
PLAIN = {"value": "C", "lifecycle": "X", "intent": "V", "demand": "L", "churn": "1", "worth": "L", "behaviour": "O"}
CUSTOMERS = {"C-1": KEY, "C-2": PLAIN, "C-3": LEAD, "C-4": PLAIN}

ONE = """
title: A CRM
file: csv
files:
  all:
    columns: [{header: id, from: id}, {header: value, from: class.value}, {header: demand, from: class.demand}]
"""
TWO = """
title: A CRM
file: json
files:
  leads:
    within: {lifecycle: [P]}
    columns: [{header: id, from: id}, {header: demand, from: class.demand, marketing: true}]
  rest:
    columns: [{header: id, from: id}, {header: value, from: class.value}, {header: stop, from: no_marketing}]
"""


@pytest.fixture
def workspace(tmp_path: Path, pseudonyms: Pseudonyms) -> Workspace:
    """Four customers in two months; in the second the first of them has another demand, and the lead has bought."""
    found = Workspace(tmp_path / "home")
    know(found, pseudonyms, CUSTOMERS)
    grade(found, pseudonyms, "2026-09", CUSTOMERS)
    later = CUSTOMERS | {"C-1": KEY | {"demand": "L"}, "C-3": PLAIN | {"lifecycle": "F"}}
    grade(found, pseudonyms, "2026-10", later)
    return found


@pytest.mark.parametrize("name", ["zoho", "fxiaoke", "csv", "json"])
def test_a49_what_is_handed_over_says_what_the_grades_say(
    workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path, name: str
) -> None:
    """Every file reads back: the headers of its description, each customer once under the company's own id, and for
    every class its own word."""
    described, folder = load_target(name), tmp_path / "out"
    done = export(workspace, pseudonyms, "2026-09", folder, name)
    files, seen = read(folder), []
    assert sum(done.rows.values()) == len(CUSTOMERS) and set(done.files) == {each.name for each in folder.iterdir()}
    for file, rows in files.items():
        columns = [column for column in described.files[file].columns if column.kind != "play"]
        for row in rows:
            assert list(row) == [column.header for column in columns]
            own = str(row[described.files[file].id.header])
            seen.append(own)
            for column in columns:
                if column.kind == "class":
                    class_ = CUSTOMERS[own].get(column.name, UNKNOWN[column.name])
                    wanted = column.values.get(class_) if column.values else class_
                    assert (row[column.header] or None) == wanted
                if column.source == "code":
                    assert SCHEME.decode(str(row[column.header]))["value"] == CUSTOMERS[own]["value"]
    assert sorted(seen) == sorted(CUSTOMERS)


def test_a49_cells_are_written_as_the_format_says(workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    """Byte for byte: quotation marks, ends of lines, percent, money, days, yes and no; in a workbook and in JSON a
    number is a number."""
    export(workspace, pseudonyms, "2026-09", tmp_path / "csv", "csv")
    first, second, *_ = (tmp_path / "csv" / "customers.csv").read_bytes().split(b"\r\n")
    assert first.startswith(b'"customer","also","code","notes","value"')
    assert second == (
        b'"C-1",,"AR-FU3U-IHHUU-UUUUU-UUUU",,"A","key customer","R","F","U","3","25","38","1234.56","I","H","no",'
        b'"2026-10-01","2026-09","3","2026-12"'
    )
    export(workspace, pseudonyms, "2026-09", tmp_path / "json", "json")
    row = read(tmp_path / "json")["customers"][0]
    assert (row["churn_percent"], row["expected_value"], row["no_marketing"], row["also"]) == (25, 1234.56, False, None)
    export(workspace, pseudonyms, "2026-09", tmp_path / "xlsx", "fxiaoke")
    row = read(tmp_path / "xlsx")["accounts"][0]
    assert (row["流失概率"], row["分类日期"], row["拒绝营销"], row["模型版本"]) == (25, "2026-10-01", "否", 3)


def test_a49_plays_are_handed_over(workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    """Of each customer what the playbook says of its classes, the class that gives the price tier, and the first visit
    that is due."""
    ids, playbook = pseudonyms.of_all(["C-1", "C-1", "C-3"]), load_playbook(CURRENT)
    due = [date(2026, 11, 9), date(2026, 10, 7), None]
    visits = pa.table({"customer_id": ids, "due": pa.array(due, pa.date32())})
    object_to(workspace, pseudonyms, profiling=[], marketing=["C-2"])
    export(workspace, pseudonyms, "2026-09", tmp_path / "a", "csv", plays=plays_in(playbook, visits))
    rows = {row["customer"]: row for row in read(tmp_path / "a")["customers"]}
    assert list(rows["C-1"]) == [column.header for column in load_target("csv").files["customers"].columns]
    for own, row in rows.items():
        classes = {name: CUSTOMERS[str(own)].get(name, unknown) for name, unknown in UNKNOWN.items()}
        play = play_of(playbook, classes, own == "C-2")
        assert (row["owner"], row["discount"]) == (play.owner, play.discount)
        assert row["discount_rule"] == play.because["discount"]
        assert (row["service"], row["marketing"]) == (" ".join(play.service), " ".join(play.marketing))
    assert rows["C-1"]["discount_rule"] == "value=A" and not rows["C-2"]["marketing"]
    assert [row["next_visit"] for row in rows.values()] == ["2026-10-07", "", "", ""]


def test_a49_the_same_month_is_the_same_bytes(workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    """Workbooks too, which carry no date of their own."""
    for name in ("zoho", "fxiaoke", "json"):
        found = []
        for turn in "ab":
            export(workspace, pseudonyms, "2026-09", tmp_path / f"{name}-{turn}", name, full=True)
            found.append({path.name: path.read_bytes() for path in (tmp_path / f"{name}-{turn}").iterdir()})
        assert found[0] == found[1]


def test_a48_leads_and_customers_lie_apart(workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    """Before the first purchase the classes to follow up by; after it those of service and resale. A lead that buys
    leaves the file of leads, and says so."""
    export(workspace, pseudonyms, "2026-09", tmp_path / "a")
    first = read(tmp_path / "a")
    assert [row["External_Customer_ID"] for row in first["leads"]] == ["C-3"]
    assert first["leads"][0]["Purchase_Intent"] == "Hesitant" and "Customer_Class" not in first["leads"][0]
    assert [row["Customer_Class"] for row in first["accounts"]] == ["Key customer", *["Ordinary customer"] * 2]
    export(workspace, pseudonyms, "2026-10", tmp_path / "b")
    second = read(tmp_path / "b")
    assert second["gone"] == [{"customer": "C-3", "file": "leads", "why": "now in accounts", "into": "accounts"}]
    assert "leads" not in second and "C-3" in [row["External_Customer_ID"] for row in second["accounts"]]


def test_a51_who_objects_is_not_canvassed_or_not_there(
    workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path
) -> None:
    """What holds today counts, whatever the month says: without profiling no row, without marketing no word of it."""
    object_to(workspace, pseudonyms, profiling=["C-2"], marketing=["C-1"])
    plays = {name: pa.array(["write", "write", "write"]) for name in ("marketing", "service")}
    export(workspace, pseudonyms, "2026-09", tmp_path / "a", plays=lambda grades: plays)
    rows = {str(row["External_Customer_ID"]): row for rows in read(tmp_path / "a").values() for row in rows}
    assert sorted(rows) == ["C-1", "C-3", "C-4"]
    marketing = [each.header for each in load_target("zoho").files["accounts"].columns if each.marketing]
    assert len(marketing) == 3 and [rows["C-1"][name] for name in marketing] == ["", "", ""]
    assert all(rows["C-4"][name] for name in marketing) and rows["C-1"]["Service_Play"] == "write"
    assert (rows["C-1"]["No_Marketing"], rows["C-4"]["No_Marketing"]) == ("true", "false")


def test_only_what_changed_is_handed_over_again(workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    """A row whose date alone is new is none; the same month again is nothing, not even a folder; --full is all."""
    assert export(workspace, pseudonyms, "2026-09", tmp_path / "a").rows == {"leads": 1, "accounts": 3, "gone": 0}
    done = export(workspace, pseudonyms, "2026-10", tmp_path / "b")
    assert (done.rows, done.same) == ({"leads": 0, "accounts": 2, "gone": 1}, 2)
    done = export(workspace, pseudonyms, "2026-10", tmp_path / "c")
    assert (done.files, done.same) == ((), 4) and not (tmp_path / "c").exists()
    assert export(workspace, pseudonyms, "2026-10", tmp_path / "d", full=True).rows["accounts"] == 4
    assert export(workspace, pseudonyms, "2026-10", tmp_path / "e", "csv").rows["customers"] == 4


def test_another_mapping_is_handed_over_again(workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    """A new column, header or word: every row that has another cell."""
    export(workspace, pseudonyms, "2026-09", tmp_path / "a", "crm", target(ONE))
    renamed = target(ONE.replace("header: demand", "header: need"))
    assert export(workspace, pseudonyms, "2026-09", tmp_path / "b", "crm", renamed).rows["all"] == 4
    assert export(workspace, pseudonyms, "2026-09", tmp_path / "c", "crm", renamed).rows["all"] == 0
    words = ONE.replace(
        "header: demand, from: class.demand", "header: need, from: class.demand, values: {H: H!, T: T, L: L}"
    )
    assert export(workspace, pseudonyms, "2026-09", tmp_path / "d", "crm", target(words)).rows["all"] == 1


def test_within_one_class_what_the_target_has_stays_true(
    workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path
) -> None:
    """Only customers of the class are handed over for the first time; who had been and has another class now is too."""
    within, described, crm = {"value": "A"}, target(ONE), dict[str, dict[str, dict[str, object]]]()
    export(workspace, pseudonyms, "2026-09", tmp_path / "a", "crm", described, within)
    crm = imported(crm, tmp_path / "a", described)
    assert set(crm["all"]) == {"C-1"}
    grade(workspace, pseudonyms, "2026-11", CUSTOMERS | {"C-1": PLAIN, "C-2": KEY})
    export(workspace, pseudonyms, "2026-11", tmp_path / "b", "crm", described, within)
    crm = imported(crm, tmp_path / "b", described)
    assert {own: row["value"] for own, row in crm["all"].items()} == {"C-1": "C", "C-2": "A"}


def test_merged_customers_are_one_row(workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    """Under the survivor's id, which lists the others; who had been handed over alone is gone, into the survivor."""
    export(workspace, pseudonyms, "2026-09", tmp_path / "a", "csv")
    merge(workspace, pseudonyms, {"C-4": "C-2", "C-3": "C-2"})
    export(workspace, pseudonyms, "2026-09", tmp_path / "b", "csv")
    found = read(tmp_path / "b")
    assert [(row["customer"], row["also"]) for row in found["customers"]] == [("C-2", "C-3; C-4")]
    said = {"file": "customers", "why": "merged", "into": "C-2"}
    assert found["gone"] == [{"customer": own, **said} for own in ("C-3", "C-4")]


def test_of_those_who_were_erased_only_the_companys_own_ids_are_told(
    workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path
) -> None:
    """An objection that took a customer of two ids out of the ledger: both are named, and no pseudonym is."""
    merge(workspace, pseudonyms, {"C-4": "C-2"})
    export(workspace, pseudonyms, "2026-09", tmp_path / "a", "csv")
    mine = pseudonyms.of_all(["C-2", "C-4"])
    rewrite(
        ledger_path(workspace, "csv"),
        ["customer_id"],
        mine,
        lambda rows: rows.filter(pc.invert(pc.is_in(rows["customer_id"], pa.array(mine)))),
    )
    object_to(workspace, pseudonyms, profiling=["C-4"], marketing=[])
    assert export(workspace, pseudonyms, "2026-09", tmp_path / "b", "csv").erased == 1
    said = {"file": "", "why": "objects to profiling", "into": ""}
    assert read(tmp_path / "b") == {"gone": [{"customer": own, **said} for own in ("C-2", "C-4")]}


histories = st.lists(
    st.tuples(
        st.dictionaries(
            st.sampled_from(["C-1", "C-2", "C-3", "C-4", "C-5"]),
            st.fixed_dictionaries(
                {
                    "value": st.sampled_from("ABC"),
                    "lifecycle": st.sampled_from("PRX"),
                    "demand": st.sampled_from("HTL"),
                }
            ),
        ),
        st.sets(st.sampled_from(["C-1", "C-2"]), max_size=1),  # objects to profiling
        st.sets(st.sampled_from(["C-2", "C-3"]), max_size=2),  # objects to marketing
        st.sampled_from([None, None, "A", "B"]),  # within a class
        st.booleans(),  # in full
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=12, deadline=None)
@given(histories)
def test_increments_make_what_a_full_export_makes(tmp_path_factory: pytest.TempPathFactory, history: list) -> None:
    """Whatever customers do from month to month, and whatever was asked for between: a CRM that was empty, and took
    every export, has after one without bounds what a full export gives an empty CRM."""
    home, pseudonyms, described = tmp_path_factory.mktemp("crm"), Pseudonyms(b"k" * 32), target(TWO)
    workspace, crm = Workspace(home / "home"), dict[str, dict[str, dict[str, object]]]()
    know(workspace, pseudonyms, ["C-1", "C-2", "C-3", "C-4", "C-5"])
    for i, (customers, profiling, marketing, value, full) in enumerate(history):
        grade(workspace, pseudonyms, f"2026-{i + 1:02d}", customers)
        object_to(workspace, pseudonyms, profiling, marketing)
        within = {"value": value} if value else {}
        export(workspace, pseudonyms, f"2026-{i + 1:02d}", home / f"{i}", "crm", described, within, full)
        crm = imported(crm, home / f"{i}", described)
    last = f"2026-{len(history):02d}"
    export(workspace, pseudonyms, last, home / "last", "crm", described)
    crm = imported(crm, home / "last", described)
    export(workspace, pseudonyms, last, home / "whole", "empty", described, full=True)
    assert crm == imported({}, home / "whole", described)
    shutil.rmtree(home)


FORMULAS, LINES, LONG = {"=C5", "+49 6", "-7", "@8"}, {"C\n9", "C\t10"}, {"C" * 10_000}
HOSTILE = {'C"1', "C|2", "C,3", "C;4", "客户😀11", "a<b>&c", "'q", *FORMULAS, *LINES, *LONG}


def test_hostile_ids_are_handed_over_as_they_are_or_not_at_all(pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    """An id that was changed on the way would be another customer. Those that a format cannot hold are counted."""
    workspace = Workspace(tmp_path / "home")
    know(workspace, pseudonyms, HOSTILE)
    grade(workspace, pseudonyms, "2026-09", dict.fromkeys([*HOSTILE, "nobody knows"], PLAIN))
    refused = {
        "csv": FORMULAS | LINES,
        "zoho": FORMULAS | LINES | LONG | {'C"1', "C|2", "a<b>&c"},
        "fxiaoke": LINES | LONG,
        "json": set(),
    }
    for name, out in refused.items():
        done = export(workspace, pseudonyms, "2026-09", tmp_path / name, name)
        (file, rows), *others = read(tmp_path / name).items()
        header = load_target(name).files[file].id.header
        assert {row[header] for row in rows} == HOSTILE - out and not others, name
        assert done.refused == len(out) + 1


texts = st.text(max_size=40) | st.sampled_from(["=1+1", "\t=1", "\r@x", '"', "a\r\nb", "x" * 10_000])


@settings(max_examples=15, deadline=None)
@given(st.tuples(texts, texts))
def test_hostile_texts_stay_in_their_cells(tmp_path_factory: pytest.TempPathFactory, said: tuple[str, str]) -> None:
    """Quotation marks, ends of lines, formulas, emoji, ten thousand characters: every format reads back as so many rows
    of so many columns; in a CSV nothing begins like a formula; nothing is longer than its column."""
    home, pseudonyms = tmp_path_factory.mktemp("texts"), Pseudonyms(b"k" * 32)
    workspace = Workspace(home / "home")
    know(workspace, pseudonyms, ["C-1", "C-2"])
    grade(workspace, pseudonyms, "2026-09", {"C-1": PLAIN, "C-2": PLAIN})
    columns = "[{header: id, from: id}, {header: play, from: play.service, length: 50}]"
    for kind in ("csv", "xlsx", "json"):
        described = target(f"title: t\nfile: {kind}\nfiles: {{all: {{columns: {columns}}}}}")
        plays = {"service": pa.array(said)}
        export(workspace, pseudonyms, "2026-09", home / kind, kind, described, plays=lambda _, plays=plays: plays)
        rows = read(home / kind)["all"]
        assert [sorted(row) for row in rows] == [["id", "play"]] * 2 and {row["id"] for row in rows} == {"C-1", "C-2"}
        for row in rows:
            cell = str(row["play"] or "")
            assert len(cell) <= 51 and (kind == "json" or not re.search(r"[\x00-\x1f]", cell))
            assert kind != "csv" or not cell.startswith(("=", "+", "-", "@"))
    shutil.rmtree(home)


@pytest.mark.parametrize("name", ["zoho", "fxiaoke", "csv", "json"])
def test_no_pseudonym_is_handed_over(workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path, name: str) -> None:
    """The files say the company's own ids and nothing else that names anybody; only their owner may read them."""
    for i, month in enumerate(("2026-09", "2026-10")):
        export(workspace, pseudonyms, month, tmp_path / f"out-{i}", name)
        said = str(read(tmp_path / f"out-{i}"))
        assert not re.search(r"[0-9a-f]{32}", said) and not any(pseudonyms.of(own) in said for own in CUSTOMERS)
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / f"out-{i}").iterdir()} == {0o600}
        assert (tmp_path / f"out-{i}").stat().st_mode & 0o777 == 0o700
    ledger = pq.read_table(ledger_path(workspace, name))
    assert not any(own in str(ledger.to_pylist()) for own in CUSTOMERS)


def test_a_file_has_no_more_rows_than_the_target_takes(
    workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path
) -> None:
    """The rest goes into further files, each with the headers."""
    done = export(workspace, pseudonyms, "2026-09", tmp_path / "a", "crm", target(ONE + "rows: 3"))
    assert done.files == ("all-001.csv", "all-002.csv") and len(read(tmp_path / "a")["all"]) == 4


def test_the_folder_is_new_and_outside_the_workspace(
    workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path
) -> None:
    """What may still have to be imported is not written over; ids do not lie where none may be left."""
    (tmp_path / "link").symlink_to(workspace.home)
    for place in (workspace.home / "out", workspace.home, tmp_path / "link" / "out", tmp_path / "x" / ".." / "home"):
        with pytest.raises(InputError, match="outside it"):
            export(workspace, pseudonyms, "2026-09", place)
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="a new folder"):
        export(workspace, pseudonyms, "2026-09", tmp_path / "there")
    assert not workspace.exports.exists() and not (workspace.home / "audit.jsonl").exists()


def test_every_export_is_in_the_audit_log(workspace: Workspace, pseudonyms: Pseudonyms, tmp_path: Path) -> None:
    """Who, which format and month, how many rows of which file; and nobody's id."""
    export(workspace, pseudonyms, "2026-09", tmp_path / "a", within={"value": "A"})
    export(workspace, pseudonyms, "2026-10", tmp_path / "b")
    text = (workspace.home / "audit.jsonl").read_text()
    first, second = map(json.loads, text.splitlines())
    assert (first["by"], first["action"], first["format"], first["month"]) == ("tester", "export", "zoho", "2026-09")
    assert first["within"] == {"value": "A"} and first["rows"] == {"leads": 0, "accounts": 1, "gone": 0}
    assert second["rows"] == {"leads": 0, "accounts": 4, "gone": 0} and second["person"] == []
    assert verify(workspace.home / "audit.jsonl")[0] == 2 and not any(own in text for own in CUSTOMERS)


MISTAKES = {
    "an unknown key": ("title: A CRM", "titel: A CRM", "crm.yaml: title", "found nothing"),
    "an unknown source": ("from: class.value", "from: clas.value", "files.all.columns.1.from", "'clas.value'"),
    "an unknown play": ("from: class.value", "from: play.hobby", "files.all.columns.1.from", "of a play one of"),
    "no id": ("from: id", "from: code", "files.all", "the external id"),
    "an id for some": ("from: id", "from: id, marketing: true", "files.all.columns.0", "an id for everybody"),
    "two ids": ("from: class.value", "from: id", "files.all", "no second one"),
    "a header twice": ("header: value", "header: demand", "files.all", "'demand' is there twice"),
    "words of a number": ("from: class.value", "from: score.churn, values: {A: a}", "files.all.columns.1", "class"),
    "digits of a class": ("from: class.value", "from: class.value, digits: 2", "files.all.columns.1", "score"),
    "a key of another kind": ("file: csv", "file: json\ndelimiter: ';'", "crm.yaml", "take out delimiter"),
    "nobody takes the rest": ("  all:", "  all:\n    within: {value: [A]}", "crm.yaml", "takes the rest"),
    "an end of line in a header": ("header: value", 'header: "a\\nb"', "files.all.columns.1.header", "pattern"),
    "no dimension": ("class.value", "class.valeu", "files.all.columns.1.from", "no dimension 'valeu'"),
    "no class": ("class.value}", "class.value, values: {Z: z}}", "columns.1.values", "no class 'Z'"),
    "a class without a word": (
        "class.value}",
        "class.value, values: {A: a}}",
        "columns.1.values",
        "no word for class B",
    ),
    "no score": ("class.value", "score.luck", "files.all.columns.1.from", "'score.luck'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_mapping_says_where_it_is(mistake: str) -> None:
    """The file, the path in it, and what was found."""
    old, new, place, found = MISTAKES[mistake]
    assert old in ONE
    with pytest.raises(InputError) as caught:
        described = read_config(Target, ONE.replace(old, new, 1), "crm.yaml")
        check_target(described, SCHEME, ["score_churn"], Path("crm.yaml"))
    assert place in caught.value.place and found in caught.value.letter()


def test_the_targets_that_come_with_it_fit_the_current_scheme() -> None:
    """All there are; and what they say of marketing is kept from those who object to it."""
    names = sorted(path.stem for path in TARGETS.glob("*.yaml"))
    assert {"csv", "fxiaoke", "json", "zoho"} <= set(names)
    for name in names:
        described = load_target(name)
        check_target(described, SCHEME, ["score_churn", "score_value", "percentile_churn"], target_path(name))
        columns = [column for file in described.files.values() for column in file.columns]
        sells = ("class.intent", "class.demand", "play.marketing")
        assert all(column.marketing for column in columns if column.source in sells)
    assert {*SAID, "next_visit"} == set(PLAYS)


KILLED = """
import os, shutil, sys
from pathlib import Path
import duckdb, pandas  # what is imported late is imported once
from features.tables.privacy import Pseudonyms
from features.tables.rewrite import rewrite
from features.workspace import Workspace
from tests.classification.handed import export

top = Path(sys.argv[1])

def child(home, kill_at):
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    done = 0
    def watch(event, args):
        nonlocal done
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if event in ("os.rename", "os.mkdir", "os.remove", "os.link") or (writes and str(top) in str(args[0])):
            done += 1
            if done == kill_at:
                os._exit(9)
    sys.addaudithook(watch)
    try:
        export(Workspace(home / "home"), Pseudonyms(b"k" * 32), "2026-10", home / "killed")
    except BaseException:
        import traceback; traceback.print_exc()
        os._exit(1)
    os._exit(0)

step = 1
while True:
    home = top / f"step-{step:02d}"
    shutil.copytree(top / "0", home)
    ended = child(home, step)
    assert ended in (0, 9), (step, ended)
    if ended == 0:
        break
    step += 1
"""


def test_a_killed_export_loses_no_change(tmp_path: Path) -> None:
    """Killed before any of its steps on the disk: there is a whole folder or none, and after the next export the CRM
    has what it would have."""
    pseudonyms, described, top = Pseudonyms(b"k" * 32), load_target("zoho"), tmp_path / "0"
    workspace = Workspace(top / "home")
    know(workspace, pseudonyms, CUSTOMERS)
    grade(workspace, pseudonyms, "2026-09", CUSTOMERS)
    grade(workspace, pseudonyms, "2026-10", CUSTOMERS | {"C-1": KEY | {"demand": "L"}, "C-3": PLAIN})
    export(workspace, pseudonyms, "2026-09", top / "first")
    before = imported({}, top / "first", described)
    run = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    homes, seen = sorted(tmp_path.glob("step-*")), set()
    wanted = imported(before, homes[-1] / "killed", described)
    for home in homes:
        crm = imported(before, home / "killed", described)
        export(Workspace(home / "home"), pseudonyms, "2026-10", home / "next")
        assert not (home / "killed").exists() or crm == wanted, home
        assert imported(crm, home / "next", described) == wanted, home
        left = [path for path in (home / "home").rglob("*") if ".new-" in path.name or ".old-" in path.name]
        assert not left and verify(home / "home" / "audit.jsonl")[0] >= 2
        seen.add(((home / "killed").exists(), (home / "next").exists()))
    assert len(homes) > 8 and seen == {(False, True), (True, True), (True, False)}
