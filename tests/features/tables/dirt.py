"""Fifty ways in which a company's files go bad, and what becomes of a row that went so.

The files are Online Retail's second year as its owner might export it: invoice lines, a ledger of invoices and payments
written the German way, and the customers.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pandas as pd

SOURCE = """
name: dirty
title: Online Retail as exported
timezone: Europe/London
currency: GBP
tables:
  - name: customers
    gives: customers
    files: [customers.csv]
    customer: Customer
    signed_up: {column: Since}
    attributes: {country: {column: Country, family: social}}
  - name: lines
    gives: events
    files: [lines.csv]
    customer: Customer
    event_id: Line
    time: {column: Date, format: "%d/%m/%Y %H:%M"}
    known_at: {column: Entered}
    kind:
      - {is: return, when: {Invoice: {starts_with: [C]}}}
      - {is: purchase}
    ref: Order
    amount: {multiply: [Quantity, Price]}
    cost: Cost
    quantity: Pieces
    item: Stock
    country: Country
    score: Rating
    drop:
      - {rule: stock-write-off, when: {Quantity: {below: 0}, Price: {any_of: ["0.0"]}}}
      - {rule: not-a-sale, when: {Stock: {any_of: [BANK CHARGES, AMAZONFEE, CRUK, B, S]}}}
      - {rule: test-account, when: {Customer: {any_of: [TEST]}}}
    require:
      - {rule: price-range, that: {Price: {below: 50000}}}
      - {rule: stock-code, that: {Stock: {empty: false}}}
      - {rule: known-currency, that: {Currency: {any_of: [GBP]}}}
  - name: ledger
    gives: events
    files: [ledger.csv]
    format: {delimiter: ";", decimal: ","}
    customer: Customer
    time: {column: Datum, format: "%d.%m.%Y"}
    kind:
      - {is: payment, when: {Art: {any_of: [Zahlung]}}}
      - {is: invoice_due}
    ref: Rechnung
    amount: Betrag
    due_day: {column: Faellig, format: "%d.%m.%Y"}
"""

FORGOTTEN = "99001"
"""A customer who asked to be erased before the files came."""

LONDON = ZoneInfo("Europe/London")
DAY = "%d/%m/%Y %H:%M"

Row = dict[str, str]
Pool = Literal["purchase", "return", "bulk", "due", "large due", "payment", "customer"]
POOLS: dict[str, tuple[Pool, ...]] = {
    "lines": ("bulk", "return", "purchase"),
    "ledger": ("large due", "payment", "due"),
    "customers": ("customer",),
}
"""Table → what its sound rows are. bulk: a thousand pieces and more; large: a thousand pounds and more."""

TABLE = {pool: table for table, pools in POOLS.items() for pool in pools}
DELIMITER = {"lines": ",", "ledger": ";", "customers": ","}


@dataclass(frozen=True)
class Dirt:
    """One kind of dirt. cells, text: how a row, then its line, is spoiled; rule: where the row ends, for `accepted`
    none; of: which rows it befalls; added: the sound row stays and a spoiled copy follows it; harmless: the customer's
    features stay as they are."""

    ends: Literal["accepted", "fixed", "quarantined", "dropped"]
    rule: str
    cells: Callable[[Row], Row] = lambda row: row
    text: Callable[[str], bytes] = str.encode
    of: Pool = "purchase"
    times: int = 20
    added: bool = False

    @property
    def harmless(self) -> bool:
        return self.ends in ("accepted", "fixed") or self.added

    @property
    def table(self) -> str:
        return TABLE[self.of]


def put(**cells: str | Callable[[str], str]) -> Callable[[Row], Row]:
    """Give cells other contents: these, or what a function makes of the old ones."""
    return lambda row: row | {name: to if isinstance(to, str) else to(row[name]) for name, to in cells.items()}


def instead(old: str, new: bytes) -> Callable[[str], bytes]:
    """Put bytes in place of a mark in the line."""
    return lambda line: line.encode().replace(old.encode(), new)


def wide(cell: str) -> str:
    """Full-width forms of digits, as East Asian keyboards give them."""
    return cell.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789.-"})


def grouped(sign: str, point: str = ".") -> Callable[[str], str]:
    """Parts the thousands with `sign`."""

    def write(cell: str) -> str:
        whole, _, decimals = cell.replace(",", ".").partition(".")
        return f"{int(whole):,}".replace(",", sign) + (point + decimals if decimals else "")

    return write


def local(cell: str) -> datetime:
    """The instant of a cell of the column Date."""
    return datetime.strptime(cell, DAY).replace(tzinfo=LONDON)


def serial(cell: str) -> str:
    """A spreadsheet's number of days."""
    return f"{(datetime.strptime(cell, DAY) - datetime(1899, 12, 30)) / timedelta(days=1):.6f}"


