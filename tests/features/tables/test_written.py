"""What a person writes of a customer comes in by the ordinary way, once, as known from then on; and it stays."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from features.batch import feature_table
from features.catalogue import CATALOGUE
from features.errors import InputError
from features.online import Event, event_digest
from features.tables.audit import Audit, read_lines
from features.tables.events import CONFIDENTIAL_KINDS, KINDS, broken_rules
from features.tables.hand import kept_lines
from features.tables.identity import merge_by_hand, undo
from features.tables.ingest import ingest
from features.tables.privacy import Pseudonyms
from features.tables.run import Ingested
from features.tables.sources import HAND, load_source
from features.tables.vault import open_vault
from features.tables.written import OPEN_KINDS, write_event
from features.workspace import Workspace, read_json
from serving.desk import Desk
from serving.forgetting import forget, set_hold
from tests.small_world import ANNA, BERT, SEVEN, small_world

SOURCE = """
name: shop
title: A shop
timezone: Europe/Berlin
tables:
  - name: orders
    gives: events
    files: [orders/]
    customer: customer
    time: {column: at}
    kind: purchase
    ref: id
    amount: amount
  - name: refusals
    gives: events
    files: [refusals/]
    customer: customer
    time: {column: at}
    kind: refusal
    code: why
  - name: invoices
    gives: events
    files: [invoices/]
    customer: customer
    time: {column: at}
    kind: invoice_due
    ref: id
