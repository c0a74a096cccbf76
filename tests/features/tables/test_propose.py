"""What a source file is proposed to say, from the tables alone."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.config import read_config
from features.errors import InputError
from features.tables.infer.dialect import Sniffed
from features.tables.infer.look import look_at_database, look_at_files
from features.tables.infer.looked import look
from features.tables.infer.propose import propose
from features.tables.infer.sniff import sniff
from features.tables.infer.write import please_look, source_text
from features.tables.readers import read_blocks
from features.tables.reading import Database, Format
from features.tables.sources import EventTable, Source, load_source
from tests.conftest import real_data
from tests.postgres import postgres_url  # noqa: F401 a fixture

CORRECTED: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "online-retail": (
        ("online_retail/online_retail.parquet", "online_retail/online_retail_2009_2010.parquet"),
        {"tables.0.drop.1"},  # which item codes are fees and tests: proposed in a comment only
    ),
    "cdnow": (("cdnow/CDNOW_master.txt.gz",), set()),
    "essec": (("essec_purchases/purchases.txt.gz",), set()),
    "grocery": (("grocery_elog/groceryElog.csv.gz",), set()),
    "berka": (("berka/account.asc.gz", "berka/trans_head_1993-01_1994-03.asc.gz"), set()),
    "accounts-receivable": (("accounts_receivable/WA_Fn-UseC_-Accounts-Receivable.csv.gz",), set()),
    "amlsim": (
        ("amlsim_fanin/nodes.csv.gz", "amlsim_fanin/transactions.csv.gz"),
        {"tables.2"},  # that a flag of the simulation is a report: nothing in the files says so
    ),
}
"""Data set → its files, and what a person had to correct by hand in the proposal to get the file we ship."""


def proposed(*places: Path, name: str = "my") -> tuple[Source, str, list[str]]:
    """The proposal for files as a source, as text, and what it asks to look at."""
    seen = look_at_files(places)
    proposal = propose(name, seen.tables)
    text = source_text(proposal, [place.name for place in places], seen.skipped)
    return read_config(Source, text, "proposal"), text, please_look(proposal)


def only_events(source: Source) -> EventTable:
    """The one table of events of a source."""
    (table,) = source.tables
    assert isinstance(table, EventTable)
    return table


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """The paths at which two sources do not mean the same; what tables are called is no meaning."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other} - {"name", "title", "simulated"}):  # what no file says
            yield from differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif isinstance(one, tuple) and isinstance(other, tuple):
        longest = max(len(one), len(other))
        for i, (a, b) in enumerate(zip(pad(one, longest), pad(other, longest), strict=True)):
            yield from differences(a, b, f"{path}.{i}")
    elif one != other:
        yield path


def pad(items: Sequence[Any], length: int) -> list[Any]:
    return [*items, *[None] * (length - len(items))]


@pytest.mark.real
@pytest.mark.parametrize("name", CORRECTED)
def test_a_shipped_source_is_what_is_proposed_but_for_one_correction(name: str) -> None:
    """A user of these data would have had at most one thing to mend."""
    files, corrected = CORRECTED[name]
    assert len(corrected) <= 1
    folder = real_data(*files)
    found, _, _ = proposed(*(folder / Path(file).name for file in files), name=name)
    assert set(differences(found.model_dump(), load_source(name).model_dump())) == corrected


@pytest.mark.real
def test_no_comment_repeats_a_customers_cell() -> None:
    """A source file is for all to see: of cells it has codes, of which there are few, and no customer's name or id."""
    folder = real_data("online_retail/online_retail.parquet")
    _, text, _ = proposed(folder / "online_retail.parquet")
    ids = {str(i) for i in pq.read_table(folder / "online_retail.parquet")["CustomerID"].unique().to_pylist() if i}
    assert not ids & set(text.replace(",", " ").split())


GERMAN = "Kundennr;Bestelldatum;Bestellnr;Betrag;Land\r\n" + "".join(
    f"K{1000 + i % 40};{1 + i % 28:02d}.{1 + i % 12:02d}.2023;B{5000 + i};{i % 9 + 1}.{100 + i % 800},{i % 90 + 10};"
    f"{'Österreich' if i % 10 == 0 else 'Deutschland'}\r\n"
    for i in range(300)
)