def moved(years: int = 0, days: int = 0) -> Callable[[str], str]:
    """Another day at the same time."""

    def move(cell: str) -> str:
        there = datetime.strptime(cell, DAY) + timedelta(days=days)
        return f"{there:%d/%m/}{there.year + years:04d}{there: %H:%M}"

    return move


def _own_id(suffix: str, **cells: str | Callable[[str], str]) -> Callable[[Row], Row]:
    return put(Line=lambda line: line + suffix, **cells)


def _return_before(row: Row) -> Row:
    cells = {"Invoice": "C" + row["Invoice"], "Quantity": "-" + row["Quantity"], "Pieces": "-" + row["Pieces"]}
    return row | cells | {"Line": row["Line"] + "r", "Date": moved(days=-1)(row["Date"]), "Stock": "RETURN"}


MARK = "§"

DIRT: dict[str, Dirt] = {
    # what a reader must not stumble over
    "blanks around cells": Dirt(
        "accepted", "", put(Price=" {} ".format, Customer="\t{}\u00a0".format, Date=" {}".format)
    ),
    "a line break in a cell": Dirt("accepted", "", put(Description="two\nlines, and a comma")),
    "an empty line before": Dirt("accepted", "", text=lambda line: b"\n" + line.encode()),
    "a NUL in a text": Dirt("accepted", "", put(Description=MARK), instead(MARK, b"a\0b")),
    # numbers and dates with one meaning
    "full-width digits": Dirt("fixed", "unicode-form", put(Price=wide, Quantity=wide)),
    "a typographic minus": Dirt("fixed", "unicode-form", put(Quantity=lambda q: q.replace("-", "\u2212")), of="return"),
    "a thin blank between thousands": Dirt("fixed", "unicode-form", put(Betrag=grouped("\u202f", ",")), of="large due"),
    "full-width digits in a date": Dirt("fixed", "unicode-form", put(Date=wide)),
    "a pound sign": Dirt("fixed", "currency-sign", put(Price="£{}".format)),
    "a currency's code behind": Dirt("fixed", "currency-sign", put(Price="{} GBP".format)),
    "parted thousands": Dirt(
        "fixed", "thousands", put(Quantity=grouped(","), Pieces=grouped(",")), of="bulk", times=12
    ),
    "thousands parted with points": Dirt("fixed", "thousands", put(Betrag=grouped(".", ",")), of="large due"),
    "a decimal comma that parts no thousands": Dirt(
        "fixed", "decimal-comma", put(Rating=lambda r: r.replace(".", ","))
    ),
    "a decimal comma": Dirt("fixed", "decimal-comma", put(Price=lambda p: p.replace(".", ","))),
    "a decimal point": Dirt("fixed", "decimal-point", put(Betrag=lambda b: b.replace(",", ".")), of="due"),
    "a negative in brackets": Dirt("fixed", "accounting-negative", put(Quantity=lambda q: f"({q[1:]})"), of="return"),
    "a minus behind": Dirt("fixed", "accounting-negative", put(Quantity=lambda q: f"{q[1:]}-"), of="return"),
    "an ISO date": Dirt("fixed", "other-date-form", put(Date=lambda d: local(d).isoformat())),
    "a spreadsheet's date": Dirt("fixed", "other-date-form", put(Date=serial)),
    # rows that are there twice, or do not count
    "a line twice": Dirt("dropped", "repeated-line", added=True),
    "an event twice, in other words": Dirt("dropped", "repeated-event", put(Description="AGAIN"), added=True),
    "a test account": Dirt("dropped", "test-account", put(Customer="TEST")),
    "a bank's fee": Dirt("dropped", "not-a-sale", put(Stock="AMAZONFEE")),
    "a forgotten customer": Dirt("dropped", "forgotten-customer", _own_id("f", Customer=FORGOTTEN), added=True),
    # cells that are missing or say nothing
    "no customer": Dirt("quarantined", "missing-customer", put(Customer=" \u00a0")),
    "no date": Dirt("quarantined", "missing-time", put(Date="")),
    "a day that is none": Dirt("quarantined", "unreadable-time", put(Date="31/02/2011 10:00")),
    "no price": Dirt("quarantined", "missing-amount", put(Price="")),
    "a price that is no number": Dirt("quarantined", "unreadable-amount", put(Price="#DIV/0!")),
    "a number only a program reads": Dirt("quarantined", "unreadable-amount", put(Price="1_000")),
    "pieces that are no number": Dirt("quarantined", "unreadable-quantity", put(Pieces="a dozen")),
    "a cost that is no number": Dirt("quarantined", "unreadable-cost", put(Cost="1.2.3")),
    "a rating of nan": Dirt("quarantined", "unreadable-score", put(Rating="nan")),
    "an entry at no time": Dirt("quarantined", "unreadable-known_at", put(Entered="lunch")),
    "due on no day": Dirt("quarantined", "unreadable-due_day", put(Faellig="30.02.2011"), of="due"),
    # cells that cannot be
    "a day of another century": Dirt("quarantined", "implausible-day", put(Date=moved(years=-1800))),
    "a day to come": Dirt("quarantined", "future-day", put(Date=moved(years=100))),
    "a negative purchase": Dirt("quarantined", "amount-sign", put(Quantity="-{}".format)),
    "a positive return": Dirt("quarantined", "return-sign", put(Quantity=lambda q: q[1:]), of="return"),
    "a price out of range": Dirt("quarantined", "price-range", put(Price="99999.99")),
    "another currency": Dirt("quarantined", "known-currency", put(Currency="DM")),
    "no stock code": Dirt("quarantined", "stock-code", put(Stock="")),
    # lines that are no rows
    "a cell too many": Dirt("quarantined", "wrong-width", put(Description=MARK), instead(MARK, b"a, b")),
    "cells cut off": Dirt(
        "quarantined", "wrong-width", text=lambda line: ",".join(line.split(",")[:3]).encode() + b"\n"
    ),
    "a quote that does not close": Dirt("quarantined", "broken-quotes", put(Description=MARK), instead(MARK, b'"JUG')),
    "bytes of another encoding": Dirt("quarantined", "undecodable", put(Description=MARK), instead(MARK, b"JUG \xa35")),
    # rows that contradict others
    "a return before the purchase": Dirt("quarantined", "return-before-purchase", _return_before, added=True),
    "a payment of no invoice": Dirt("quarantined", "payment-without-invoice", put(Rechnung="X{}".format), of="payment"),
    "a purchase before the sign-up": Dirt(
        "quarantined", "before-sign-up", _own_id("s", Date="01/01/2009 10:00"), added=True
    ),
    "another row of an event": Dirt("quarantined", "conflicting-event", put(Quantity="{}0".format), added=True),
    "a sign-up at no time": Dirt("quarantined", "unreadable-signed_up", put(Since="2011-13-01"), of="customer"),
}