"""
HEADERS = {"orders": "id,customer,at,amount\n", "refusals": "customer,at,why\n", "invoices": "customer,at,id\n"}
FIRST = "1,anna,2026-03-01T10:00,10.00\n2,anna,2026-03-05,2.50\n3,bert,2026-03-31T23:30,7.00\n"
MARCH, APRIL, MAY = (datetime(2026, month, 1, 8, tzinfo=UTC) for month in (4, 5, 6))
NOW = datetime(2026, 4, 20, 12, 30, tzinfo=UTC)
"""Between the exports of March and of April."""
PRICE = Event(datetime(2026, 4, 18, 10, 5), "refusal", code="price")
EXPECTS = Event(datetime(2026, 4, 19), "contact", channel="representative", due_day=date(2026, 6, 1))


class Shop:
    """A shop that exports files now and then, and whose people write."""

    def __init__(self, folder: Path, pseudonyms: Pseudonyms) -> None:
        self.folder, self.pseudonyms = folder, pseudonyms
        self.workspace = Workspace(folder / "home")
        self.audit = Audit(self.workspace.home / "audit.jsonl", "rep")
        for table in HEADERS:
            (folder / table).mkdir()
            self.export(table, "none.csv", "")
        (folder / "shop.yaml").write_text(SOURCE)
        self.source = load_source(str(folder / "shop.yaml"))

    def export(self, table: str, name: str, lines: str) -> None:
        (self.folder / table / name).write_text(HEADERS[table] + lines)

    def ingest(self, now: datetime, afresh: bool = False) -> Ingested:
        return ingest(self.source, self.folder, self.workspace, self.pseudonyms, now=now, afresh=afresh)

    def write(self, event: Event, customer: str = "anna", now: datetime = NOW, new: bool = False) -> bool:
        return write_event(self.source, self.workspace, self.pseudonyms, self.audit, customer, event, new, now)

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        table = pq.read_table(self.workspace.tables / "events.parquet")
        order = [("customer_id", "ascending"), ("event_id", "ascending"), ("known_at", "ascending")]
        return [row for row in table.sort_by(order).to_pylist() if not kinds or row["kind"] in kinds]

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = read_json(self.workspace.tables / "report.json")
        return found

    def contents(self) -> dict[str, bytes]:
        home = self.workspace.home
        return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}

    def refusals(self, customer: str, *days: date) -> list[float]:
        rows = feature_table(self.workspace.tables, self.source.company(), CATALOGUE, list(days)).to_pylist()
        mine = {
            row["as_of"]: row["refusals_365d"] for row in rows if row["customer_id"] == self.pseudonyms.of(customer)
        }
        return [mine[day] for day in days]


@pytest.fixture
def shop(tmp_path: Path, pseudonyms: Pseudonyms) -> Shop:
    """With the export of March taken in."""
    found = Shop(tmp_path, pseudonyms)
    found.export("orders", "2026-03.csv", FIRST)
    found.ingest(MARCH)
    return found


def test_an_event_comes_in_as_known_from_now_on(shop: Shop) -> None:
    """A row of the contract, with the id an export would give it; features before do not see it, later ones do."""
    assert shop.write(PRICE) and shop.write(EXPECTS, " anna ")
    refusal, contact = shop.events("refusal")[0], shop.events("contact")[0]
    anna = shop.pseudonyms.of("anna")
    assert (refusal["customer_id"], refusal["code"], refusal["known_at"], refusal["known_until"]) == (
        anna, "price", NOW, None,
    )  # fmt: skip
    assert (refusal["day"], refusal["hour"], refusal["ts"]) == (
        date(2026, 4, 18), 10, datetime(2026, 4, 18, 8, 5, tzinfo=UTC),
    )  # fmt: skip
    assert refusal["event_id"] == event_digest(anna, PRICE, "Europe/Berlin")
    assert (contact["day"], contact["hour"], contact["due_day"]) == (date(2026, 4, 19), None, date(2026, 6, 1))
    assert shop.refusals("anna", date(2026, 4, 20), date(2026, 4, 21)) == [0, 1]
    assert broken_rules(shop.workspace.tables / "events.parquet") == {} and len(shop.events()) == 5


def test_who_wrote_is_in_the_audit_log(shop: Shop) -> None:
    """Who, when and which kind; the person by its tombstone, no id, no reason of the customer."""
    shop.write(PRICE)
    (line,) = read_lines(shop.audit.path)
    assert (line["by"], line["action"], line["kind"], len(line["person"])) == ("rep", "write-event", "refusal", 1)
    text = shop.audit.path.read_text()
    assert "anna" not in text and shop.pseudonyms.of("anna") not in text and "price" not in text


def test_the_same_event_again_is_one_event(shop: Shop) -> None:
    """Not a byte changes, and nobody is noted; another reason or another time is another event."""
    assert shop.write(PRICE)
    before = shop.contents()
    assert not shop.write(PRICE, now=NOW + timedelta(hours=1))
    assert shop.contents() == before
    assert shop.write(replace(PRICE, code="quality")) and shop.write(replace(PRICE, ts=datetime(2026, 4, 18)))
    assert len(shop.events("refusal")) == 3


def test_an_event_with_an_id_may_be_restated(shop: Shop) -> None:
    """The row it replaces stays for the dates before, as with any restatement; also when all is read afresh."""
    first = replace(EXPECTS, event_id="crm-1")
    shop.write(first)
    later = replace(first, due_day=date(2026, 7, 1))
    assert shop.write(later, now=NOW + timedelta(days=1)) and not shop.write(later, now=NOW + timedelta(days=2))
    assert [(e["due_day"], e["known_until"]) for e in shop.events("contact")] == [
        (date(2026, 6, 1), NOW + timedelta(days=1)),
        (date(2026, 7, 1), None),
    ]
    before = shop.events()
    shop.ingest(MAY, afresh=True)
    assert shop.events() == before


def test_exports_neither_lose_nor_double_what_was_written(shop: Shop) -> None:
    """Also where the company's own table brings the same event later, or first."""
    shop.export("refusals", "first.csv", "bert,2026-03-20,late\n")
    shop.ingest(MARCH + timedelta(days=1))
    assert not shop.write(Event(datetime(2026, 3, 20), "refusal", code="late"), "bert")
    shop.write(PRICE)
    written = shop.events("refusal")
    shop.export("refusals", "then.csv", "anna,2026-04-18T10:05,price\nbert,2026-04-25,late\n")
    done = shop.ingest(APRIL)
    assert next(each for each in done.counts if each.table == "refusals").dropped == {"repeated-event": 1}
    kept = [event for event in shop.events("refusal") if event in written]
    assert kept == written and len(shop.events("refusal")) == 3
    shop.ingest(APRIL + timedelta(days=1))
    assert len(shop.events("refusal")) == 3


def test_reading_afresh_keeps_what_was_written(shop: Shop) -> None:
    """Row by row, between exports of before and after, and the same report; so often as one likes."""
    shop.write(PRICE)
    shop.write(EXPECTS, "bert", now=NOW + timedelta(days=1))
    shop.write(Event(datetime(2026, 4, 1), "visit"), "dora", new=True, now=NOW + timedelta(days=2))
    shop.export("orders", "2026-04.csv", "4,bert,2026-04-02,1.00\n5,carl,2026-03-03,9.00\n")
    shop.export("refusals", "2026-04.csv", "anna,2026-04-18T10:05,price\n")
    shop.ingest(APRIL)
    shop.write(replace(PRICE, code="quality"), "carl", now=APRIL + timedelta(days=1))
    events, report = shop.events(), shop.report()
    ways = names(shop)
    for _ in range(2):
        shop.ingest(MAY, afresh=True)
        assert shop.events() == events and names(shop) == ways and "dora" in ways.values()
        assert shop.report() == report
    assert [line["customer"] for line in kept_lines(open_vault(shop.workspace.tables, shop.pseudonyms))] == [
        "anna", "bert", "dora", "carl",
    ]  # fmt: skip


