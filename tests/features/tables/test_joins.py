"""Tables that complete a table of cases, and a split by date: Berka's loans, and what is not as it should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import InputError
from features.tables.cases import CASES, PRIVATE, ingest_cases
from features.tables.privacy import Pseudonyms
from features.tables.table_source import load_table_source
from features.tables.vault import open_vault
from features.workspace import Workspace, read_json
from tests.conftest import real_data

BERKA = tuple(
    f"berka/{name}.gz"
    for name in (
        "loan.asc",
        "disp.asc",
        "client.asc",
        "preloan_aggregates_1993_1996.csv",
        "preloan_aggregates_1997_1998.csv",
    )
)


class Read:
    """A table source that was read."""

    def __init__(self, workspace: Workspace, pseudonyms: Pseudonyms) -> None:
        self.tables = workspace.tables
        self.cases = pq.read_table(self.tables / CASES)
        self.report: dict[str, Any] = read_json(self.tables / "report.json")
        self.vault = open_vault(self.tables, pseudonyms)

    def refused(self) -> list[dict[str, Any]]:
        return [row for _, table in self.vault.tables("quarantine") for row in table.to_pylist()]

    def counts(self, table: str) -> dict[str, Any]:
        return next(each for each in self.report["tables"] if each["table"] == table)


@pytest.mark.real
class TestBerka:
    """Loans, with sums of the account's transactions and the owner's birth number."""

    @pytest.fixture(scope="class")
    def berka(self, tmp_path_factory: pytest.TempPathFactory, pseudonyms: Pseudonyms) -> Read:
        workspace = Workspace(tmp_path_factory.mktemp("berka"))
        ingest_cases(load_table_source("berka-loans"), real_data(*BERKA), workspace, pseudonyms)
        return Read(workspace, pseudonyms)

    @pytest.fixture(scope="class")
    def raw(self) -> dict[str, pd.DataFrame]:
        """The files as pandas reads them, all cells as text."""
        folder = real_data(*BERKA)
        names = [Path(file).name for file in BERKA]
        return {name: pd.read_csv(folder / name, sep=";" if ".asc" in name else ",", dtype=str) for name in names}

    def test_every_loan_is_a_case_with_all_its_partners(self, berka: Read) -> None:
        """682 loans, 76 bad; 328 of them to learn from with 46 bad, 354 to judge by with 30."""
        table = berka.cases.to_pandas()
        sides = table.groupby("split")["label"].agg(["size", "sum"])
        assert sides.to_dict("index") == {"train": {"size": 328, "sum": 46}, "test": {"size": 354, "sum": 30}}
        assert [(each["lines"], each["alone"]) for each in berka.report["joins"]] == [(682, 0)] * 3
        assert {each["table"]: each["accepted"] for each in berka.report["tables"]} == {
            "berka-loans": 682,
            "aggregates": 3_724,
            "dispositions": 4_500,
            "clients": 5_369,
        }
        assert berka.counts("dispositions")["dropped"] == {"not-asked-for": 869}

    def test_the_join_is_that_of_another_program(self, berka: Read, raw: dict[str, pd.DataFrame]) -> None:
        """Cell by cell, in the order of the loans, the vault's birth number included."""
        sums = pd.concat([raw["preloan_aggregates_1993_1996.csv.gz"], raw["preloan_aggregates_1997_1998.csv.gz"]])
        owners = raw["disp.asc.gz"].query("type == 'OWNER'").merge(raw["client.asc.gz"], on="client_id")
        wanted = raw["loan.asc.gz"].merge(sums, "left", on="account_id", suffixes=("", "_sums"))
        wanted = wanted.merge(owners[["account_id", "birth_number"]], "left", on="account_id")
        source = load_table_source("berka-loans")
        for name, column in source.shown.items():
            assert (berka.cases[name].to_pandas() == wanted[column.column].astype(float)).all(), name
        assert berka.vault.read(PRIVATE)["born"].to_pylist() == wanted["birth_number"].astype(float).tolist()
        assert "born" not in berka.cases.column_names and '"born"' not in json.dumps(berka.report)

    def test_nothing_is_known_from_the_day_of_the_loan_or_later(self, raw: dict[str, pd.DataFrame]) -> None:
        """The last transaction in the sums is earlier than the loan, in all 682."""
        sums = pd.concat([raw["preloan_aggregates_1993_1996.csv.gz"], raw["preloan_aggregates_1997_1998.csv.gz"]])
        both = raw["loan.asc.gz"].merge(sums, on="account_id", suffixes=("", "_sums"))
        assert len(both) == 682 and (both["date_sums"] < both["date"]).all()  # YYMMDD of one century

    def test_what_identifies_a_row_is_no_feature(self) -> None:
        """Nor are days, for a model of 1993 knows no 1998."""
        used = {column.column for column in load_table_source("berka-loans").columns.values()}
        assert not used & {"trans_id", "account_id", "date", "aggregates.date", "loan_id", "client_id", "disp_id"}