@dataclass(frozen=True)
class Planted:
    """A spoiled row: its kind of dirt, the physical line where it begins, and whose it was."""

    dirt: str
    line: int
    customer: str
    ref: str


def write_clean(lines: pd.DataFrame, folder: Path) -> dict[str, pd.DataFrame]:
    """Write the three files from Online Retail's lines; returns their cells as text, with `pool`: what a sound row
    is (null: it is not sound, and not to be spoiled)."""
    frames = {"lines": _lines(lines)}
    frames["ledger"] = _ledger(frames["lines"])
    frames["customers"] = _customers(frames["lines"])
    for table, frame in frames.items():
        cells = frame.drop(columns="pool")
        cells.to_csv(folder / f"{table}.csv", sep=DELIMITER[table], index=False, lineterminator="\n")
    (folder / "dirty.yaml").write_text(SOURCE, encoding="utf-8")
    return frames


def _lines(raw: pd.DataFrame) -> pd.DataFrame:
    amount, minutes = raw["Quantity"] * raw["UnitPrice"], raw["InvoiceDate"].unique()
    cells = {
        "Line": pd.util.hash_pandas_object(raw, index=False).map("L{:016x}".format),
        "Invoice": raw["InvoiceNo"],
        "Order": raw["InvoiceNo"],
        "Stock": raw["StockCode"],
        "Description": raw["Description"].fillna(""),
        "Quantity": raw["Quantity"].astype(str),
        "Pieces": raw["Quantity"].astype(str),
        "Date": raw["InvoiceDate"].map({at: f"{at:{DAY}}" for at in minutes}),
        "Entered": raw["InvoiceDate"].map({at: f"{at + pd.Timedelta(hours=1):%Y-%m-%dT%H:%M}" for at in minutes}),
        "Price": raw["UnitPrice"].astype(str),
        "Cost": (amount * 0.6).map("{:.2f}".format),
        "Customer": raw["CustomerID"].map("{:.0f}".format, na_action="ignore").fillna(""),
        "Country": raw["Country"],
        "Currency": "GBP",
        "Rating": ((raw["Quantity"] % 7 + 1) * 0.125).map("{:.3f}".format),
    }
    frame = pd.DataFrame(cells)
    sold = (raw["Quantity"] > 0) & (amount >= 0.01) & ~frame["Invoice"].str.contains("[CA]")
    returned = (raw["Quantity"] < 0) & (amount <= -0.01) & frame["Invoice"].str.startswith("C")
    frame["pool"] = None
    frame.loc[sold, "pool"] = "purchase"
    frame.loc[sold & (raw["Quantity"] >= 1000), "pool"] = "bulk"
    frame.loc[returned, "pool"] = "return"
    odd = (frame["Customer"] == "") | frame["Line"].duplicated(keep=False)
    frame.loc[odd | frame["Stock"].isin(["BANK CHARGES", "AMAZONFEE", "CRUK", "B", "S"]), "pool"] = None
    return frame


