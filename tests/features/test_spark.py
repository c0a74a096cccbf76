"""The Spark driver gives the rows of the batch driver, to the last bit, in whatever zone and however it cuts."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.batch import feature_table, matrix, row_schema
from features.catalogue import CATALOGUE, NAMES
from features.company import Company
from features.online import Event
from features.spark import _whole_customers, feature_frame
from features.tables.events import CUSTOMERS
from tests.conftest import Ran
from tests.histories import AS_OF, COMPANY, START, customer, events, write_tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DATES = (AS_OF, date(2020, 9, 15))
WITH_EVENTS, IN_ALL = 60, 70

relaxed = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@st.composite
def bases(draw: st.DrawFn) -> list[list[Event]]:
    """Customers who share events of a drawn pool: from none to most of it."""
    pool = draw(st.lists(events(), min_size=30, max_size=60))
    random = Random(draw(st.integers(0, 2**32)))
    return [random.sample(pool, random.choice([0, 1, 2, 5, 10, 25])) for _ in range(WITH_EVENTS)]


def write_base(folder: Path, base: Sequence[Sequence[Event]]) -> None:
    """The tables of `base`, and attributes of every other customer and of some without any event."""
    write_tables(folder, base)
    valid_from = [None, date(2019, 1, 1), date(2020, 9, 14), date(2020, 9, 15), date(2021, 6, 30), date(2021, 7, 1)]
    random = Random(len(base))
    rows = [
        {"customer_id": customer(i), "attribute": f"a{k}", "valid_from": random.choice(valid_from), "family": "social"}
        for i in range(0, IN_ALL, 2)
        for k in range(random.randint(1, 2))
    ]
    rows.append({"customer_id": customer(IN_ALL - 1), "attribute": "a", "valid_from": None, "family": "social"})
    pq.write_table(pa.Table.from_pylist(rows, CUSTOMERS), folder / "customers.parquet")


def read(session: SparkSession, folder: Path) -> tuple[DataFrame, DataFrame]:
    return session.read.parquet(f"{folder}/events.parquet"), session.read.parquet(f"{folder}/customers.parquet")


def collected(frame: DataFrame) -> pa.Table:
    """The rows of a frame, in the order of the batch driver."""
    table = frame.toArrow().cast(row_schema(CATALOGUE))
    return table.sort_by([("customer_id", "ascending"), ("as_of", "ascending")])


def assert_same(got: pa.Table, wanted: pa.Table) -> None:
    """The same customers and dates, null for null, and the same bits."""
    assert got.select(["customer_id", "as_of"]).equals(wanted.select(["customer_id", "as_of"]))
    bits, wanted_bits = (matrix(table, NAMES).view(np.uint64) for table in (got, wanted))
    differ = [name for name, same in zip(NAMES, (bits == wanted_bits).all(axis=0), strict=True) if not same]
    assert not differ
    assert np.array_equal(matrix(got, NAMES), matrix(wanted, NAMES), equal_nan=True)
    assert got.equals(wanted)


@settings(relaxed, max_examples=5)
@given(base=bases())
def test_spark_and_batch_agree_bit_for_bit(spark: SparkSession, base: list[list[Event]]) -> None:
    """Every feature of the catalogue, at two dates, of customers with and without events."""
    with tempfile.TemporaryDirectory() as folder:
        write_base(Path(folder), base)
        wanted = feature_table(Path(folder), COMPANY, CATALOGUE, DATES)
        got = collected(feature_frame(*read(spark, Path(folder)), COMPANY, CATALOGUE, DATES))
    assert customer(IN_ALL - 1) in got["customer_id"].to_pylist()
    assert_same(got, wanted)


@settings(relaxed, max_examples=2)
@given(base=bases())
@pytest.mark.parametrize("zone", ["Asia/Kolkata", "-11:00"])
def test_the_zone_of_the_session_changes_nothing(spark: SparkSession, zone: str, base: list[list[Event]]) -> None:
    """Timestamps are instants; large Arrow types change nothing either."""
    session = spark.newSession()
    session.conf.set("spark.sql.session.timeZone", zone)
    session.conf.set("spark.sql.execution.arrow.useLargeVarTypes", "true")
    with tempfile.TemporaryDirectory() as folder:
        write_base(Path(folder), base)
        wanted = feature_table(Path(folder), COMPANY, CATALOGUE, DATES)
        assert_same(collected(feature_frame(*read(session, Path(folder)), COMPANY, CATALOGUE, DATES)), wanted)


@settings(relaxed, max_examples=2)
@given(base=bases())
@pytest.mark.parametrize("rows", [1, 40])
def test_where_the_rows_are_cut_changes_nothing(spark: SparkSession, rows: int, base: list[list[Event]]) -> None:
    """A task that gathers few rows at a time still computes each customer from all its rows, in one piece."""
    session = spark.newSession()
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "7")
    with tempfile.TemporaryDirectory() as folder:
        write_base(Path(folder), base)
        wanted = feature_table(Path(folder), COMPANY, CATALOGUE, DATES)
        frame = feature_frame(*read(session, Path(folder)), COMPANY, CATALOGUE, DATES, rows)
        assert_same(collected(frame), wanted)


@settings(relaxed, max_examples=200)
@given(st.lists(st.integers(0, 8), max_size=80), st.lists(st.integers(0, 80), max_size=20), st.integers(1, 30))
def test_a_customer_is_in_one_list(ids: list[int], cuts: list[int], rows: int) -> None:
    """Nothing is lost, no customer is in two lists, and a list exceeds `rows` by a batch and a customer at most."""
    column = pa.RecordBatch.from_pydict({"customer_id": pa.array(map(str, sorted(ids)), pa.string())})
    at = [0, *sorted(cuts), 80]
    batches = [column.slice(begin, end - begin) for begin, end in pairwise(at)]
    lists = [pa.Table.from_batches(some)["customer_id"].to_pylist() for some in _whole_customers(batches, rows)]
    assert [id_ for some in lists for id_ in some] == column["customer_id"].to_pylist()
    assert sum(len(set(some)) for some in lists) == len(set(ids))
    assert all(len(some) >= rows for some in lists[:-1])
    widest = max(batch.num_rows for batch in batches)
    longest = max(map(ids.count, ids), default=0)
    assert all(len(some) < rows + widest + longest for some in lists)


def test_the_frame_is_lazy_and_names_a_bad_row(spark: SparkSession, tmp_path: Path) -> None:
    """A row that breaks the contract ends the action, not the call that makes the frame."""
    from pyspark.errors import PythonException
    from pyspark.sql import functions as sql

    write_base(tmp_path, [[Event(ts=START, kind="purchase", amount=1, known_at=START)]])
    found, customers = read(spark, tmp_path)
    for column, value, message in (("kind", "theft", "theft"), ("customer_id", None, "without a customer_id")):
        bad = found.withColumn(column, sql.lit(value).cast("string"))
        frame = feature_frame(bad, customers, COMPANY, CATALOGUE, DATES)
        with pytest.raises(PythonException, match=message):
            frame.collect()


def test_the_module_needs_no_spark() -> None:
    """Spark is an extra: what imports the module runs without it."""
    code = "import sys; sys.modules['pyspark'] = None; import features.spark"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.real
def test_spark_and_batch_agree_on_online_retail(spark: SparkSession, online_retail: Ran) -> None:
    """Every real customer with all its events, at the grading date."""
    tables, as_of = online_retail.workspace.tables, date(2011, 12, 10)
    company: Company = online_retail.job.source.company()
    wanted = feature_table(tables, company, CATALOGUE, [as_of])
    assert wanted.num_rows > 5000
    assert_same(collected(feature_frame(*read(spark, tables), company, CATALOGUE, [as_of])), wanted)