SOURCE = """
kind: table
name: loans
title: Loans
files: [loans.csv]
key: loan
join:
  - {name: accounts, files: [accounts.csv], by: account}
  - {name: towns, files: [towns.csv], by: town, key: id}
label: {column: bad, positive: ["1"], negative: ["0"], name: credit, question: "Will it go bad?"}
split: {column: date, format: "%d.%m.%Y", test_from: 2020-02-01}
unreadable: 0.5
columns:
  amount: {column: amount, family: risk, type: number, unit: "1", doc: Amount.}
  opened: {column: accounts.date, family: value, type: category, doc: When the account was opened.}
  people: {column: people, family: social, type: number, unit: "1", doc: Inhabitants of the town.}
  owner: {column: owner, family: private, type: category, doc: The owner.}
"""
FILES = {
    "loans.csv": "loan,account,date,amount,bad\n"
    "L1,a,31.01.2020,10,0\nL2,b,01.02.2020,20,1\nL3,c,02.03.2019,30,\nL4,,,40,0\n",
    "accounts.csv": "account,date,owner,town\nb,2001,bea,T1\na,2000, ann ,T2\nd,2004,dan,T9\n",
    "towns.csv": "id,people\nT1,100\nT2,many\n",
}
Loans = Callable[..., Read]


@pytest.fixture
def loans(tmp_path: Path, pseudonyms: Pseudonyms) -> Loans:
    """Reads loans with the tables that complete them; `changes` are other texts of files."""

    def run(source: str = SOURCE, **changes: str) -> Read:
        for name, text in (FILES | {f"{name}.csv": text for name, text in changes.items()}).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / "loans.yaml").write_text(source, encoding="utf-8")
        workspace = Workspace(tmp_path / "home")
        ingest_cases(load_table_source(str(tmp_path / "loans.yaml")), tmp_path, workspace, pseudonyms)
        return Read(workspace, pseudonyms)

    return run


def test_rows_are_completed_and_the_rest_is_null(loans: Loans) -> None:
    """By a join, and by a join on what an earlier one brought; a taken name is qualified; private stays private."""
    read = loans(towns="id,people\nT1,100\nT2,200\n")
    assert read.cases.select(["amount", "opened", "people"]).to_pylist() == [
        {"amount": 10, "opened": "2000", "people": 200},
        {"amount": 20, "opened": "2001", "people": 100},
        {"amount": 30, "opened": None, "people": None},
        {"amount": 40, "opened": None, "people": None},
    ]
    assert read.vault.read(PRIVATE)["owner"].to_pylist() == ["ann", "bea", None, None]
    assert read.report["joins"] == [
        {"name": "accounts", "by": "account", "lines": 4, "alone": 2},
        {"name": "towns", "by": "town", "lines": 4, "alone": 2},
    ]


def test_a_cell_of_a_partner_is_judged_like_any_other(loans: Loans) -> None:
    """The line of the main file is set aside, under its own number."""
    read = loans()
    [row] = read.refused()
    assert (row["table"], row["file"], row["line"], row["rule"]) == ("loans", "loans.csv", 2, "unreadable-people")
    assert row["found"] == "many" and json.loads(row["row"])["accounts.date"] == "2000"


def test_lines_of_a_joined_table_are_all_counted(loans: Loans) -> None:
    """Those that are no rows and those without a key are set aside, those that are not asked for dropped."""
    source = SOURCE.replace("by: account}", "by: account, where: {owner: {empty: false}}}")
    read = loans(source, accounts="account,date,owner,town\na,2000,ann,T1\nb,2001,,T1\n,2002,cid,T1\nd,2\n")
    assert read.counts("accounts") == {
        "table": "accounts",
        "read": 4,
        "accepted": 1,
        "fixed": {},
        "quarantined": {"missing-key": 1, "wrong-width": 1},
        "dropped": {"not-asked-for": 1},
        "noted": {},
    }
    assert sorted((row["table"], row["line"], row["rule"]) for row in read.refused()) == [
        ("accounts", 4, "missing-key"),
        ("accounts", 5, "wrong-width"),
    ]