def _ledger(lines: pd.DataFrame) -> pd.DataFrame:
    """An invoice for every other order, and a payment for two of three invoices; the others may be spoiled."""
    sold = lines[lines["pool"].isin(["purchase", "bulk"])]
    worth = sold["Quantity"].astype(float) * sold["Price"].astype(float)
    told = {"Customer": "first", "Date": "first", "worth": "sum"}
    orders = sold.assign(worth=worth).groupby("Order", sort=False).agg(told).iloc[::2].reset_index()
    day, unpaid = pd.to_datetime(orders["Date"], format=DAY), orders.index % 3 == 0
    large = (orders["worth"] >= 1000).map({True: "large due", False: "due"})
    cells = {
        "Rechnung": orders["Order"],
        "Customer": orders["Customer"],
        "Art": "Rechnung",
        "Datum": day.dt.strftime("%d.%m.%Y"),
        "Faellig": (day + pd.Timedelta(days=30)).dt.strftime("%d.%m.%Y"),
        "Betrag": orders["worth"].map("{:.2f}".format).str.replace(".", ","),
        "pool": large.where(unpaid, None),
    }
    invoices = pd.DataFrame(cells)
    paid = (day + pd.Timedelta(days=20)).dt.strftime("%d.%m.%Y")
    payments = invoices.assign(Art="Zahlung", Datum=paid, Faellig="", pool="payment")[~unpaid]
    return pd.concat([invoices, payments], ignore_index=True)