def names(shop: Shop) -> dict[str, str]:
    """The way back of every pseudonym."""
    entries = open_vault(shop.workspace.tables, shop.pseudonyms).tables("names")
    return {row["customer_id"]: row["id"] for _, table in entries for row in table.to_pylist()}


def test_a_written_event_makes_no_day_complete(shop: Shop) -> None:
    """The tables end where the exports end: what the next one brings of days before the written event is not late, and
    nobody is taken to have bought nothing since."""
    shop.write(PRICE)
    shop.write(Event(datetime(1999, 1, 1), "visit"))
    assert (shop.report()["first_day"], shop.report()["last_day"]) == ("2026-03-01", "2026-03-31")
    shop.export("orders", "2026-04.csv", "4,bert,2026-04-02,1.00\n")
    assert shop.ingest(APRIL).late == 0
    order = next(event for event in shop.events() if event["ref"] == "4")
    assert order["known_at"] == order["ts"]
    assert (shop.report()["first_day"], shop.report()["last_day"]) == ("2026-03-01", "2026-04-02")


def test_counts_tell_written_lines_apart(shop: Shop) -> None:
    """Under a table of their own, which no source file may name so."""
    shop.write(PRICE)
    shop.write(EXPECTS)
    by_name = {each["table"]: each for each in shop.report()["tables"]}
    assert (by_name[HAND]["read"], by_name[HAND]["accepted"]) == (2, 2) and by_name["orders"]["read"] == 3
    assert shop.report()["events"] == 5
    path = shop.folder / "shop.yaml"
    path.write_text(SOURCE.replace("name: orders", f"name: {HAND}"))
    with pytest.raises(InputError, match="events are called that people write"):
        load_source(str(path))


def test_a_merged_id_finds_its_customer(shop: Shop) -> None:
    """The event stands under the survivor with the id it came under, so that an undone merge gives it back."""
    merge = merge_by_hand(shop.workspace.tables, shop.pseudonyms, "anna", "bert", "tester")
    shop.write(PRICE, "bert")
    anna, bert = map(shop.pseudonyms.of, ("anna", "bert"))
    for _ in range(2):
        (event,) = shop.events("refusal")
        assert (event["customer_id"], event["merged_from"]) == (anna, bert)
        shop.ingest(MAY, afresh=True)
    assert not shop.write(PRICE, "bert")
    undo(shop.workspace.tables, shop.pseudonyms, merge, "tester")
    (event,) = shop.events("refusal")
    assert (event["customer_id"], event["merged_from"]) == (bert, None)


def test_an_unknown_customer_is_new_only_when_it_is_said(shop: Shop) -> None:
    """Else a slip of the pen would make a customer."""
    before = shop.contents()
    with pytest.raises(InputError, match="nothing of a customer of that id") as error:
        shop.write(PRICE, "ana")
    assert error.value.place == "customer" and "'ana'" not in error.value.letter() and shop.contents() == before
    assert shop.write(PRICE, "ana", new=True)
    assert names(shop)[shop.pseudonyms.of("ana")] == "ana" and shop.write(EXPECTS, "ana")