def test_a_german_export_reads_as_it_was_meant(tmp_path: Path) -> None:
    """Semicolons, decimal commas with points between thousands, Windows letters, days first."""
    (tmp_path / "Bestellungen.csv").write_bytes(GERMAN.encode("cp1252"))
    source, _, _ = proposed(tmp_path / "Bestellungen.csv")
    table = only_events(source)
    assert (table.format.delimiter, table.format.encoding, table.format.decimal) == (";", "cp1252", ",")
    assert (table.customer, table.ref, table.amount, table.country) == ("Kundennr", "Bestellnr", "Betrag", "Land")
    assert (table.time.column, table.time.format) == ("Bestelldatum", "%d.%m.%Y")
    assert (source.timezone, source.currency) == ("Europe/Berlin", "EUR")


def test_lines_above_the_table_are_skipped(tmp_path: Path) -> None:
    """A title, a blank line and a note above the header are no rows."""
    head = "Umsatzliste 2023, Stand: heute\r\n\r\nnur intern; nicht weitergeben\r\n"
    (tmp_path / "umsatz.csv").write_bytes((head + GERMAN).encode("cp1252"))
    table = only_events(proposed(tmp_path / "umsatz.csv")[0])
    assert (table.format.skip, table.format.header, table.customer) == (3, True, "Kundennr")


def test_a_file_without_header_gets_names(tmp_path: Path) -> None:
    """Tabs and no header: the columns are named by what they hold, and that is marked as unsure."""
    rows = "".join(
        f"{1000 + i % 50}\t2023-{1 + i % 12:02d}-{1 + i % 28:02d}\t{i % 97}.{i % 90 + 10}\n" for i in range(400)
    )
    (tmp_path / "log.tsv").write_text(rows)
    source, _, doubts = proposed(tmp_path / "log.tsv")
    table = only_events(source)
    assert table.format.columns == ("customer", "date", "amount") and not table.format.header
    assert any("customer" in doubt for doubt in doubts)


def workbook(path: Path, rows: list[list[object]]) -> None:
    """A minimal workbook of one sheet; days are numbers with a date style, as spreadsheets keep them."""

    def cell(value: object) -> str:
        if isinstance(value, date):
            return f'<c s="1"><v>{(value - date(1899, 12, 30)).days}</v></c>'
        if isinstance(value, float | int):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packed = "http://schemas.openxmlformats.org/package/2006"
    sheet = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{packed}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{kinds}.styles+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{packed}/relationships"><Relationship Id="r1" '
        f'Type="{links}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{links}"><sheets>'
        '<sheet name="Orders" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{packed}/relationships"><Relationship Id="r1" '
        f'Type="{links}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="{links}/styles" '
        'Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
        "</styleSheet>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    with ZipFile(path, "w") as file:
        for name, text in parts.items():
            file.writestr(name, text)


def test_an_american_workbook_reads_with_its_dates(tmp_path: Path) -> None:
    """Dates that are dates in Excel need no format; a dollar sign in the header is the currency."""
    first = date(2024, 1, 1)
    rows: list[list[object]] = [
        [f"C{i % 30:03d}", first + timedelta(days=i), 7000 + i, i % 4 + 1, 9.5 + i % 7] for i in range(200)
    ]
    workbook(tmp_path / "orders.xlsx", [["Client", "Order Date", "Order #", "Qty", "Unit Price ($)"], *rows])
    source, _, _ = proposed(tmp_path / "orders.xlsx")
    table = only_events(source)
    assert (table.format.type, table.time.column, table.time.format) == ("excel", "Order Date", None)
    assert table.amount is not None and not isinstance(table.amount, str)
    assert table.amount.multiply == ("Qty", "Unit Price ($)")
    assert (table.customer, table.ref, source.currency) == ("Client", "Order #", "USD")


def test_titles_above_a_sheets_table_are_skipped(tmp_path: Path) -> None:
    """As reports are often exported: a title, an empty row, then the table; ingest reads the rows below."""
    rows: list[list[object]] = [
        [f"C{i % 30:03d}", date(2024, 1, 1) + timedelta(days=i), 9.5 + i % 7] for i in range(200)
    ]
    head: list[list[object]] = [["Sales report", "", ""], ["", "", ""], ["Client", "Order Date", "Total"]]
    workbook(tmp_path / "report.xlsx", [*head, *rows])
    source, _, _ = proposed(tmp_path / "report.xlsx")
    written = only_events(source).format
    assert sum(block.cells.num_rows for block in read_blocks(tmp_path / "report.xlsx", written)) == 200
    assert only_events(source).customer == "Client"


