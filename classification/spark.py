"""A base graded by Spark: features, scores, raw classes and reasons where the events are, by the functions of one
machine.

Each pass hands rows to what grades on one machine (`Release.score`, `Scheme.classify`, `reasons`); between passes the
driver learns the exact ranks of the whole base from counts of equal values. What comes back is what
`classification.grade.score_base` gives, to the last bit. The driver holds the feature rows of the base, as one machine
does; for this no event reaches it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classification.comparison import SCORE, TEXT
from classification.facts import Array
from classification.grade import (
    TRAIT_NAMES,
    LiveSet,
    Scored,
    facts_of,
    learnt,
    narrow,
    own_numbers,
    ranked,
    scheme_of,
    value_dimension,
)
from classification.months import RAW, read_classes
from classification.past import VALUE_DIMENSION
from classification.reasons import SCHEMA, reasons
from classification.scheme import Scheme
from features.batch import matrix
from features.catalogue import CATALOGUE, NAMES, POSITION
from features.company import Company
from features.population import POPULATION, Ranks
from features.progress import Progress, silent
from features.spark import feature_frame
from features.spark_texts import attribute_frame, trait_frame
from features.tables.consents import read_consents
from features.texts import Texts
from features.workspace import Workspace, clear_up, part_files
from training.recipes import OUTPUTS, RECIPES
from training.release import Release
from training.snapshots import Origin, Snapshot, texts_at

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

Batches = Iterable[pa.RecordBatch]
Task = Callable[[Batches], Iterator[pa.RecordBatch]]

STEP, PASSES = "grade on the cluster", 6


def grade_base(
    session: SparkSession,
    workspace: Workspace,
    release: Release,
    origin: Origin,
    dates: Sequence[date],
    progress: Progress = silent,
) -> tuple[list[Snapshot], Scored]:
    """The bases of some dates as `training.snapshots.base_at` gives them, and the first one scored, with its raw
    classes and the reasons of its scores.

    The tables of the workspace, and a passing folder beside them, are read and written by the executors under the same
    path; rows may lie in any order and in any number of files.
    """
    scheme, day = scheme_of(release), dates[0]
    with _passing(workspace) as folder:
        done = _counter(progress)
        _write_rows(session, workspace, origin.company, dates, folder)
        done()
        bases = [_read_base(folder, each) for each in dates]
        rows = _read(session, folder / "rows").where(f"as_of = DATE '{day}'")
        _score(session, rows, release, scheme, sorted(scheme.texts & set(bases[0].texts)), day, folder)
        done()
        scored = _read(session, folder / "scores")
        cutoffs = _value_cutoffs(scored, scheme)
        done()
        live = learnt(release, scheme, bases[0], origin, _ranks(scored, ranked(scheme), scheme, cutoffs))
        done()
        _write(scored.mapInArrow(_classify(live, cutoffs), _fields(_graded_schema(scheme))), folder / "raw")
        done()
        _write(rows.mapInArrow(_explain(release, scheme, cutoffs), _fields(SCHEMA)), folder / "reasons")
        done()
        raw, why = pq.read_table(folder / "raw").sort_by("customer_id"), pq.read_table(folder / "reasons")
    scores = {name: raw[f"{SCORE}{name}"].to_numpy() for name in OUTPUTS}
    classes = {name: read_classes(raw[f"{RAW}{name}"]) for name in scheme.dimensions}
    return bases, Scored(live, scores, classes, _in_order(why))


@contextmanager
def _passing(workspace: Workspace) -> Iterator[Path]:
    """A folder that executors see, and that is gone afterwards; so is what a killed run left."""
    clear_up(workspace.home / "spark")
    folder = workspace.home / f".spark.new-{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _counter(progress: Progress) -> Callable[[], None]:
    passes = iter(range(1, PASSES + 1))
    progress(STEP, 0, PASSES)
    return lambda: progress(STEP, next(passes), PASSES)


def _read(session: SparkSession, path: Path) -> DataFrame:
    """A Parquet table, whatever its path: some characters would be patterns of names."""
    return session.read.parquet("file://" + re.sub(r"([\[\]{}*?\\])", r"\\\1", str(path.resolve())))


def _write(frame: DataFrame, path: Path) -> None:
    frame.write.parquet(f"file://{path.resolve()}", compression="zstd")


def _fields(schema: pa.Schema) -> StructType:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)


def _write_rows(
    session: SparkSession, workspace: Workspace, company: Company, dates: Sequence[date], folder: Path
) -> None:
    """The feature rows of all dates, and the attributes and traits of each, without who objects to profiling."""
    events, customers, items = (
        _read(session, workspace.tables / f"{name}.parquet") for name in ("events", "customers", "items")
    )
    objected = [(id_,) for id_ in sorted(read_consents(workspace.tables).no_profiling)]
    left_out = session.createDataFrame(objected, "customer_id string")
    rows = feature_frame(events, customers, company, CATALOGUE, dates)
    _write(rows.join(left_out, "customer_id", "left_anti"), folder / "rows")
    for day in dates:
        known = attribute_frame(customers, day).join(left_out, "customer_id", "left_anti")
        _write(known, folder / f"attributes-{day}")
        _write(trait_frame(events, items, company, day), folder / f"traits-{day}")


def _read_base(folder: Path, day: date) -> Snapshot:
    """One date of the rows, in order of pseudonym, a part file at a time."""
    wanted = pc.field("as_of") == pa.scalar(day, pa.date32())
    parts = part_files(folder / "rows")
    ids = [pq.read_table(part, columns=["customer_id"], filters=wanted)["customer_id"] for part in parts]
    everyone = pa.chunked_array([chunk for column in ids for chunk in column.chunks], pa.string()).combine_chunks()
    order = pc.sort_indices(everyone).to_numpy()
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rows = np.empty((len(order), len(NAMES)))
    first = 0
    for part in parts:
        table = pq.read_table(part, columns=list(NAMES), filters=wanted)
        rows[place[first : first + len(table)]] = matrix(table, NAMES)
        first += len(table)
    sorted_ids = everyone.take(pa.array(order)).to_numpy(zero_copy_only=False)
    attributes, traits = (pq.read_table(folder / f"{name}-{day}") for name in ("attributes", "traits"))
    return Snapshot(day, sorted_ids, rows, {}, texts_at(sorted_ids, attributes, traits))


def _score(
    session: SparkSession,
    rows: DataFrame,
    release: Release,
    scheme: Scheme,
    texts: Sequence[str],
    day: date,
    folder: Path,
) -> None:
    """Per customer the scores, and the features and texts that classes and ranks look at; `potential` of everybody."""
    facts = sorted({*scheme.facts, *ranked(scheme)} & set(NAMES))
    own = [pa.field(f"{TEXT}{name}", pa.string()) for name in texts]
    own += [pa.field(name, pa.float64()) for name in (*facts, *(f"{SCORE}{name}" for name in OUTPUTS))]
    schema = pa.schema([pa.field("customer_id", pa.string()), *own])

    def task(batches: Batches) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            scores = release.score(matrix(batch, NAMES))
            told = {f"{SCORE}{name}": _column(column) for name, column in scores.items()}
            columns = [told[name] if name in told else batch[name] for name in schema.names]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    if texts:
        rows = rows.join(_wide(session, texts, day, folder), "customer_id", "left")
    _write(rows.mapInArrow(task, _fields(schema)), folder / "scores")


def _wide(session: SparkSession, texts: Sequence[str], day: date, folder: Path) -> DataFrame:
    """A column per text and a row per customer who has one; a trait goes before an attribute of its name."""
    from pyspark.sql import functions as sql

    attributes = _read(session, folder / f"attributes-{day}").toDF("customer_id", "name", "value")
    traits = _read(session, folder / f"traits-{day}").toDF("customer_id", "name", "value")
    both = attributes.where(~sql.col("name").isin(*sorted(TRAIT_NAMES))).union(traits)
    wide = both.groupBy("customer_id").pivot("name", list(texts)).agg(sql.first("value"))
    return wide.toDF("customer_id", *(f"{TEXT}{name}" for name in texts))


def _value_cutoffs(scored: DataFrame, scheme: Scheme) -> Mapping[str, Mapping[str, float]]:
    """The cut-offs by which `potential` is asked of some and not of others."""
    dimension = value_dimension(scheme)
    if dimension is None or dimension.share is None:
        return {VALUE_DIMENSION: {}}
    fact = dimension.share.fact
    return {VALUE_DIMENSION: dimension.share.cutoffs(_ranks(scored, [fact])[fact])}


def _ranks(
    scored: DataFrame,
    names: Sequence[str],
    scheme: Scheme | None = None,
    cutoffs: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, Ranks]:
    """The exact ranks of a whole base, from how many customers have each value. scheme, cutoffs: where `potential` is
    among them, whom it is asked of."""

    def task(batches: Batches) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            numbers = _numbers(batch, scheme, cutoffs)
            for place, name in enumerate(names):
                values, counts = np.unique(numbers[name][~np.isnan(numbers[name])], return_counts=True)
                fact = np.full(len(values), place, np.int32)
                yield pa.RecordBatch.from_arrays(list(map(pa.array, (fact, values, counts))), ["fact", "value", "n"])

    counted = scored.mapInArrow(task, "fact int, value double, n long")
    table = counted.groupBy("fact", "value").agg({"n": "sum"}).toArrow()
    fact, value, n = (column.to_numpy() for column in table.columns)
    order = np.lexsort((value, fact))
    bounds = np.searchsorted(fact[order], np.arange(len(names) + 1))
    parts = (order[first:end] for first, end in pairwise(bounds))
    return {name: Ranks.counted(value[part], n[part]) for name, part in zip(names, parts, strict=True)}


def _numbers(
    batch: pa.RecordBatch, scheme: Scheme | None = None, cutoffs: Mapping[str, Mapping[str, float]] | None = None
) -> dict[str, Array]:
    """Features and scores by name; with a scheme, `potential` only of those it is asked of."""
    numbers = {
        name.removeprefix(SCORE): column.to_numpy(zero_copy_only=False).astype(float)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
        if name in POSITION or name.startswith(SCORE)
    }
    return numbers | narrow(scheme, {n: numbers[n] for n in OUTPUTS}, numbers, cutoffs) if scheme else numbers


def _graded_schema(scheme: Scheme) -> pa.Schema:
    scores = [pa.field(f"{SCORE}{name}", pa.float64()) for name in OUTPUTS]
    classes = [pa.field(f"{RAW}{name}", pa.string()) for name in scheme.dimensions]
    return pa.schema([pa.field("customer_id", pa.string()), *scores, *classes])


def _classify(live: LiveSet, cutoffs: Mapping[str, Mapping[str, float]]) -> Task:
    """Scores and raw classes. The ranks go along only for the population features that the scheme looks at."""
    scheme, schema, every = live.scheme, _graded_schema(live.scheme), live.snapshot.cutoffs
    needed = {each.of for each in POPULATION if each.name in scheme.facts}
    ranks = {name: live.snapshot.ranks[name] for name in needed}

    def task(batches: Batches) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            numbers = _numbers(batch, scheme, cutoffs)
            named = zip(batch.schema.names, batch.columns, strict=True)
            texts = {n.removeprefix(TEXT): Texts.of_arrow(column) for n, column in named if n.startswith(TEXT)}
            raw = scheme.classify(facts_of(numbers, ranks, texts), every)
            columns = [batch["customer_id"], *(_column(numbers[name]) for name in OUTPUTS)]
            yield pa.RecordBatch.from_arrays([*columns, *(pa.array(raw[name]) for name in raw)], schema=schema)

    return task


def _explain(release: Release, scheme: Scheme, cutoffs: Mapping[str, Mapping[str, float]]) -> Task:
    def task(batches: Batches) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows, ids = matrix(batch, NAMES), batch["customer_id"].to_numpy(zero_copy_only=False)
            scores = narrow(scheme, release.score(rows), own_numbers(rows), cutoffs)
            yield from reasons(release, Snapshot(date.min, ids, rows, {}), scores).to_batches()

    return task


def _in_order(why: pa.Table) -> pa.Table:
    """Reasons as one machine gives them: task after task, customers in order of pseudonym."""
    tasks = pa.array([recipe.name for recipe in RECIPES])
    by = why.append_column("place", pc.index_in(why["task"], tasks))
    ordered = by.sort_by([(name, "ascending") for name in ("place", "customer_id", "rank")])
    return ordered.select(SCHEMA.names).cast(SCHEMA)


def _column(values: Array) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True)
