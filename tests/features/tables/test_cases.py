"""Table sources: the public data sets as they are known to be, and what becomes of rows that are not right."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.tables.case_intake import case_schema
from features.tables.cases import CASES, NAMES, PRIVATE, ingest_cases
from features.tables.counts import Counts
from features.tables.person import tombstone
from features.tables.privacy import Pseudonyms
from features.tables.sources import load_source
from features.tables.table_source import TableSource, load_table_source
from features.tables.vault import Vault, open_vault
from features.workspace import Workspace, read_json, write_json
from tests.conftest import real_data


@dataclass(frozen=True)
class Known:
    """What is known of a data set: its rows, its labels of 1, its nulls by column, its rows that equal another."""

    file: str
    rows: int
    positive: int = 0
    nulls: dict[str, int] = field(default_factory=dict)
    alike: int = 0
    private: dict[str, int] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


DATA = {
    "telco-churn": Known("telco_churn/Telco-Customer-Churn.csv.gz", 7_043, 1_869, {"total": 11}, 22),
    "taiwan-default": Known(
        "credit_card_default_taiwan/default_of_credit_card_clients.csv.gz",
        30_000,
        6_636,
        {"education": 345},
        35,
        {"sex": 0, "marriage": 54, "age": 0},
    ),
    "german-credit": Known(
        "german_credit/german.csv.gz", 1_000, 300, private={"personal_status": 0, "age": 0, "foreign_worker": 0}
    ),
    "bank-marketing": Known(
        "bank_marketing/bank-additional-full.csv.gz",
        41_188,
        4_640,
        {
            "job": 330,
            "marital": 80,
            "education": 1_731,
            "in_default": 8_597,
            "housing_loan": 990,
            "personal_loan": 990,
            "days_since_campaign": 39_673,
        },
        12,
    ),
    "online-shoppers": Known("online_shoppers/online_shoppers_intention.csv.gz", 12_330, 1_908, {}, 125),
    "wholesale-customers": Known("wholesale_customers/Wholesale_customers_data.csv.gz", 440),
}


@dataclass(frozen=True)
class Cases:
    """A table source that was read."""

    source: TableSource
    workspace: Workspace
    counts: Counts
    vault: Vault

    @property
    def table(self) -> pa.Table:
        return pq.read_table(self.workspace.tables / CASES)

    @property
    def report(self) -> dict[str, Any]:
        return dict(read_json(self.workspace.tables / "report.json"))


def read(source: TableSource, raw: Path, home: Path, pseudonyms: Pseudonyms) -> Cases:
    workspace = Workspace(home)
    counts = ingest_cases(source, raw, workspace, pseudonyms)
    assert counts.missing == 0
    return Cases(source, workspace, counts, open_vault(workspace.tables, pseudonyms))


def plain_files(cases: Cases) -> list[Path]:
    return sorted(p for p in cases.workspace.tables.rglob("*") if p.is_file() and p.suffix != ".sealed")


@pytest.fixture(scope="module", params=DATA)
def known(request: pytest.FixtureRequest) -> Known:
    return DATA[request.param]


@pytest.fixture(scope="module")
def cases(known: Known, tmp_path_factory: pytest.TempPathFactory, pseudonyms: Pseudonyms) -> Cases:
    name = next(name for name, each in DATA.items() if each is known)
    return read(load_table_source(name), real_data(known.file), tmp_path_factory.mktemp(name), pseudonyms)


@pytest.fixture(scope="module")
def raw_cells(known: Known, cases: Cases) -> pd.DataFrame:
    """The file as pandas reads it."""
    written = cases.source.format
    names = {"header": None, "names": list(written.columns)} if written.columns else {}
    path = real_data(known.file) / Path(known.file).name
    return pd.read_csv(path, dtype=str, keep_default_na=False, sep=written.delimiter, **names)


@pytest.mark.real
class TestEveryTableSource:
    """The contract of a table source, on the public data sets."""

    def test_every_row_is_a_case(self, known: Known, cases: Cases) -> None:
        """Nothing is refused; rows that equal another are counted and kept, for each is a client, a call, a session."""
        assert cases.counts == Counts(cases.source.name, known.rows, known.rows)
        assert cases.table.num_rows == cases.report["cases"] == known.rows
        assert cases.report["alike"] == known.alike

    def test_the_labels_are_the_published_ones(self, known: Known, cases: Cases) -> None:
        """1 for the answer yes, 0 for no; null throughout where nothing is asked."""
        labels = cases.table["label"].to_pylist()
        if cases.source.label is None:
            assert labels == [None] * known.rows and cases.report["label"] is None
        else:
            assert (labels.count(1), labels.count(0)) == (known.positive, known.rows - known.positive)
            assert cases.report["label"]["positive"] == known.positive

    def test_unknown_is_null_and_nothing_else_is(self, known: Known, cases: Cases) -> None:
        """Blanks and codes that mean unknown, as many as the data's own description counts."""
        table, report = cases.table, cases.report["columns"]
        shown = {name: table[name].null_count for name in cases.source.shown}
        assert {name: n for name, n in shown.items() if n} == known.nulls
        assert {name: column["unknown"] for name, column in report.items()} == shown
        if known.private:
            private = cases.vault.read(PRIVATE)
            assert {name: private[name].null_count for name in cases.source.private} == known.private

    def test_values_are_those_of_the_file_in_its_order(self, cases: Cases, raw_cells: pd.DataFrame) -> None:
        """Compared cell by cell with another reader."""
        table = cases.table
        assert table.schema.equals(case_schema(cases.source.shown))
        for name, column in cases.source.shown.items():
            cells, found = raw_cells[column.column], table[name].to_pandas()
            there = found.notna()
            assert cells[~there].str.strip().isin(["", *column.unknown]).all()
            if column.type == "number":
                assert (pd.to_numeric(cells[there]) == found[there]).all()
            elif column.type == "category":
                assert (cells[there] == found[there]).all()
            else:
                assert (cells[there].str.lower().isin(["1", "yes", "true"]) == found[there]).all()

    def test_private_columns_are_in_the_vault_only(self, cases: Cases, raw_cells: pd.DataFrame) -> None:
        """Neither a name of theirs nor the company's own key is in a file that is not sealed."""
        private = cases.source.private
        if private:
            kept = cases.vault.read(PRIVATE)
            assert kept.column_names == ["case_id", *private]
            assert kept["case_id"].equals(cases.table["case_id"])
            for name, column in private.items():
                cells = raw_cells[column.column]
                wanted = cells.where(~cells.isin(column.unknown))
                found = kept[name].to_pandas()
                assert (found if column.type != "number" else found.map("{:g}".format)).equals(wanted)
        assert not set(private) & {*cases.table.column_names, *cases.report["columns"]}
        assert [p.name for p in plain_files(cases)] == [CASES, "report.json"]
        for name, column in private.items():
            assert all(f'"{word}"' not in json.dumps(cases.report) for word in (name, column.column))

    def test_a_case_is_known_by_its_pseudonym_or_number(
        self, cases: Cases, raw_cells: pd.DataFrame, pseudonyms: Pseudonyms
    ) -> None:
        """The way back from a pseudonym is in the vault."""
        ids = cases.table["case_id"].to_pylist()
        if cases.source.key is None:
            assert ids == [str(i) for i in range(1, len(ids) + 1)] and not cases.vault.names("names")
        else:
            keys = raw_cells[cases.source.key]
            assert ids == pseudonyms.of_all(keys)
            assert cases.vault.read(NAMES).to_pydict() == {"customer_id": ids, "id": list(keys)}

    def test_reading_twice_gives_the_same_bytes(
        self, known: Known, cases: Cases, tmp_path: Path, pseudonyms: Pseudonyms
    ) -> None:
        """And the same tables in the vault, whose bytes differ by design."""
        again = read(cases.source, real_data(known.file), tmp_path, pseudonyms)
        assert [p.read_bytes() for p in plain_files(again)] == [p.read_bytes() for p in plain_files(cases)]
        assert [(n, t.to_pydict()) for n, t in again.vault.tables("")] == [
            (n, t.to_pydict()) for n, t in cases.vault.tables("")
        ]

    def test_every_column_says_what_it_is(self, cases: Cases, raw_cells: pd.DataFrame) -> None:
        """Every column of the file has a part to play, and every feature a sentence."""
        assert sorted(cases.source.mapped.values()) == sorted(raw_cells.columns)
        assert all(column.doc.endswith(".") for column in cases.source.columns.values())


