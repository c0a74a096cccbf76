"""The batch driver: one table, whatever the order, the blocks, the threads or the form of what it reads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import features.batch
import features.parts
from features.batch import feature_table, matrix, row_schema, write_features
from features.calendar import START, clock, local_time
from features.calendar import zone as rules
from features.catalogue import CATALOGUE, NAMES
from features.errors import InputError
from features.online import Event
from features.pack import local_days, pack_ids
from features.spec import COUNTING, Feature
from features.tables.events import CUSTOMERS, EVENTS
from tests.features.reference import reference_row
from tests.features.test_sql import generated
from tests.histories import AS_OF, COMPANY, customer, histories, write_tables

AS_OFS = [date(2020, 7, 4), AS_OF, date(2021, 12, 30)]
TEXTS = [field.name for field in EVENTS if field.type == pa.string()]
ZONES = ["America/New_York", "Asia/Kolkata", "America/St_Johns", "Africa/Casablanca"]
FIRST, LAST = datetime(1950, 1, 1, tzinfo=START.tzinfo), datetime(2037, 12, 31, tzinfo=START.tzinfo)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def random_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of 60 random customers. Tests only read them."""
    folder = tmp_path_factory.mktemp("random")
    write_tables(folder, generated(60, 60))
    return folder


@pytest.fixture(scope="module")
def events(random_tables: Path) -> pa.Table:
    """Their events."""
    return pq.read_table(random_tables / "events.parquet")


@pytest.fixture(scope="module")
def wanted(random_tables: Path) -> pa.Table:
    """Their feature rows, of one block in memory."""
    return rows_of(random_tables)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes what the driver reads, keeps and hands on at once small; nothing stays in memory if `spilling`."""

    def make(rows_per_block: int, rows_per_batch: int, values_at_once: int, spilling: bool) -> None:
        monkeypatch.setattr(features.parts, "ROWS_PER_BLOCK", rows_per_block)
        monkeypatch.setattr(features.parts, "ROWS_PER_BATCH", rows_per_batch)
        monkeypatch.setattr(features.batch, "VALUES_AT_ONCE", values_at_once)
        if spilling:
            monkeypatch.setattr(features.parts, "BYTES_IN_MEMORY", 0)

    return make


@pytest.fixture
def spill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "spill"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def rows_of(tables: Path, as_ofs: Sequence[date] = AS_OFS, threads: int = 1) -> pa.Table:
    return feature_table(tables, COMPANY, CATALOGUE, as_ofs, threads=threads)


def put(folder: Path, events: pa.Table, customers: pa.Table | None = None, **options: object) -> Path:
    """Tables of these events and attributes."""
    pq.write_table(events, folder / "events.parquet", **options)
    pq.write_table(CUSTOMERS.empty_table() if customers is None else customers, folder / "customers.parquet")
    return folder


def same_bits(a: pa.Table, b: pa.Table) -> bool:
    """The same columns, customers, dates and nulls, and the same bits of every value."""
    bits_a, bits_b = (matrix(table, NAMES).view(np.uint64) for table in (a, b))
    nulls_a, nulls_b = ([column.null_count for column in table.columns] for table in (a, b))
    keys = ["customer_id", "as_of"]
    alike = a.schema.equals(b.schema) and a.select(keys).equals(b.select(keys)) and nulls_a == nulls_b
    return alike and np.array_equal(bits_a, bits_b)


def replaced(events: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The table with another column in the place of the one of that name."""
    return events.set_column(events.schema.get_field_index(name), name, column)


def with_value(events: pa.Table, name: str, at: int, value: object) -> pa.Table:
    """The table with one value changed."""
    values = events[name].to_pylist()
    values[at] = value
    return replaced(events, name, pa.array(values, events.schema.field(name).type))