def test_files_of_a_join_are_read_one_after_the_other(loans: Loans, tmp_path: Path) -> None:
    """A partner may be in any of them, and a key that two of them have is refused."""
    source = SOURCE.replace("[accounts.csv]", "[accounts.csv, more.csv]")
    read = loans(source, more="account,date,owner,town\nc,2003,cid,T1\n", towns="id,people\nT1,1\n")
    assert read.cases["opened"].to_pylist() == ["2000", "2001", "2003", None]
    with pytest.raises(InputError) as error:
        loans(source, more="account,date,owner,town\nc,2003,cid,T1\na,2003,cid,T1\n")
    letter = error.value.letter()
    assert letter.startswith("more.csv: line 3, column account") and "line 3 of accounts.csv" in letter
    assert "ann" not in letter and "join.0.where" in letter


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    keys=st.lists(st.sampled_from(["a", "b", "c", "", "x y", "Ä", "'"]), min_size=1, max_size=12),
    partners=st.lists(st.sampled_from(["a", "b", "c", "x y", "Ä", "'", "A"]), min_size=1, unique=True),
)
def test_a_join_is_a_look_up(keys: list[str], partners: list[str], loans: Loans) -> None:
    """Whatever the keys, each row has the cells of the partner of that very key, rows neither more nor fewer."""
    known = {key: f"of {at}" for at, key in enumerate(partners)}
    source = SOURCE.replace("  - {name: towns, files: [towns.csv], by: town, key: id}\n", "")
    source = source.replace("{column: people, family", "{column: town, family").replace(
        'number, unit: "1", doc: Inhabitants', "category, doc: Name"
    )
    texts = {
        "loans": "loan,account,date,amount,bad\n" + "".join(f"{at},{key},,1,0\n" for at, key in enumerate(keys)),
        "accounts": "account,date,owner,town\n" + "".join(f"{key},,,{town}\n" for key, town in known.items()),
    }
    wanted = [known.get(key) for key in keys]
    if any(wanted):
        assert loans(source, **texts).cases["people"].to_pylist() == wanted
    else:
        with pytest.raises(InputError, match="at least one"):
            loans(source, **texts)


def test_a_day_splits(loans: Loans) -> None:
    """From it on a case judges, before it is learnt from; without a date it is on neither side."""
    read = loans(towns="id,people\nT1,1\nT2,2\n")
    assert read.cases["split"].to_pylist() == ["train", "test", "train", None]


def test_a_day_that_cannot_be_read_is_set_aside(loans: Loans) -> None:
    """And one written in another known form is mended, and counted."""
    rows = "loan,account,date,amount,bad\nL1,a,2020-02-01,1,0\nL2,b,soon,2,0\n"
    read = loans(loans=rows, towns="id,people\nT1,1\nT2,2\n")
    assert read.cases["split"].to_pylist() == ["test"]
    assert read.counts("loans")["fixed"] == {"other-date-form": 1}
    assert [(row["rule"], row["found"], row["line"]) for row in read.refused()] == [("unknown-split", "soon", 3)]


MISTAKES = {
    "a column that is not there": (SOURCE.replace("by: account}", "by: acount}"), {}, "'acount'"),
    "a key that is not there": (SOURCE.replace("key: id", "key: idd"), {}, "join.1.key"),
    "no partner at all": (SOURCE, {"towns": "id,people\nT-1,1\n"}, "no line whose town is a id of 'towns'"),
    "a joined file read wrongly": (SOURCE, {"accounts": "account,date,owner,town\na\nb\nc,1,x,T1\n"}, "no rows"),
    "two joins of one name": (SOURCE.replace("name: towns", "name: accounts"), {}, "a name of its own"),
    "a name for two columns": (
        SOURCE,
        {"loans": "loan,account,date,amount,bad,accounts.date\nL1,a,,1,0,1\n"},
        "a second column 'accounts.date'",
    ),
    "neither codes nor a day": (SOURCE.replace(", test_from: 2020-02-01", ""), {}, "split"),
    "a day that is none": (SOURCE.replace("2020-02-01", "soon"), {}, "split.test_from"),
    "no such file": (SOURCE.replace("[towns.csv]", "[city.csv]"), {}, "city.csv"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_answered_by_a_letter(case: str, loans: Loans) -> None:
    """It says where, what was found and what was wanted."""
    source, changes, wanted = MISTAKES[case]
    with pytest.raises(InputError) as error:
        loans(source, **changes)
    assert wanted in error.value.letter()


def test_a_split_by_day_is_known_as_one() -> None:
    """Berka's judging loans begin in 1997."""
    split = load_table_source("berka-loans").split
    assert getattr(split, "test_from", None) == date(1997, 1, 1)