def _customers(lines: pd.DataFrame) -> pd.DataFrame:
    known = lines[lines["Customer"] != ""]
    day = pd.to_datetime(known["Date"], format=DAY).dt.strftime("%Y-%m-%d")
    first = known.assign(Since=day).groupby("Customer").agg({"Since": "min", "Country": "first"}).reset_index()
    return first.assign(pool="customer")


def plant(frames: Mapping[str, pd.DataFrame], clean: Path, dirty: Path, seed: int = 2011) -> list[Planted]:
    """Copy the files from `clean` to `dirty` with every kind of dirt in them, each in rows of its own, no two in one
    order. Harmless dirt and the other never meet in one customer."""
    rng = random.Random(seed)
    customers = sorted(frames["customers"]["Customer"])
    rng.shuffle(customers)
    third = len(customers) // 3
    groups = {True: set(customers[:third]), False: set(customers[third : 2 * third])}
    chosen: dict[str, dict[int, str]] = {table: {} for table in frames}
    used: set[str] = set()
    rows = {
        (pool, harmless): _shuffled(frames[table], pool, group, rng)
        for table, pools in POOLS.items()
        for pool in pools
        for harmless, group in groups.items()
    }
    for name, dirt in DIRT.items():
        fitting = rows[dirt.of, dirt.harmless]
        while dirt.times > sum(kind == name for kind in chosen[dirt.table].values()):
            row, ref = fitting.pop()
            if ref not in used:
                used.add(ref)
                chosen[dirt.table][row] = name
    planted = [each for table, frame in frames.items() for each in _spoil(table, frame, chosen[table], clean, dirty)]
    (dirty / "dirty.yaml").write_text(SOURCE, encoding="utf-8")
    return planted


def _shuffled(frame: pd.DataFrame, pool: Pool, customers: set[str], rng: random.Random) -> list[tuple[int, str]]:
    """Number and ref of the rows of a pool, in the order in which they are spoiled."""
    fitting = frame[(frame["pool"] == pool) & frame["Customer"].isin(customers)]
    found = list(zip(fitting.index, fitting[_ref(frame)], strict=True))
    rng.shuffle(found)
    return found


def _ref(frame: pd.DataFrame) -> str:
    """The column that keeps two spoiled rows apart: the order, the invoice, or the customer."""
    return next(name for name in ("Order", "Rechnung", "Customer") if name in frame.columns)


def _spoil(table: str, frame: pd.DataFrame, chosen: Mapping[int, str], clean: Path, dirty: Path) -> Iterator[Planted]:
    names = [name for name in frame.columns if name != "pool"]
    header, *rows = (clean / f"{table}.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    with (dirty / f"{table}.csv").open("wb") as file:
        file.write(header.encode())
        line = 2
        for number, row in enumerate(rows):
            dirt = DIRT[chosen[number]] if number in chosen else None
            if dirt is None or dirt.added:
                file.write(row.encode())
                line += 1
            if dirt is not None:
                cells = {name: frame.at[number, name] for name in names}
                spoiled = dirt.text(_written(dirt.cells(cells), DELIMITER[table]))
                yield Planted(chosen[number], line, cells["Customer"], cells[_ref(frame)])
                file.write(spoiled)
                line += spoiled.count(b"\n")


def _written(cells: Row, delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerow(cells.values())
    return text.getvalue()
