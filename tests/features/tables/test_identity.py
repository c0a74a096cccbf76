"""Ids that are one customer become one in the tables, and can be told apart again as if nothing had been."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.batch import feature_table
from features.catalogue import CATALOGUE
from features.company import Company
from features.errors import InputError
from features.tables.events import CUSTOMERS, EVENTS, broken_rules
from features.tables.identity import accept, merge_by_hand, read_ledger, read_people, reject, resolve, undo
from features.tables.ingest import ingest
from features.tables.ledger import Finding
from features.tables.merges import ORDER, read_merges
from features.tables.privacy import Pseudonyms
from features.tables.sources import load_source
from features.tables.vault import Vault, open_vault
from features.workspace import Workspace, part_files
from serving.steps import Job
from tests.conftest import Ran

SOURCE = """
name: shop
title: A shop
timezone: Europe/Berlin
tables:
  - name: people
    gives: customers
    files: [people]
    customer: id
    valid_from: {column: since}
    attributes: {region: {column: region, family: social}}
    identity: {name: name, email: mail, phone: phone, address: street, city: town, birth_date: born}
  - name: orders
    gives: events
    files: [orders]
    customer: id
    time: {column: at}
    kind: purchase
    amount: amount
    item: item
"""
PEOPLE = """id,since,region,name,mail,phone,street,town,born
anna-1,2026-01-01,north,Anna Weber,anna@post.example,0199 3456789,Lindenstr. 5,Altdorf,
anna-2,2026-02-01,south,"WEBER, Anna",anna@post.example,0199 7654321,Ringweg 17,Neudorf,
anna-3,2026-03-01,south,Anna Weber,,0199 7654321,Ringweg 17,Neudorf,
karl-1,2026-01-01,north,Karl Berger,karl@post.example,0199 1112223,Hauptstr. 1,Altdorf,
karl-2,2026-01-05,north,Karl Bergner,,0199 1112223,Hauptstr. 1,Altdorf,
lena-1,2026-01-01,east,Lena Berger,lena@post.example,0199 1112223,Hauptstr. 1,Altdorf,
olga-1,2026-01-01,east,Olga Iwanowa,olga@post.example,0199 9998887,Gasse 9,Altdorf,
"""
ORDERS = """id,at,amount,item
anna-1,2026-01-03T10:00,10.00,x
karl-1,2026-01-04T10:00,11.00,x
anna-1,2026-02-20T10:00,12.00,y
lena-1,2026-01-10T10:00,14.00,x
olga-1,2026-01-10T10:00,14.00,x
"""
LATER = """id,at,amount,item
anna-2,2026-02-10T10:00,20.00,x
anna-2,2026-03-10T10:00,21.00,y
anna-3,2026-03-11T10:00,22.00,y
karl-2,2026-01-06T10:00,23.00,x
"""
IDS = ("anna-1", "anna-2", "anna-3", "karl-1", "karl-2", "lena-1", "olga-1")
SECRETS = (*IDS, "Weber", "Berger", "Bergner", "Iwanowa", "anna@", "karl@", "3456789", "Lindenstr", "Ringweg")


class Shop:
    """A small company after two runs of ingest, so that its events lie in two part files."""

    def __init__(self, home: Path, pseudonyms: Pseudonyms) -> None:
        self.raw, self.workspace, self.pseudonyms = home / "raw", Workspace(home / "home"), pseudonyms
        self.yaml = home / "shop.yaml"
        for folder in ("people", "orders"):
            (self.raw / folder).mkdir(parents=True)
        self.yaml.write_text(SOURCE.replace("[people]", "[people/]").replace("[orders]", "[orders/]"))
        (self.raw / "people" / "1.csv").write_text(PEOPLE)
        self.receive("orders", "1.csv", ORDERS)
        self.receive("orders", "2.csv", LATER)

    def receive(self, folder: str, name: str, lines: str) -> None:
        (self.raw / folder / name).write_text(lines)
        source = load_source(str(self.yaml))
        ingest(source, self.raw, self.workspace, self.pseudonyms, now=datetime(2026, 3, 20, tzinfo=UTC))

    @property
    def tables(self) -> Path:
        return self.workspace.tables

    @property
    def vault(self) -> Vault:
        return open_vault(self.tables, self.pseudonyms)

    def of(self, raw_id: str) -> str:
        return self.pseudonyms.of(raw_id)

    def rows(self, table: str) -> pa.Table:
        return pa.concat_tables([pq.read_table(part) for part in part_files(self.tables / table)])

    def resolve(self) -> tuple[int, int]:
        done = resolve(self.tables, self.pseudonyms, "eva")
        return done.merged, done.proposed

    def found(self, *raw_ids: str) -> Finding:
        """What the ledger says of two ids."""
        names = sorted(map(self.of, raw_ids))
        finding = read_ledger(self.tables, self.pseudonyms).about((names[0], names[1]))
        assert finding is not None
        return finding

    def merges(self) -> dict[str, str]:
        """Every merged id → its survivor, by the company's own ids."""
        raw = {self.of(raw_id): raw_id for raw_id in IDS}
        return {raw[name]: raw[survivor] for name, survivor in read_merges(self.tables).items()}

    def contents(self) -> dict[str, object]:
        """Every plain file of the tables: the bytes, or of a part file the rows."""
        return {
            str(path.relative_to(self.tables)): pq.read_table(path) if path.suffix == ".parquet" else content
            for path, content in self.bytes().items()
        }

    def bytes(self) -> dict[Path, bytes]:
        """Every plain file of the tables."""
        files = [path for path in self.tables.rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in files if self.vault.folder not in path.parents}