def test_one_damaged_line_does_not_change_the_encoding(tmp_path: Path) -> None:
    """A file of UTF-8 stays one although a line of it was cut."""
    text = orders(lambda t: f"{t:%Y-%m-%d}").replace(",2022", "ä,2022").encode()
    (tmp_path / "o.csv").write_bytes(text + b"c\xff9,2022-10-01,999,1.00\n")
    assert sniff(tmp_path / "o.csv").format.encoding == "utf-8"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\n", "a PDF document"),
        (b"", "an empty file"),
        (b"\n\n  \n", "an empty file"),
        (bytes(range(256)) * 50, "a binary file"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "a picture"),
        (b"<!DOCTYPE html><html><body>Please log in</body></html>", "a web page or XML"),
        (b'{"orders": [{"id": 1}]}', "JSON"),
        (b"Dear all,\nplease find the numbers attached.\nRegards\n", "no lines of cells, as many in each"),
        (gzip.compress(b"a;b\n1;2\n" * 90000)[:-200], "a damaged gzip file"),
        (b"PK\x03\x04 no workbook", "no workbook that can be read"),
    ],
)
def test_what_is_no_table_is_refused_by_its_name(tmp_path: Path, content: bytes, found: str) -> None:
    """The letter says what the file is, and never ends in a traceback."""
    (tmp_path / "file.csv").write_bytes(content)
    with pytest.raises(InputError, match=found):
        proposed(tmp_path / "file.csv")


def test_a_table_without_customers_or_times_is_refused_with_a_reason(tmp_path: Path) -> None:
    """What is missing is named, and where such data belong."""
    (tmp_path / "prices.csv").write_text("product,price\n" + "".join(f"P{i},{i}.50\n" for i in range(50)))
    with pytest.raises(InputError, match="no table of events"):
        proposed(tmp_path / "prices.csv")


def orders(times: Callable[[datetime], str], header: str = "customer_id,ordered_at,order_id,total") -> str:
    """Three hundred orders, with their times written in one way."""
    start = datetime(2022, 1, 3, 9, 30, tzinfo=UTC)
    lines = (f"c{i % 60},{times(start + timedelta(days=i, minutes=i))},{i},{i % 50}.99" for i in range(300))
    return "\n".join([header, *lines, ""])


@pytest.mark.parametrize(
    ("times", "form"),
    [
        (lambda t: f"{t:%Y-%m-%d %H:%M:%S}", None),
        (lambda t: t.isoformat(), None),
        (lambda t: f"{t:%Y%m%d}", "%Y%m%d"),
        (lambda t: f"{t:%y%m%d}", "%y%m%d"),
        (lambda t: f"{t:%d/%m/%Y %H:%M}", "%d/%m/%Y %H:%M"),
        (lambda t: f"{t:%m/%d/%y}", "%m/%d/%y"),
        (lambda t: f"{t.month}/{t.day}/{t.year}", "%m/%d/%Y"),
        (lambda t: f"{t:%d.%m.%y}", "%d.%m.%y"),
        (lambda t: f"{t:%d-%b-%Y}", "%d-%b-%Y"),
        (lambda t: f"{t:%Y/%m/%d %I:%M %p}", "%Y/%m/%d %I:%M %p"),
        (lambda t: str(int(t.timestamp())), "epoch"),
        (lambda t: str(int(t.timestamp() * 1000)), "epoch_ms"),
        (lambda t: str((t.date() - date(1899, 12, 30)).days), "excel"),
    ],
)
def test_times_are_read_in_the_way_they_are_written(
    tmp_path: Path, times: Callable[[datetime], str], form: str | None
) -> None:
    """Day first or month first is told by days after the twelfth."""
    (tmp_path / "orders.csv").write_text(orders(times))
    source, _, doubts = proposed(tmp_path / "orders.csv")
    assert only_events(source).time.format == form
    assert not any("time:" in doubt and "tells" in doubt for doubt in doubts)


def test_days_that_tell_nothing_are_marked_unsure(tmp_path: Path) -> None:
    """No day is after the twelfth: the proposal takes one reading and says which is the other."""
    (tmp_path / "orders.csv").write_text(orders(lambda t: f"{t.day % 12 + 1:02d}/{t.month:02d}/{t.year}"))
    _, _, doubts = proposed(tmp_path / "orders.csv")
    assert any("%d/%m/%Y" in doubt and "%m/%d/%Y" in doubt for doubt in doubts)