@pytest.mark.parametrize("row_group_size", [7, 100, 100_000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_order_changes_nothing(
    seed: int, row_group_size: int, events: pa.Table, wanted: pa.Table, tmp_path: Path
) -> None:
    """Rows in any order, in row groups of any size, give the same bits."""
    order = np.random.default_rng(seed).permutation(events.num_rows)
    put(tmp_path, events.take(pa.array(order)), row_group_size=row_group_size)
    assert same_bits(rows_of(tmp_path, threads=2), wanted)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("spilling", [False, True], ids=["in memory", "on disk"])
@pytest.mark.parametrize("sizes", [(1_000_000, 131_072, 4_000_000), (40, 30, 1), (300, 1_000, 2_000)])
def test_blocks_threads_and_spilling_change_nothing(
    sizes: tuple[int, int, int],
    spilling: bool,
    threads: int,
    events: pa.Table,
    wanted: pa.Table,
    small: Callable[..., None],
    spill: Path,
    tmp_path: Path,
) -> None:
    """One block or many, in memory or on disk, one thread or more: the same bits, and no file is left."""
    put(tmp_path, events, row_group_size=50)
    small(*sizes, spilling)
    spilled = []

    def look(*_: object) -> None:
        spilled.append(any(path.is_file() for path in spill.rglob("*")))

    got = feature_table(tmp_path, COMPANY, CATALOGUE, AS_OFS, look, threads)
    assert same_bits(got, wanted)
    assert any(spilled) == spilling
    assert not list(spill.iterdir())


@pytest.mark.parametrize("rows_per_block", [40, 1_000_000])
def test_written_rows_are_those_of_the_table(
    rows_per_block: int, random_tables: Path, wanted: pa.Table, small: Callable[..., None], spill: Path, tmp_path: Path
) -> None:
    """The files of `write_features`, in the order of their names, hold the rows of `feature_table`."""
    small(rows_per_block, 100, 1_000, spilling=True)
    write_features(random_tables, COMPANY, CATALOGUE, AS_OFS, tmp_path / "out", threads=3)
    files = sorted((tmp_path / "out").iterdir())
    assert (len(files) > 10) == (rows_per_block == 40)
    assert same_bits(pa.concat_tables(map(pq.read_table, files)), wanted)
    assert not list(spill.iterdir())


def test_a_failed_run_leaves_no_file(events: pa.Table, small: Callable[..., None], spill: Path, tmp_path: Path) -> None:
    """Nor does one that fails after it put rows on disk."""
    put(tmp_path, with_value(events, "kind", -1, "unknown"), row_group_size=50)
    small(40, 30, 1, spilling=True)
    with pytest.raises(InputError):
        rows_of(tmp_path)
    assert not list(spill.iterdir())


def test_rows_are_sorted_and_each_is_there_once(wanted: pa.Table) -> None:
    """By customer, then date; with the columns of `row_schema`."""
    keys = list(zip(wanted["customer_id"].to_pylist(), wanted["as_of"].to_pylist(), strict=True))
    assert keys == sorted(set(keys))
    assert {as_of for _, as_of in keys} == set(AS_OFS)
    assert wanted.schema == row_schema(CATALOGUE)


def test_dates_in_any_order_or_repeated_change_nothing(random_tables: Path, wanted: pa.Table) -> None:
    """The dates are a set."""
    for as_ofs in (AS_OFS[::-1], [*AS_OFS, *AS_OFS[:2]], [AS_OFS[1], AS_OFS[0], AS_OFS[2], AS_OFS[1]]):
        assert same_bits(rows_of(random_tables, as_ofs), wanted)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, max_examples=60)
@given(
    st.lists(histories(), min_size=1, max_size=6),
    st.lists(st.integers(0, 900) | st.integers(400, 410), min_size=2, max_size=6, unique=True),
)
def test_many_dates_in_one_pass_are_each_date_alone(base: list[list[Event]], days: list[int]) -> None:
    """What a pass keeps from one date to the next leaves no trace."""
    as_ofs = [date(2020, 1, 1) + timedelta(days=day) for day in days]
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder), base)
        together = rows_of(Path(folder), as_ofs)
        for as_of in as_ofs:
            assert same_bits(together.filter(pc.equal(together["as_of"], as_of)), rows_of(Path(folder), [as_of]))


def attribute(who: str, valid_from: date | None) -> dict[str, object]:
    return {"customer_id": who, "attribute": "city", "value": "x", "valid_from": valid_from, "family": "social"}


def test_a_customer_without_events_is_known_from_the_day_after_an_attribute(tmp_path: Path) -> None:
    """Without a day it is known since ever; of several days the first counts."""
    attributes = [
        attribute(customer(1), None),
        attribute(customer(2), AS_OF - timedelta(days=1)),
        attribute(customer(3), AS_OF),
        attribute(customer(4), AS_OF + timedelta(days=100)),
        attribute(customer(4), AS_OF + timedelta(days=1)),
    ]
    put(tmp_path, EVENTS.empty_table(), pa.Table.from_pylist(attributes, CUSTOMERS))
    table = rows_of(tmp_path, [AS_OF + timedelta(days=day) for day in range(4)])
    found = set(zip(table["customer_id"].to_pylist(), table["as_of"].to_pylist(), strict=True))
    after = {1: 0, 2: 0, 3: 1, 4: 2}
    assert found == {(customer(i), AS_OF + timedelta(days=day)) for i in after for day in range(after[i], 4)}