@pytest.fixture
def shop(tmp_path: Path, pseudonyms: Pseudonyms) -> Shop:
    return Shop(tmp_path, pseudonyms)


def test_certain_ones_are_merged_and_likely_ones_proposed(shop: Shop) -> None:
    """Anna's three ids are a chain: 1 and 2 share an e-mail, 2 and 3 a telephone. Karl's name is only similar."""
    assert shop.resolve() == (2, 1)
    assert shop.merges() == {"anna-2": "anna-1", "anna-3": "anna-1"}
    karl = shop.found("karl-1", "karl-2")
    assert (karl.state, karl.how, karl.survivor) == ("proposed", "probable", shop.of("karl-1"))
    assert karl.probability is not None and karl.probability >= 0.9 and "same telephone" in karl.reasons
    assert shop.resolve() == (0, 0)


def test_rows_stand_under_the_survivor_and_say_where_they_came_from(shop: Shop) -> None:
    """Events and attributes alike; an event keeps its id, every part file its order, and the contract holds."""
    before = {e["event_id"]: e for e in shop.rows("events.parquet").to_pylist()}
    shop.resolve()
    after = {e["event_id"]: e for e in shop.rows("events.parquet").to_pylist()}
    anna = {shop.of(f"anna-{k}") for k in (1, 2, 3)}
    for event_id, event in after.items():
        old = before[event_id]["customer_id"]
        moved = old in anna and old != shop.of("anna-1")
        assert event["customer_id"] == (shop.of("anna-1") if moved else old)
        assert event["merged_from"] == (old if moved else None)
        same = {"customer_id", "merged_from"}
        assert {k: v for k, v in event.items() if k not in same} == {
            k: v for k, v in before[event_id].items() if k not in same
        }
    assert len(after) == len(before) == 9
    assert not set(shop.rows("customers.parquet")["customer_id"].to_pylist()) & (anna - {shop.of("anna-1")})
    for table, schema in (("events.parquet", EVENTS), ("customers.parquet", CUSTOMERS)):
        for part in part_files(shop.tables / table):
            rows = pq.read_table(part)
            assert rows.equals(rows.sort_by([(column, "ascending") for column in ORDER[table]]))
            assert [(f.name, f.type) for f in rows.schema] == [(f.name, f.type) for f in schema]
    assert broken_rules(shop.tables / "events.parquet") == {}