def test_a_date_and_a_clock_in_two_columns_are_one_time(tmp_path: Path) -> None:
    """The format covers both, with the blank that ingest puts between them."""
    head = "customer_id,date,time,order_id,total"
    (tmp_path / "orders.csv").write_text(orders(lambda t: f"{t:%d.%m.%Y,%H:%M:%S}", head))
    time = only_events(proposed(tmp_path / "orders.csv")[0]).time
    assert (time.column, time.clock, time.format) == ("date", "time", "%d.%m.%Y %H:%M:%S")


def test_daily_files_of_a_folder_are_one_table(tmp_path: Path) -> None:
    """The folder is named, so that tomorrow's file belongs to it, too."""
    (tmp_path / "daily").mkdir()
    head, *lines = orders(lambda t: f"{t:%Y-%m-%d}").splitlines()
    for i in range(10):
        text = "\n".join([head, *lines[i * 30 : i * 30 + 30], ""])
        (tmp_path / "daily" / f"2022-{i:02d}.csv").write_text(text)
    table = only_events(proposed(tmp_path / "daily")[0])
    assert table.files == ("daily/",) and table.name == "daily"


def test_files_of_one_kind_are_one_table_in_the_order_of_their_days(tmp_path: Path) -> None:
    """Names do not tell which file is the older one; their days do."""
    head, *lines = orders(lambda t: f"{t:%Y-%m-%d}").splitlines()
    (tmp_path / "b.csv").write_text("\n".join([head, *lines[:150], ""]))
    (tmp_path / "a.csv").write_text("\n".join([head, *lines[150:], ""]))
    assert only_events(proposed(tmp_path / "a.csv", tmp_path / "b.csv")[0]).files == ("b.csv", "a.csv")


def test_what_is_private_goes_to_the_vault_and_outcomes_stay_outside(tmp_path: Path) -> None:
    """Birth, sex and nationality are private, names and mails identity, an opt-out a consent, a label nothing."""
    (tmp_path / "orders.csv").write_text(orders(lambda t: f"{t:%Y-%m-%d}"))
    people = "customer_id,full_name,e_mail,birth_date,gender,industry,newsletter,churned,since\n" + "".join(
        f"c{i},Person {i},p{i}@example.org,{1950 + i % 50}-02-03,{'fm'[i % 2]},{['trade', 'craft'][i % 2]},"
        f"{['yes', 'no'][i % 3 == 0]},{i % 2},2021-01-{i % 28 + 1:02d}\n"
        for i in range(60)
    )
    (tmp_path / "customers.csv").write_text(people)
    source, text, _ = proposed(tmp_path / "orders.csv", tmp_path / "customers.csv")
    table = next(each for each in source.tables if each.gives == "customers")
    assert {name: a.family for name, a in table.attributes.items()} == {
        "birth_date": "private", "gender": "private", "industry": "occupational",
    }  # fmt: skip
    assert table.identity == {"name": "full_name", "email": "e_mail", "birth_date": "birth_date"}
    assert table.no_marketing is not None and table.no_marketing.any_of == ("no",)
    assert table.signed_up is not None and table.signed_up.column == "since"
    assert "Person" not in text and "example.org" not in text


def test_an_orders_total_on_each_of_its_lines_is_not_summed(tmp_path: Path) -> None:
    """Where lines repeat their order's total, the amount is quantity times price."""
    lines = ["order_id,customer_id,order_date,sku,quantity,price,order_total"]
    for order in range(60):
        cells = [(f"S{k}", k + 1, 3.5 + order % 7) for k in range(3)]
        total = sum(quantity * price for _, quantity, price in cells)
        lines += [
            f"{order},c{order % 20},2023-01-{order % 28 + 1:02d},{s},{q},{p:.2f},{total:.2f}" for s, q, p in cells
        ]
    (tmp_path / "lines.csv").write_text("\n".join([*lines, ""]))
    amount = only_events(proposed(tmp_path / "lines.csv")[0]).amount
    assert amount is not None and not isinstance(amount, str) and amount.multiply == ("quantity", "price")


