"""Feature rows by Spark, for event tables on a cluster: the rows of `features.batch`, to the last bit.

Spark brings the events of a customer together and in order; a task then packs, sorts and computes some customers at a
time, so that its memory does not grow with its partition. Executors need this package; the driver needs pyspark too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.batch import Block, block_rows, row_schema
from features.calendar import FIRST_DAY, day_number
from features.company import Company
from features.pack import Packed, columns_read, pack, pack_ids, width
from features.sort import Known, sort_histories
from features.spec import AnyFeature, Program, compile_features
from features.tables.events import EVENTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

ROWS = 500_000
"""Events that a task gathers before it computes the customers they belong to."""


def feature_frame(
    events: DataFrame,
    customers: DataFrame,
    company: Company,
    features: Sequence[AnyFeature],
    as_ofs: Sequence[date],
    rows: int = ROWS,
) -> DataFrame:
    """The rows of `features.batch.feature_table`, lazily: `customer_id`, `as_of`, then a double per feature.

    events and customers have the columns of EVENTS and CUSTOMERS (of customers `customer_id`, `valid_from` and `family`
    are read), rows in any order; timestamps are instants, whatever the time zone of the session. Null where a feature
    has no answer. Rows are sorted by customer and date within a partition, and a customer is in one partition. A task
    holds the packed events of about `rows` rows, and all of one customer.

    Raises ValueError for a bad list of features, and Spark's AnalysisException for a missing column. A row that breaks
    the contract of the tables ends the action that reads it with Spark's PythonException, which quotes a ValueError.
    """
    from pyspark.sql import functions as sql

    program, schema = compile_features(features), row_schema(features)
    dates = np.array(sorted({day_number(day) for day in as_ofs}), np.int32)
    first = sql.min(sql.coalesce("valid_from", sql.date_from_unix_date(sql.lit(FIRST_DAY))))
    known = customers.where("family <> 'consent'").groupBy("customer_id").agg(first.alias("since"))
    both = events.select(*columns_read(program)).unionByName(known, allowMissingColumns=True)

    def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for some in _whole_customers(batches, rows):
            for table in block_rows(_block(some, program, company), program, schema, dates):
                yield from table.to_batches()

    ordered = both.repartition("customer_id").sortWithinPartitions("customer_id", "day")
    return ordered.mapInArrow(task, _spark_schema(features))


def _spark_schema(features: Sequence[AnyFeature]) -> StructType:
    """`row_schema` as Spark says it."""
    from pyspark.sql.types import StructType

    schema = StructType().add("customer_id", "string", nullable=False).add("as_of", "date", nullable=False)
    for feature in features:
        schema.add(feature.name, "double")
    return schema


def _whole_customers(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[list[pa.RecordBatch]]:
    """Batches sorted by customer, cut where a customer ends once there are `rows` rows: each customer is in one list.

    Raises ValueError for a row without a customer.
    """
    gathered: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        ids = batch["customer_id"]
        if ids.null_count:
            raise ValueError("a row without a customer_id")
        if count >= rows:
            ended = pc.not_equal(ids, gathered[-1]["customer_id"][-1])
            cut = pc.index(ended, True).as_py()
            if cut >= 0:
                yield [*gathered, batch.slice(0, cut)]
                gathered, count, batch = [], 0, batch.slice(cut)
        if batch.num_rows:
            gathered.append(batch)
            count += batch.num_rows
    if gathered:
        yield gathered


def _block(batches: Sequence[pa.RecordBatch], program: Program, company: Company) -> Block:
    """Some customers, from all their rows: their events, and for one with attributes a row that has only `since`.

    Raises ValueError for what is no event table's.
    """
    names = columns_read(program)
    table = pa.Table.from_batches(batches)
    told = table["since"].is_valid()
    events = table.filter(pc.invert(told)).select(names).cast(pa.schema([EVENTS.field(name) for name in names]))
    pieces = [pack(batch, program, company, bins=1).rows for batch in events.to_batches()]
    words = np.concatenate([np.empty((0, width(program)), np.uint64), *pieces])
    attributes = table.filter(told)
    ids = pack_ids(attributes["customer_id"].combine_chunks())
    since = np.array(attributes["since"].combine_chunks().view(pa.int32()), np.int32)
    known = Known(*ids, since, np.array([0, since.size]))
    return Block(*sort_histories(Packed(words, np.array([[0, len(words)]])), known, program))