def test_an_attribute_without_a_day_is_valid_since_ever(tmp_path: Path) -> None:
    """Also when another attribute of the customer has a day."""
    attributes = [attribute(customer(1), AS_OF + timedelta(days=100)), attribute(customer(1), None)]
    put(tmp_path, EVENTS.empty_table(), pa.Table.from_pylist(attributes, CUSTOMERS))
    assert rows_of(tmp_path, [AS_OF])["customer_id"].to_pylist() == [customer(1)]


def test_a_customer_without_events_has_counts_of_zero(tmp_path: Path) -> None:
    """Counts are 0, other features what their definition says of no event: mostly null."""
    put(tmp_path, EVENTS.empty_table(), pa.Table.from_pylist([attribute(customer(1), None)], CUSTOMERS))
    got = dict(zip(NAMES, matrix(rows_of(tmp_path, [AS_OF]), NAMES)[0], strict=True))
    for feature in CATALOGUE:
        if isinstance(feature, Feature):
            nothing = 0 if feature.op in COUNTING else np.nan if feature.empty is None else feature.empty
            assert np.array_equal(got[feature.name], nothing, equal_nan=True), feature.name
    for name, value in reference_row(CATALOGUE, [], AS_OF).items():
        assert np.array_equal(got[name], value, equal_nan=True), name


def test_attributes_change_no_row_of_customers_with_events(
    events: pa.Table, wanted: pa.Table, small: Callable[..., None], tmp_path: Path
) -> None:
    """They add the rows of dates before the first event, and customers of their own, at their place in the order."""
    attributes = [attribute(customer(i), date(2019, 1, 1) if i % 2 else None) for i in range(50, 70)]
    put(tmp_path, events, pa.Table.from_pylist(attributes, CUSTOMERS))
    small(100, 50, 10_000, spilling=False)
    got = rows_of(tmp_path)
    keys = list(zip(got["customer_id"].to_pylist(), got["as_of"].to_pylist(), strict=True))
    before = set(zip(wanted["customer_id"].to_pylist(), wanted["as_of"].to_pylist(), strict=True))
    assert keys == sorted(before | {(customer(i), as_of) for i in range(50, 70) for as_of in AS_OFS})
    assert same_bits(got.filter(pa.array([key in before for key in keys])), wanted)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_empty_event_table_gives_no_rows(threads: int, tmp_path: Path) -> None:
    """But the columns, in memory and in the file."""
    put(tmp_path, EVENTS.empty_table())
    assert rows_of(tmp_path, threads=threads).equals(row_schema(CATALOGUE).empty_table())
    write_features(tmp_path, COMPANY, CATALOGUE, AS_OFS, tmp_path / "out", threads=threads)
    assert [pq.read_table(file) for file in (tmp_path / "out").iterdir()] == [row_schema(CATALOGUE).empty_table()]


def refused(tables: Path) -> str:
    """The message that refuses damaged tables."""
    with pytest.raises(InputError) as error:
        rows_of(tables)
    return error.value.letter()


@pytest.mark.parametrize("kept", [0, 3, 100, 0.5, 0.99])
def test_a_truncated_event_table_is_refused(kept: float, events: pa.Table, tmp_path: Path) -> None:
    """Wherever it ends."""
    path = put(tmp_path, events) / "events.parquet"
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    refused(tmp_path)


@pytest.mark.parametrize("name", ["customer_id", "day", "known_at", "kind", "amount", "item"])
@pytest.mark.parametrize("compression", ["snappy", "zstd"])
def test_an_event_table_with_a_damaged_page_is_refused(
    compression: str, name: str, events: pa.Table, tmp_path: Path
) -> None:
    """Its end is whole, so that only reading a column finds the damage."""
    path = put(tmp_path, events, compression=compression) / "events.parquet"
    about = pq.read_metadata(path).row_group(0).column(events.schema.get_field_index(name))
    content = bytearray(path.read_bytes())
    begin = about.dictionary_page_offset or about.data_page_offset
    content[begin : begin + about.total_compressed_size] = b"\xff" * about.total_compressed_size
    path.write_bytes(content)
    refused(tmp_path)