def test_positive_amounts_that_are_given_back_get_a_table_of_their_own(tmp_path: Path) -> None:
    """A type says what is a refund, its amount has no sign: the same file is read twice, once with the sign turned."""
    rows = [
        f"c{i % 30},2023-01-{i % 28 + 1:02d},{i},{'refund' if i % 9 == 0 else 'sale'},{i % 40 + 1}.00"
        for i in range(200)
    ]
    (tmp_path / "sales.csv").write_text("\n".join(["customer,date,receipt,type,amount", *rows, ""]))
    sales, refunds = proposed(tmp_path / "sales.csv")[0].tables
    assert isinstance(sales, EventTable) and isinstance(refunds, EventTable)
    assert (sales.kind, sales.drop[0].when["type"].any_of) == ("purchase", ("refund",))
    assert (refunds.kind, refunds.negative, refunds.require[0].that["type"].any_of) == (
        "return",
        ("amount",),
        ("refund",),
    )


def table_of(folder: Path, name: str, header: str, rows: Sequence[str]) -> Source:
    """The proposal for one CSV file."""
    (folder / f"{name}.csv").write_text("\n".join([header, *rows, ""]))
    return proposed(folder / f"{name}.csv")[0]


def test_an_account_statement_gives_what_came_in_and_what_went_out(tmp_path: Path) -> None:
    """Signed amounts beside a balance are a bank's, not a shop's; what goes out becomes positive."""
    rows = [f"{44000000 + i % 30},2023-01-{i % 28 + 1:02d},{(-1) ** i * (i % 90 + 1)}.50,{i}.10" for i in range(200)]
    into, out = table_of(tmp_path, "statement", "AccountNumber,PostingDate,Amount,Balance", rows).tables
    assert isinstance(into, EventTable) and isinstance(out, EventTable)
    assert (into.kind, into.negative, into.drop[0].when["Amount"].below) == ("transfer_in", (), 0)
    assert (out.kind, out.negative, out.require[0].that["Amount"].below) == ("transfer_out", ("amount",), 0)


def test_a_log_of_many_kinds_keeps_the_known_ones(tmp_path: Path) -> None:
    """A view is no purchase; what a code stands for that we do not know is left out, and asked."""
    codes = ("view", "view", "cart", "purchase")
    rows = [f"2023-01-{i % 28 + 1:02d} 10:00:00 UTC,{codes[i % 4]},{i % 30},{i % 9}.10,{i % 50}" for i in range(400)]
    table = only_events(table_of(tmp_path, "log", "event_time,event_type,product_id,price,user_id", rows))
    assert [(rule.is_, rule.when and rule.when["event_type"].any_of) for rule in table.kind_rules] == [
        ("purchase", ("purchase",)),
        ("visit", None),
    ]
    assert table.drop[0].when["event_type"].any_of == ("cart",)
    assert table.time.format == "%Y-%m-%d %H:%M:%S %Z"


def test_cancelled_orders_are_no_sales(tmp_path: Path) -> None:
    """By an order's status, not by what it is called."""
    rows = [
        f"{i},{i % 40},{'canceled' if i % 11 == 0 else 'delivered'},2023-01-{i % 28 + 1:02d},{i}.5" for i in range(200)
    ]
    table = only_events(table_of(tmp_path, "orders", "order_id,customer_id,order_status,order_date,value", rows))
    assert (table.kind, table.drop[0].when["order_status"].any_of) == ("purchase", ("canceled",))


def test_without_an_id_the_mail_address_is_the_customer(tmp_path: Path) -> None:
    """It becomes a pseudonym like any id; that it stands in for one is said."""
    rows = [f"#{i},p{i % 40}@example.org,2023-01-{i % 28 + 1:02d} 10:00:00 +0000,{i % 40}.5" for i in range(200)]
    (tmp_path / "orders.csv").write_text("\n".join(["Name,Email,Created at,Total", *rows, ""]))
    source, _, doubts = proposed(tmp_path / "orders.csv")
    assert only_events(source).customer == "Email" and any("is this the customer?" in doubt for doubt in doubts)
    assert only_events(source).time.format == "%Y-%m-%d %H:%M:%S %z"


COLUMN = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30).filter(lambda name: name.strip())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(COLUMN, min_size=4, max_size=4, unique_by=str.strip))
def test_whatever_columns_are_called_the_file_names_them_the_same(names: list[str]) -> None:
    """Quotes, colons, newlines and signs of any language survive YAML."""
    days = [f"2023-01-{i % 28 + 1:02d}" for i in range(90)]
    cells = [[f"k{i % 30}" for i in range(90)], days, [f"o{i}" for i in range(90)], [f"{i % 40}.25" for i in range(90)]]
    keys = [f"{name}{end}" for name, end in zip(names, (" customer", " date", " order no", " amount"), strict=True)]
    table = pa.table(dict(zip(keys, cells, strict=True)))
    proposal = propose("my", [look("t", ("t.csv",), Sniffed(Format(columns=tuple(keys)), ""), table)])
    found = only_events(read_config(Source, source_text(proposal, ["t.csv"]), "proposal"))
    assert found.format.columns == tuple(keys)
    assert {found.customer, found.time.column, found.ref, found.amount} <= {*keys, None}