@pytest.mark.parametrize(
    ("event", "place", "wanted"),
    [
        *((replace(PRICE, kind=kind), "kind", "one of purchase") for kind in CONFIDENTIAL_KINDS),
        (replace(PRICE, kind="sneeze"), "kind", "one of purchase"),
        (replace(PRICE, ts=NOW + timedelta(minutes=1)), "ts", "a time up to"),
        (replace(PRICE, ts=datetime(2026, 4, 20, 14, 31)), "ts", "a time up to"),  # 12:31 in UTC
        (replace(PRICE, ts=datetime(1899, 12, 30)), "ts", "1900"),
        (replace(PRICE, known_at=MARCH), "known_at", "known from now on"),
        (replace(PRICE, known_until=MAY), "known_until", "known from now on"),
        (replace(EXPECTS, due_day=date(2026, 4, 18)), "due_day", "expects to buy"),
        (replace(EXPECTS, channel="pigeon"), "channel", "representative"),
        (replace(PRICE, kind="purchase", amount=-1), "amount", "a purchase of 0 or more"),
        (replace(PRICE, kind="return", amount=1), "amount", "a return of 0 or less"),
        (
            replace(PRICE, kind="return", ts=datetime(2026, 3, 1, 9), ref="2", amount=-1),
            "ts",
            "a return no earlier",
        ),
        (replace(PRICE, kind="payment", ref="77", amount=100), "ref", "a payment of an invoice we know"),
    ],
)
def test_what_is_refused_names_the_field(shop: Shop, event: Event, place: str, wanted: str) -> None:
    """The rules of ingest hold for what is written; nothing is set aside for later, and nothing changes."""
    before = shop.contents()
    with pytest.raises(InputError) as error:
        shop.write(event)
    assert error.value.place == place and wanted in error.value.wanted
    assert shop.contents() == before


def test_a_code_does_not_name_the_customer(shop: Shop) -> None:
    """Reports for the product team tell the codes."""
    with pytest.raises(InputError, match="the customer's id") as error:
        shop.write(replace(PRICE, code="asked by k-1000017"), " k-1000017", new=True)
    assert error.value.place == "code" and "k-1000017" not in error.value.letter()


def test_a_rule_that_the_source_file_lets_pass_does_not_hold(shop: Shop) -> None:
    """As for the company's own lines."""
    payment = replace(PRICE, kind="payment", ref="77", amount=100)
    shop.source = shop.source.model_copy(update={"rules": {"payment-without-invoice": "keep"}})
    assert shop.write(payment)


def test_all_that_an_event_may_say_is_kept(shop: Shop) -> None:
    """To the minor unit and the last digit; the same when it is taken in again with others that say less."""
    assert set(OPEN_KINDS) == set(KINDS) - set(CONFIDENTIAL_KINDS)
    told = {
        "ref": "1",
        "cost": 7,
        "quantity": 2.5,
        "item": "x",
        "channel": "phone",
        "counterparty": "bert",
        "country": "DE",
        "due_day": date(2026, 9, 1),
        "code": 'a, "b"',
        "score": 0.1,
    }
    amounts = {"purchase": 2**53, "return": -(2**53), "transfer_out": -1, "survey": 0}
    for kind, amount in amounts.items():
        assert shop.write(Event(datetime(2026, 4, 1, 1), kind, amount=amount, **told))
    shop.write(EXPECTS)
    for _ in range(2):
        events = [event for event in shop.events(*amounts) if event["known_at"] == NOW]
        assert {event["kind"]: event["amount"] for event in events} == amounts
        for event in events:
            named = told | {"counterparty": shop.pseudonyms.of("bert")}
            assert {name: event[name] for name in told} == named
        shop.ingest(MAY, afresh=True)


@pytest.fixture
def desk(tmp_path: Path, pseudonyms: Pseudonyms) -> Desk:
    return small_world(tmp_path, pseudonyms)


def write(desk: Desk, who: str, event: Event, new: bool = False) -> bool:
    return write_event(desk.source, desk.workspace, desk.pseudonyms, desk.audit, who, event, new)


def written_of(desk: Desk) -> set[str]:
    return {str(line["customer"]) for line in kept_lines(desk.vault)}


TODAY = date(2026, 11, 23)


@pytest.mark.parametrize("who", [ANNA, SEVEN])
def test_forgetting_takes_what_was_written(desk: Desk, who: str) -> None:
    """The row, the line in the vault, the way back; as a partner in the line of another, too; and it stays forgotten
    when all is read afresh, and cannot be written of again."""
    transfer = Event(datetime(2026, 3, 9), "transfer_out", amount=5, counterparty=who)
    for each, event in ((who, PRICE), (BERT, PRICE), (BERT, transfer)):
        assert write(desk, each, event)
    assert written_of(desk) == {who, BERT}
    mine = desk.pseudonyms.of(who)
    assert "tables/vault/written/lines.sealed" in desk.search(desk.person(who)).found
    forget(desk, desk.person(who), "asked", TODAY)
    assert desk.search(desk.person(who)).found == () and written_of(desk) == {BERT}
    sealed = str([table.to_pylist() for _, table in desk.vault.tables("written")])
    assert mine not in sealed and f"'{who}'" not in sealed
    for _ in range(2):
        rows = pq.read_table(desk.workspace.tables / "events.parquet").to_pylist()
        assert mine not in {word for row in rows for word in (row["customer_id"], row["counterparty"])}
        assert sum(row["kind"] == "refusal" for row in rows) == 1
        assert sum(row["kind"] == "transfer_out" and row["counterparty"] is None for row in rows) >= 1
        ingest(desk.source, desk.workspace.home.parent, desk.workspace, desk.pseudonyms, afresh=True)
    with pytest.raises(InputError, match="was forgotten"):
        write(desk, who, PRICE, new=True)