def test_a_refusal_names_the_event_table(events: pa.Table, tmp_path: Path) -> None:
    """The file, so that it can be found, whether its end, a column or a value is wrong."""
    path = put(tmp_path, events) / "events.parquet"
    path.write_bytes(path.read_bytes()[:1000])
    assert str(path) in refused(tmp_path)
    put(tmp_path, events.drop_columns(["ref"]))
    assert str(path) in refused(tmp_path)
    put(tmp_path, with_value(events, "day", 3, date.max))
    assert str(path) in refused(tmp_path)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    """Such as a text."""
    path = put(tmp_path, EVENTS.empty_table()) / "events.parquet"
    path.write_text("customer_id,day\n" * 100)
    refused(tmp_path)


@pytest.mark.parametrize("name", sorted({*EVENTS.names} - {"event_id", "hour", "code", "merged_from"}))
def test_an_event_table_without_a_column_is_refused(name: str, events: pa.Table, tmp_path: Path) -> None:
    """Each column that a feature asks for, by its name."""
    put(tmp_path, events.drop_columns([name]))
    assert name in refused(tmp_path)


@pytest.mark.parametrize("form", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
@pytest.mark.parametrize("at", [0, 500, -1])
@pytest.mark.parametrize(
    "who",
    ["9E3779B97F4A7C15F39CC0605CEDC834", "9" * 31, "9" * 33, "", None, " " * 32],
    ids=["uppercase", "31 digits", "33 digits", "empty", "null", "blank"],
)
def test_a_customer_that_is_no_pseudonym_is_refused(
    who: str | None, at: int, form: pa.DataType, events: pa.Table, tmp_path: Path
) -> None:
    """Wherever it stands, however texts are kept."""
    names = events["customer_id"].to_pylist()
    names[at] = who
    put(tmp_path, replaced(events, "customer_id", _in_form(pa.array(names), form)))
    refused(tmp_path)


def test_a_sign_that_is_no_digit_is_refused(tmp_path: Path) -> None:
    """Any sign, at any place of an eighth: else two customers could be taken for one."""
    for at in range(24, 32):
        digits = ["0"] * 32
        taken = []
        for sign in map(chr, range(1, 128)):
            digits[at] = sign
            try:
                pack_ids(pa.array(["0" * 32, "".join(digits)]))
                taken.append(sign)
            except ValueError:
                continue
        assert "".join(taken) == "0123456789abcdef"


@pytest.mark.parametrize("form", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
@pytest.mark.parametrize("kind", ["unknown", "", "Purchase", None])
def test_an_unknown_kind_is_refused(kind: str | None, form: pa.DataType, events: pa.Table, tmp_path: Path) -> None:
    """However texts are kept."""
    kinds = events["kind"].to_pylist()
    kinds[-1] = kind
    put(tmp_path, replaced(events, "kind", _in_form(pa.array(kinds), form)))
    refused(tmp_path)


@pytest.mark.parametrize("day", [date.min, date(1899, 12, 31), date(2200, 1, 1), date.max, None], ids=str)
def test_a_day_outside_the_calendar_is_refused(day: date | None, events: pa.Table, tmp_path: Path) -> None:
    """Before 1900, after 2199, or none."""
    put(tmp_path, with_value(events, "day", 3, day))
    refused(tmp_path)


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(2199, 12, 31)], ids=str)
def test_the_first_and_the_last_day_of_the_calendar_are_read(day: date, events: pa.Table, tmp_path: Path) -> None:
    """An event of the first is seen, one of the last lies ahead."""
    put(tmp_path, with_value(with_value(events.slice(0, 1), "day", 0, day), "known_until", 0, None))
    assert rows_of(tmp_path, [date(2199, 12, 31)]).num_rows == (day.year == 1900)


@pytest.mark.parametrize("use_dictionary", [False, True, ["ref", "item"]], ids=["plain", "coded", "some coded"])
@pytest.mark.parametrize(
    "form",
    [
        pa.string(),
        pa.large_string(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int16(), pa.large_string()),
    ],
    ids=str,
)
def test_the_form_of_texts_changes_nothing(
    form: pa.DataType, use_dictionary: bool | list[str], events: pa.Table, wanted: pa.Table, tmp_path: Path
) -> None:
    """Plain or large strings, or dictionaries, coded in the file or not."""
    for name in TEXTS:
        if name != "event_id":
            events = replaced(events, name, _in_form(events[name].combine_chunks(), form))
    put(tmp_path, events, use_dictionary=use_dictionary, row_group_size=300)
    assert same_bits(rows_of(tmp_path, threads=2), wanted)