CELL = st.sampled_from(
    ["", " ", "1", "0", "-1", "1,5", "1.5", "€ 3", "(2.00)", "2023-01-02", "01/02/2023", "12:30", "1e9", "1700000000",
     "c1", "c2", "a@b.de", "yes", "no", "refund", "credit", "debit", "NaN", "x" * 300, "ä", "中",
     "\u2028", "\x0b", '"', "'"]
)  # fmt: skip
NAME = st.sampled_from(
    ["customer", "date", "amount", "qty", "price", "type", "status", "id", "order", "due date", "paid", "account",
     "from", "to", "step", "currency", "email", "birth", "newsletter", "balance", "country", "sku", "", "x", "date"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_table_is_too_strange_for_an_answer(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever stands in the cells, there is a source file that loads, or a letter."""
    width = data.draw(st.integers(1, 7))
    row = st.lists(CELL, min_size=width, max_size=width)
    rows = [data.draw(st.lists(NAME, min_size=width, max_size=width)), *data.draw(st.lists(row, max_size=25))]
    sign = data.draw(st.sampled_from([",", ";", "\t", " "]))
    path = tmp_path_factory.mktemp("strange") / "t.csv"
    path.write_bytes("\n".join(map(sign.join, rows)).encode(data.draw(st.sampled_from(["utf-8", "utf-16", "gb18030"]))))
    with contextlib.suppress(InputError):
        proposed(path)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=2_000))
def test_no_bytes_are_too_strange_for_an_answer(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any bytes are a table or a letter."""
    path = tmp_path_factory.mktemp("bytes") / "t"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        proposed(path)


def test_a_header_with_empty_names_gets_names_of_its_own(tmp_path: Path) -> None:
    """As data frames are often written: the first column is the row number, and has no name."""
    head, *lines = orders(lambda t: f"{t:%Y-%m-%d}").splitlines()
    (tmp_path / "o.csv").write_text("\n".join(["," + head, *(f"{i},{line}" for i, line in enumerate(lines)), ""]))
    written = only_events(proposed(tmp_path / "o.csv")[0]).format
    assert written.header and written.columns[0] == "column_1" and written.columns[1] == "customer_id"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "cp1251", "gb18030"])
def test_encodings_are_told_by_the_bytes(tmp_path: Path, encoding: str) -> None:
    """What is read back is what was written."""
    words = {"cp1251": "Покупатель из Москвы", "gb18030": "上海的客户购买商品"}.get(encoding, "Größe café")
    text = orders(lambda t: f"{t:%Y-%m-%d}", "customer_id,ordered_at,order_id,total")
    head, *lines = text.splitlines()
    written = "\n".join([f"{head},note", *(f"{line},{words} {i}" for i, line in enumerate(lines)), ""])
    (tmp_path / "o.csv").write_bytes(written.encode(encoding))
    found = sniff(tmp_path / "o.csv").format
    assert written.encode(encoding).decode(found.encoding).removeprefix("\ufeff") == written


def test_a_table_of_a_database_is_proposed_like_a_file(postgres_url: str) -> None:  # noqa: F811
    """The same columns, the same meaning; the URL has no password."""
    with psycopg.connect(postgres_url) as db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS shop_orders (order_id bigint, customer_id text, ordered_at timestamptz, "
            "quantity int, unit_price numeric(10, 2))"
        )
        db.execute(
            "INSERT INTO shop_orders SELECT i, 'c' || i % 40, timestamptz '2023-01-01' + i * interval '7 hours', "
            "i % 5 + 1, 2.5 + i % 9 FROM generate_series(1, 500) i"
        )
    proposal = propose("shop", [look_at_database(Database(url=postgres_url, table="public.shop_orders"))])
    table = only_events(read_config(Source, source_text(proposal, ["public.shop_orders"]), "proposal"))
    assert table.database is not None and table.database.table == "public.shop_orders" and not table.files
    assert (table.customer, table.time.column, table.ref) == ("customer_id", "ordered_at", "order_id")
    assert table.amount is not None and not isinstance(table.amount, str)
    assert table.amount.multiply == ("quantity", "unit_price")