def test_only_the_files_concerned_are_written_anew(shop: Shop) -> None:
    """Anna's first id has rows in the first part file of the events, but they do not move."""
    first, second = part_files(shop.tables / "events.parquet")
    bytes_before, before = first.read_bytes(), first.stat().st_ino
    shop.resolve()
    assert (first.read_bytes(), first.stat().st_ino) == (bytes_before, before)
    assert pc.sum(pc.is_valid(pq.read_table(second)["merged_from"])).as_py() == 3


def test_undoing_gives_back_what_was(shop: Shop) -> None:
    """Every row of every file, in its place; and once written by us, every byte."""
    original = shop.contents()
    shop.resolve()
    merged = shop.contents()
    assert merged != original
    for pair in (("anna-1", "anna-2"), ("anna-2", "anna-3")):
        undo(shop.tables, shop.pseudonyms, shop.found(*pair).merge, "eva")
    assert shop.contents() == original
    written = shop.bytes()
    for act in (accept, lambda *words: undo(words[0], words[1], words[2][0], words[3])):
        act(shop.tables, shop.pseudonyms, [shop.found("anna-1", "anna-2").merge], "eva")
    assert shop.bytes() == written
    assert shop.resolve() == (0, 0)


def test_undoing_one_link_of_a_chain_keeps_the_other(shop: Shop) -> None:
    """1–2–3 without 1–2 is 1 and 2–3, of whom 2 came first."""
    shop.resolve()
    undo(shop.tables, shop.pseudonyms, shop.found("anna-1", "anna-2").merge, "eva")
    assert shop.merges() == {"anna-3": "anna-2"}
    assert shop.resolve() == (0, 0), "what a person told apart is not merged again, nor over a third id"


def test_what_is_accepted_is_merged_and_what_is_rejected_is_not_proposed_again(shop: Shop) -> None:
    """Who decided, and when, is in the ledger; a person may think again."""
    shop.resolve()
    number = shop.found("karl-1", "karl-2").merge
    reject(shop.tables, shop.pseudonyms, [number], "eva")
    assert shop.resolve() == (0, 0) and "karl-2" not in shop.merges()
    accept(shop.tables, shop.pseudonyms, [number], "otto")
    assert shop.merges()["karl-2"] == "karl-1"
    karl = shop.found("karl-1", "karl-2")
    assert (karl.merge, karl.state, karl.decided_by) == (number, "merged", "otto") and karl.decided_at is not None


def test_by_hand_any_two_ids_are_merged(shop: Shop) -> None:
    """The survivor is the one with the earliest event, whichever is named first."""
    number = merge_by_hand(shop.tables, shop.pseudonyms, "olga-1", " lena-1 ", "eva")
    olga, lena = shop.of("olga-1"), shop.of("lena-1")
    assert read_merges(shop.tables) == {max(olga, lena): min(olga, lena)}, "they came on one day: by pseudonym"
    finding = shop.found("olga-1", "lena-1")
    assert (finding.merge, finding.how, finding.probability) == (number, "by hand", None)