def _in_form(texts: pa.Array, form: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(form):
        coded = texts.dictionary_encode()
        return pa.DictionaryArray.from_arrays(
            coded.indices.cast(form.index_type), coded.dictionary.cast(form.value_type)
        )
    return texts.cast(form)


def instants(zone: str, count: int, seed: int = 1) -> list[datetime]:
    """Random instants of 1950 to 2037, and those around each change of a zone's clock."""
    random = Random(seed)
    span = (LAST - FIRST) // MICROSECOND
    chosen = [FIRST + random.randrange(span) * MICROSECOND for _ in range(count)]
    changes = [START + int(since) * MICROSECOND for since in clock(zone).since[1:]]
    steps = [timedelta(hours=hours, microseconds=step) for hours in (-24, -1, 0, 1, 24) for step in (-1, 0, 1)]
    around = [change + step for change in changes if FIRST <= change <= LAST for step in steps]
    return sorted(around) + chosen


def numbers(times: Sequence[datetime]) -> np.ndarray:
    return np.array([(time - START) // MICROSECOND for time in times], np.int64)


@pytest.mark.parametrize("zone", ZONES)
def test_the_clock_shows_what_the_time_zone_says(zone: str) -> None:
    """Local times and days of many instants, and of those where the clock changed, to the microsecond."""
    times, its = instants(zone, 20_000), rules(zone)
    local = [time.astimezone(its).replace(tzinfo=START.tzinfo) for time in times]
    assert np.array_equal(local_time(numbers(times), clock(zone)), numbers(local))
    days = [(time.date() - START.date()).days for time in local]
    assert np.array_equal(local_days(numbers(times), clock(zone)), days)


def shown_by_duckdb(zone: str, times: Sequence[datetime]) -> np.ndarray:
    """Local times, by the time zone database that ingest uses."""
    with duckdb.connect() as db:
        db.register("times", pa.table({"instant": pa.array(times, pa.timestamp("us", "UTC"))}))
        shown = db.sql(f"SELECT timezone('{zone}', instant) AS shown FROM times").to_arrow_table()["shown"]
    return shown.combine_chunks().view(pa.int64()).to_numpy()


@pytest.mark.parametrize("zone", ZONES)
def test_the_clock_shows_what_duckdb_says(zone: str) -> None:
    """Another implementation, with a time zone database of its own, of all that was law before 2026."""
    times = [time for time in instants(zone, 2_000) if time.year < 2026]
    assert np.array_equal(local_time(numbers(times), clock(zone)), shown_by_duckdb(zone, times))


@pytest.mark.parametrize("zone", ZONES)
def test_ingest_and_features_know_the_same_laws(zone: str) -> None:
    """From 2026 on: days made at ingest and days made of known_at must not come from databases of unlike age."""
    times = [time for time in instants(zone, 2_000) if time.year >= 2026]
    assert np.array_equal(local_time(numbers(times), clock(zone)), shown_by_duckdb(zone, times))


@pytest.mark.parametrize("zone", ZONES)
def test_an_event_is_visible_from_the_day_after_it_was_known(zone: str, tmp_path: Path) -> None:
    """By the company's own clock: known a moment before midnight it is seen the next day, at midnight a day later."""
    company = COMPANY.model_copy(update={"timezone": zone})
    midnight = datetime(2011, 6, 15, tzinfo=rules(zone))
    known = {customer(1): midnight - MICROSECOND, customer(2): midnight}
    rows = [
        {"event_id": who, "customer_id": who, "ts": at, "day": date(2011, 6, 1), "known_at": at, "kind": "purchase"}
        for who, at in known.items()
    ]
    put(tmp_path, pa.Table.from_pylist(rows, EVENTS))
    for as_of, seen in ((date(2011, 6, 14), []), (date(2011, 6, 15), [1]), (date(2011, 6, 16), [1, 2])):
        table = feature_table(tmp_path, company, CATALOGUE, [as_of])
        assert sorted(table["customer_id"].to_pylist()) == sorted(customer(i) for i in seen)