def test_a_held_person_keeps_the_event_in_the_vault_alone(desk: Desk) -> None:
    """Restricted with the other events; not to be brought back by reading afresh."""
    write(desk, ANNA, PRICE)
    set_hold(desk, ANNA, date(2030, 1, 1), "invoices", TODAY)
    forget(desk, desk.person(ANNA), "asked", TODAY)
    kept = [table for name, table in desk.vault.tables("restricted") if name.endswith("/events")]
    assert [table["kind"].to_pylist().count("refusal") for table in kept] == [1] and not written_of(desk)
    ingest(desk.source, desk.workspace.home.parent, desk.workspace, desk.pseudonyms, afresh=True)
    assert "refusal" not in pq.read_table(desk.workspace.tables / "events.parquet")["kind"].to_pylist()


def test_people_who_write_at_once_wait_for_one_another(shop: Shop) -> None:
    """Threads of a service here, and an export taken in meanwhile: every event is there, each once."""
    shop.export("orders", "2026-04.csv", "4,bert,2026-04-02,1.00\n")
    events = [replace(PRICE, ts=datetime(2026, 4, 18, 11, k)) for k in range(6)]
    calls = [lambda event=event: shop.write(event) for event in events] + [lambda: shop.ingest(APRIL)]
    with ThreadPoolExecutor(len(calls)) as people:
        for done in [people.submit(call) for call in calls]:
            done.result()
    assert len(shop.events("refusal")) == 6 and len(shop.events("purchase")) == 4
    assert len(kept_lines(open_vault(shop.workspace.tables, shop.pseudonyms))) == 6
    assert len(read_lines(shop.audit.path)) == 6
    assert [path.name for path in shop.workspace.home.iterdir() if path.name.startswith(".")] == []


KILLED = """
import os, shutil, sys
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from features.calendar import clock, local_time
from features.online import Event
from features.tables.audit import Audit
from features.tables.hand import kept_lines
from features.tables.privacy import Pseudonyms
from features.tables.sources import load_source
from features.tables.vault import open_vault
from features.tables.written import write_event
from features.workspace import Workspace
import pyarrow.parquet as pq

folder = Path(sys.argv[1])
source, key = load_source(str(folder / "shop.yaml")), Pseudonyms(os.environb[b"CUSTOMER_SCORING_KEY"])

local_time(np.zeros(1, np.int64), clock(source.timezone))  # what is compiled is compiled once

def child(home, kill_at):
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    done = 0
    def watch(event, args):
        nonlocal done
        if event in ("os.rename", "os.link", "os.rmdir"):
            done += 1
            if done == kill_at:
                os._exit(9)
    sys.addaudithook(watch)
    event = Event(datetime(2026, 4, 18), "refusal", code="price")
    now = datetime(2026, 4, 20, tzinfo=UTC)
    os._exit(0 if write_event(source, Workspace(home), key, Audit(home / "log", "rep"), "anna", event, now=now) else 1)

def written(home):
    tables = home / "tables"
    rows = pq.read_table(tables / "events.parquet")["kind"].to_pylist().count("refusal")
    assert rows == len(kept_lines(open_vault(tables, key)))
    return rows

at = 1
while True:
    home = folder / f"home-{at}"
    shutil.copytree(folder / "home", home)
    code = child(home, at)
    if code == 0:
        break
    assert code == 9, code
    if (home / "tables").exists():
        assert written(home) in (0, 1)
    assert child(home, 0) in (0, 1)
    assert written(home) == 1 and {path.name for path in home.iterdir()} == {"tables", "log"}
    shutil.rmtree(home)
    at += 4
print(at)
"""


def test_a_killed_writing_leaves_all_or_nothing(shop: Shop) -> None:
    """At renaming after renaming: the next call ends with the event, once, in the tables and in the vault."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(shop.folder)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10