REFUSED: dict[str, tuple[Callable[[Shop], object], str]] = {
    "an unknown id": (lambda s: merge_by_hand(s.tables, s.pseudonyms, "olga-1", "nobody-7", "eva"), "the second id"),
    "one id twice": (lambda s: merge_by_hand(s.tables, s.pseudonyms, "olga-1", "olga-1 ", "eva"), "same id twice"),
    "one customer already": (lambda s: merge_by_hand(s.tables, s.pseudonyms, "anna-1", "anna-3", "eva"), "already"),
    "an unknown number": (lambda s: accept(s.tables, s.pseudonyms, [99], "eva"), "merge 99"),
    "a merge that is none": (lambda s: undo(s.tables, s.pseudonyms, 3, "eva"), "that is proposed"),
    "a rejection too late": (lambda s: reject(s.tables, s.pseudonyms, [3, 1], "eva"), "that is merged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_is_a_letter_and_changes_nothing(case: str, shop: Shop) -> None:
    """All or nothing, and nobody's id in it."""
    shop.resolve()
    before, ledger = shop.contents(), shop.vault.read("identity/ledger")
    act, words = REFUSED[case]
    with pytest.raises(InputError) as error:
        act(shop)
    assert words in error.value.letter()
    assert not any(secret in error.value.letter() for secret in (*SECRETS, "nobody-7"))
    assert shop.contents() == before and shop.vault.read("identity/ledger") == ledger


def test_who_was_told_apart_is_not_joined_over_others(shop: Shop) -> None:
    """Anna 1 and 2 are merged, 2 and 3 told apart: 1 and 3 come together only when a person takes that back."""
    shop.resolve()
    undo(shop.tables, shop.pseudonyms, shop.found("anna-2", "anna-3").merge, "eva")
    with pytest.raises(InputError, match="accept merge"):
        merge_by_hand(shop.tables, shop.pseudonyms, "anna-1", "anna-3", "eva")


def test_later_rows_of_a_merged_id_follow_it(shop: Shop) -> None:
    """Ingest puts them under the survivor; undone, they go where the others go."""
    shop.resolve()
    shop.receive("orders", "3.csv", "id,at,amount,item\nanna-2,2026-03-15T10:00,30.00,z\n")
    (new,) = (e for e in shop.rows("events.parquet").to_pylist() if e["item"] == "z")
    assert (new["customer_id"], new["merged_from"]) == (shop.of("anna-1"), shop.of("anna-2"))
    undo(shop.tables, shop.pseudonyms, shop.found("anna-1", "anna-2").merge, "eva")
    (new,) = (e for e in shop.rows("events.parquet").to_pylist() if e["item"] == "z")
    assert (new["customer_id"], new["merged_from"]) == (shop.of("anna-2"), None)


def test_a_merged_history_counts_as_one(shop: Shop) -> None:
    """Its features are those of a customer who had one id from the start."""
    shop.resolve()
    one = pa.concat_tables(
        [table.set_column(1, EVENTS.field("customer_id"), column) for table, column in _as_if_always_one(shop)]
    )
    always = shop.workspace.home / "always"
    shutil.copytree(shop.tables, always)
    for part in part_files(always / "events.parquet"):
        part.unlink()
    pq.write_table(one, always / "events.parquet" / "part.parquet")
    rows = [
        feature_table(tables, Company(timezone="Europe/Berlin"), CATALOGUE, [date(2026, 4, 1)])
        for tables in (shop.tables, always)
    ]
    assert rows[0].equals(rows[1]) and rows[0].num_rows == 5


def _as_if_always_one(shop: Shop) -> Iterator[tuple[pa.Table, pa.Array]]:
    anna = pa.array([shop.of("anna-2"), shop.of("anna-3")])
    for part in part_files(shop.tables / "events.parquet"):
        rows = pq.read_table(part)
        came_as = pc.coalesce(rows["merged_from"], rows["customer_id"])
        yield rows, pc.if_else(pc.is_in(came_as, anna), pa.scalar(shop.of("anna-1")), came_as)


def test_the_last_values_count(shop: Shop) -> None:
    """Of what a customer table says over time, the row that is valid from the latest day."""
    lines = PEOPLE.splitlines()[0] + "\nolga-1,2026-03-19,east,Olga Berg,new@post.example,,,,\n"
    shop.receive("people", "2.csv", lines)
    (olga,) = (p for p in read_people(shop.vault).to_pylist() if p["customer_id"] == shop.of("olga-1"))
    assert (olga["name"], olga["email"], olga["phone"]) == ("Olga Berg", "new@post.example", None)


def test_without_details_there_is_a_letter(tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    """It says which columns are wanted, and where to map them."""
    shop = Shop(tmp_path, pseudonyms)
    shutil.rmtree(shop.vault.folder / "people")
    with pytest.raises(InputError) as error:
        shop.resolve()
    assert "identity:" in error.value.letter() and "birth_date" in error.value.letter()


@pytest.fixture
def said(shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `scoring identity` on the shop; returns exit code, output and errors as one text."""
    from serving import options
    from serving.cli import main

    monkeypatch.setattr(options.out, "width", 200)

    def command(*words: object) -> str:
        where = ("--source", shop.yaml, "--home", shop.workspace.home)
        monkeypatch.setattr(sys, "argv", ["scoring", "identity", *map(str, (*words, *where))])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return f"{code or 0} {captured.out}{captured.err}"

    return command


def test_no_command_but_show_says_who_it_is(
    shop: Shop, said: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not on the terminal, not in a log, and in no file but the vault's, which do not show it."""
    calls = (
        ("resolve",), ("list",), ("accept", 3), ("list", "--all"), ("undo", 3), ("merge", "olga-1", "lena-1"),
        ("merge", "olga-1", "nobody-7"), ("reject", 1),
    )  # fmt: skip
    answers = [said(*words) for words in calls]
    assert [answer[0] for answer in answers] == ["0"] * 6 + ["2"] * 2
    assert "7 ids compared: 2 merged, 1 proposed" in answers[0] and "similar name" in answers[1]
    files = [pq.read_table(path) for path in shop.tables.rglob("*.parquet") if path.is_file()]
    contents = [str(table.to_pylist()) for table in files]
    contents += [str(path.read_bytes()) for path in shop.tables.rglob("*") if path.is_file()]
    for secret in (*SECRETS, "nobody-7"):
        assert not any(secret in text for text in (*answers, *contents, caplog.text))
    for raw_id in IDS:
        assert not any(shop.of(raw_id) in text for text in (*answers, caplog.text))


def test_show_says_who_it_is(shop: Shop, said: Callable[..., str]) -> None:
    """Both ids with their details side by side, the later one first, for a person to judge."""
    shop.resolve()
    shown = {line.split()[0]: line.split()[1:] for line in said("show", 3).splitlines() if line.split()}
    assert shown["id"] == ["karl-2", "karl-1"] and shown["name"] == ["Karl", "Bergner", "Karl", "Berger"]
    assert shown["email"] == ["karl@post.example"] and shown["first"] == ["event", "2026-01-06", "2026-01-04"]


def test_a37_a_merged_id_answers_with_its_survivor(sample: Ran, tmp_path: Path, pseudonyms: Pseudonyms) -> None:
    """One class everywhere: in the grades there is one row, and either id gets its record over HTTP."""
    from fastapi.testclient import TestClient

    from serving.app import create_app
    from serving.scorer import Scorer
    from serving.service import Service
    from serving.store.sqlite import SqliteStore

    home = Workspace(tmp_path / "home")
    for name in ("tables", "features"):
        shutil.copytree(sample.workspace.home / name, home.home / name)
    truth = (sample.workspace.simulated / "truth" / "same_customer.csv").read_text().split()[1]
    second, first = truth.split(",")
    merge_by_hand(home.tables, pseudonyms, second, first, "eva")
    job = Job(load_source("sample"), home)
    job.features()
    live, folder = job.classify()
    before, after = (
        set(pq.read_table(f / "grades.parquet")["customer_id"].to_pylist()) for f in (sample.folder, folder)
    )
    assert after == before - {pseudonyms.of(second)} and len(after) == len(before) - 1
    service = Service(Scorer(live, pseudonyms), SqliteStore(job.live()[2]), home)
    with TestClient(create_app(service)) as client:
        one, other = (client.get(f"/v1/customers/{raw_id}").raise_for_status().json() for raw_id in (first, second))
    assert (one.pop("customer_id"), other.pop("customer_id")) == (first, second)
    assert one == other