@pytest.mark.real
def test_what_is_known_only_afterwards_is_marked(tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    """The length of a call is in the table, and the report says that no model may see it."""
    raw = real_data(DATA["bank-marketing"].file)
    report = read(load_table_source("bank-marketing"), raw, tmp_path, pseudonyms).report
    assert [name for name, column in report["columns"].items() if column["leak"]] == ["duration"]
    assert report["order"] == "time"


SOURCE = """
kind: table
name: loans
title: Loans
files: [loans.csv]
currency: GBP
key: client
label: {column: bad, positive: [b], negative: [g], name: credit, question: "Will it go bad?"}
split: {column: part, train: [old], test: [new]}
unreadable: 0.5
columns:
  income: {column: income, family: value, type: number, unit: £, unknown: ["-1"], doc: Income.}
  job: {column: job, family: occupational, type: category, unknown: ["?"], doc: Job.}
  owner: {column: owner, family: value, type: boolean, doc: Owns a house.}
  age: {column: age, family: private, type: number, unit: years, doc: Age.}
"""
HEADER = "client,bad,part,income,job,owner,age\n"
ROWS = "anna,b,old,100.5,smith,yes,31\nbert,g,new,-1,?,No,32\ncarl,, ,, ,, \n"

Loans = Callable[..., Cases]


@pytest.fixture
def loans(tmp_path: Path, pseudonyms: Pseudonyms) -> Loans:
    """Reads rows of a table of loans."""

    def run(rows: str = ROWS, source: str = SOURCE, header: str = HEADER) -> Cases:
        (tmp_path / "loans.csv").write_text(header + rows, encoding="utf-8")
        (tmp_path / "loans.yaml").write_text(source, encoding="utf-8")
        return read(load_table_source(str(tmp_path / "loans.yaml")), tmp_path, tmp_path / "home", pseudonyms)

    return run


def refused(cases: Cases) -> list[dict[str, Any]]:
    return [row for _, table in cases.vault.tables("quarantine") for row in table.to_pylist()]


def test_a_row_becomes_a_case(loans: Loans, pseudonyms: Pseudonyms) -> None:
    """Typed; null where it is empty or unknown; a label that is not there is not known yet."""
    cases = loans()
    assert cases.table.to_pylist() == [
        {
            "case_id": pseudonyms.of("anna"),
            "label": 1,
            "split": "train",
            "income": 100.5,
            "job": "smith",
            "owner": True,
        },
        {"case_id": pseudonyms.of("bert"), "label": 0, "split": "test", "income": None, "job": None, "owner": False},
        {"case_id": pseudonyms.of("carl"), "label": None, "split": None, "income": None, "job": None, "owner": None},
    ]
    assert cases.vault.read(PRIVATE)["age"].to_pylist() == [31, 32, None]
    assert {k: cases.report["label"][k] for k in ("positive", "negative", "unknown")} == dict.fromkeys(
        ("positive", "negative", "unknown"), 1
    )


BROKEN = {
    "an unknown label": ("dora,maybe,old,1,x,yes,40", "unknown-label", "maybe"),
    "an unknown split": ("dora,b,middle,1,x,yes,40", "unknown-split", "middle"),
    "an income that is no number": ("dora,b,old,rich,x,yes,40", "unreadable-income", "rich"),
    "an income out of all bounds": ("dora,b,old,1e13,x,yes,40", "unreadable-income", "1e13"),
    "an income of nan": ("dora,b,old,nan,x,yes,40", "unreadable-income", "nan"),
    "a truth that is none": ("dora,b,old,1,x,perhaps,40", "unreadable-owner", "perhaps"),
    "an age that is no number": ("dora,b,old,1,x,yes,old", "unreadable-age", None),
    "no key": (" ,b,old,1,x,yes,40", "missing-key", None),
    "another row of a key": ("anna,b,old,2,smith,yes,31", "repeated-key", None),
    "too few cells": ("dora,b,old,1,x", "wrong-width", "5 cells instead of 7"),
    "quotes that do not close": ('dora,b,old,1,"x,yes,40', "broken-quotes", None),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_row_that_is_not_right_is_set_aside(case: str, loans: Loans) -> None:
    """With its line, its reason and its cells as they came, in the vault; the others are taken in."""
    row, rule, found = BROKEN[case]
    cases = loans(ROWS + row + "\n")
    assert cases.counts == Counts("loans", 4, 3, quarantined=cases.counts.quarantined)
    assert cases.counts.quarantined == {rule: 1} == cases.report["tables"][0]["quarantined"]
    (kept,) = refused(cases)
    assert (kept["table"], kept["file"], kept["line"], kept["rule"]) == ("loans", "loans.csv", 5, rule)
    assert found is None or kept["found"] == found
    cells = json.loads(kept["row"])
    assert (",".join(cells.values()) if isinstance(cells, dict) else cells) == row
    assert cases.table.num_rows == 3 and [p.name for p in plain_files(cases)] == [CASES, "report.json"]


@pytest.mark.parametrize(
    ("written", "number", "fix"),
    [
        ("£1 234.50", 1234.5, "currency-sign"),
        ("１２", 12.0, "unicode-form"),
        ('"1,234.50"', 1234.5, "thousands"),
        ('"12,5"', 12.5, "decimal-comma"),
        ('"0,125"', 0.125, "decimal-comma"),
        ("(12.50)", -12.5, "accounting-negative"),
        ("1e3", 1000.0, None),
    ],
)
def test_a_number_with_one_meaning_is_mended(written: str, number: float, fix: str | None, loans: Loans) -> None:
    """And counted under what it needed."""
    cases = loans(ROWS + f"dora,b,old,{written},x,yes,40\n")
    assert cases.table["income"].to_pylist()[-1] == number
    assert cases.counts.fixed == ({fix: 1} if fix else {})
    assert cases.counts.accepted == (3 if fix else 4)


def test_a_row_twice_is_one_case_where_there_is_a_key(loans: Loans) -> None:
    """The second is dropped, also when a refused row of the key came first."""
    cases = loans(ROWS + "dora,b,old,x,x,yes,40\n" + ROWS + "dora,b,old,1,x,yes,40\n")
    assert (cases.counts.accepted, cases.counts.dropped) == (4, {"repeated-line": 3})
    assert cases.counts.quarantined == {"unreadable-income": 1}


def test_a_key_is_known_in_every_file(loans: Loans, tmp_path: Path) -> None:
    """The same row in a second file is one case, and another row of the key is set aside there."""
    (tmp_path / "more.csv").write_text(HEADER + ROWS + "dora,b,old,1,x,yes,4\nanna,g,old,1,x,yes,4\n", encoding="utf-8")
    cases = loans(source=SOURCE.replace("[loans.csv]", "[loans.csv, more.csv]"))
    assert (cases.counts.read, cases.counts.accepted, cases.counts.dropped) == (8, 4, {"repeated-line": 3})
    assert [(row["file"], row["line"], row["rule"]) for row in refused(cases)] == [("more.csv", 6, "repeated-key")]


def test_rows_without_a_key_are_cases_of_their_own(loans: Loans) -> None:
    """Numbered in their order, whatever became of those before; equal ones are counted."""
    keyless = SOURCE.replace("key: client\n", "")
    cases = loans("anna,b,old,1,x,yes,1\nanna,b,old,1,x,yes,1\nbert,b,old,?,x,yes,1\ncarl,b,old,1,x,yes,1\n", keyless)
    assert cases.table["case_id"].to_pylist() == ["1", "2", "4"]
    assert cases.report["alike"] == 1 and cases.counts.dropped == {}


@pytest.mark.parametrize(
    ("otherwise", "side"), [("quarantine", "quarantined"), ("drop", "dropped"), ("keep", "noted"), ("stop", "")]
)
def test_a_source_file_may_require_more(otherwise: str, side: str, loans: Loans) -> None:
    """Its own rules end as it says."""
    rule = "{rule: poor, that: {income: {above: 10}}, when: {bad: {any_of: [b]}}, otherwise: " + otherwise + "}"
    rows = ROWS + "dora,b,old,10,x,yes,1\n"
    if otherwise == "stop":
        with pytest.raises(InputError, match=r"line 5\n.*a line that is not shown"):
            loans(rows, SOURCE + f"require: [{rule}]\n")
    else:
        assert getattr(loans(rows, SOURCE + f"require: [{rule}]\n").counts, side) == {"poor": 1}


def test_a_forgotten_customer_does_not_come_back(loans: Loans, pseudonyms: Pseudonyms) -> None:
    """Its row is dropped, and its tombstone stays."""
    tables = loans().workspace.tables
    write_json(tables / "forgotten.json", [tombstone(pseudonyms.of("anna"))])
    cases = loans()
    assert cases.counts.dropped == {"forgotten-customer": 1}
    assert pseudonyms.of("anna") not in cases.table["case_id"].to_pylist() and (tables / "forgotten.json").exists()


MISREAD = {
    "labels of another code": ({"rows": ROWS.replace(",b,", ",1,").replace(",g,", ",0,")}, ["'1'"]),
    "a missing column": ({"header": HEADER.replace("income", "pay")}, ["'income'", "pay"]),
    "a missing label": ({"header": HEADER.replace("bad", "good")}, ["'bad'"]),
    "no case at all": ({"rows": " ,b,old,1,x,yes,1\n"}, ["no line that is a case"]),
    "columns of nearly one name": ({"header": HEADER.replace("job", "BAD")}, ["'bad' and 'BAD'"]),
    "only a header": ({"rows": ""}, ["no rows"]),
}


@pytest.mark.parametrize("case", MISREAD)
def test_a_table_that_is_read_wrongly_stops_the_run(case: str, loans: Loans, tmp_path: Path) -> None:
    """With a letter that shows no customer, and leaves what was there before."""
    before = loans().table
    changes, wanted = MISREAD[case]
    strict = SOURCE.replace("unreadable: 0.5\n", "")
    with pytest.raises(InputError) as error:
        loans(**{"source": strict} | changes)
    letter = error.value.letter()
    assert all(words in letter for words in wanted), letter
    assert "anna" not in letter
    assert pq.read_table(tmp_path / "home/tables" / CASES).equals(before)


def test_no_letter_shows_a_private_cell(loans: Loans) -> None:
    """A private column that cannot be read is named, and its cells are not."""
    with pytest.raises(InputError) as error:
        loans("anna,b,old,1,x,yes,secret\n")
    assert "secret" not in error.value.letter() and "a number" in error.value.letter()


BAD_SOURCES = {
    "a code twice": (SOURCE.replace("negative: [g]", "negative: [b]"), "positive or negative"),
    "a column twice": (SOURCE.replace("column: job", "column: age"), "'age' has several parts"),
    "a taken name": (SOURCE.replace("  job:", "  label:"), "'label'"),
    "a number without a unit": (SOURCE.replace(" unit: £,", ""), "a unit"),
    "a split and an order": (SOURCE + "order: time\n", "not both"),
    "an unknown kind": (SOURCE.replace("kind: table", "kind: tabel"), "'events' or 'table'"),
    "an unknown family": (SOURCE.replace("family: value", "family: wealth"), "'wealth'"),
    "events": (SOURCE.replace("kind: table", "kind: events"), "a row per case"),
    "a rule of a known name": (
        SOURCE + "require: [{rule: repeated-key, that: {job: {empty: false}}}]\n",
        "'repeated-key'",
    ),
}


@pytest.mark.parametrize("case", BAD_SOURCES)
def test_a_bad_source_file_is_refused(case: str, loans: Loans) -> None:
    """With what was found and what was wanted."""
    source, wanted = BAD_SOURCES[case]
    with pytest.raises(InputError, match="loans") as error:
        loans(source=source)
    assert wanted in error.value.letter()


def test_the_two_kinds_of_source_are_told_apart() -> None:
    """Asking for events of a table source says what it is."""
    with pytest.raises(InputError, match="one row per case"):
        load_source("telco-churn")
    with pytest.raises(InputError, match="a source of events"):
        load_table_source("sample")


def test_the_command_line_reads_cases(
    loans: Loans, tmp_path: Path, scoring: Callable[..., tuple[int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """`scoring run` reads them and says what they can answer; another source's workspace is refused."""
    loans()
    where = ("--raw", tmp_path, "--home", tmp_path / "home")
    code, error = scoring("run", "--source", tmp_path / "loans.yaml", *where)
    assert code == 0, error
    (tmp_path / "other.yaml").write_text(SOURCE.replace("name: loans", "name: other"), encoding="utf-8")
    code, error = scoring("ingest", "--source", tmp_path / "other.yaml", *where)
    assert code == 2 and "the data of 'loans'" in error
    code, error = scoring("features", "--source", tmp_path / "loans.yaml", "--home", tmp_path / "home")
    assert code == 2 and "one row per case" in error
