"""Event batches as they come (Arrow) → rows of whole words → sorted histories. Batch and Spark share it.

An event becomes one row of 64-bit words, so that rows of many customers can be parted, kept and sorted as they are:
two words of pseudonym, two of days, one of due day, kind and flags, then a word per value and per code column.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.calendar import DAY, FOREVER, HOUR, Clock, clock, local_time
from features.company import Company
from features.history import NAMED, Histories, empty_histories, number_codes
from features.spec import COLUMNS, CONDITIONS, Program
from features.tables.events import INSTANT, KINDS

ID_WORDS, VALUE_WORD = 2, 5
DAY_AT, KNOWN_AT, UNTIL_AT, DUE_AT, KIND_AT, FLAGS_AT = 4, 5, 6, 7, 8, 9
"""Positions of the 32-bit halves."""

NIGHT, WEEKEND, JUST_BELOW, ROUND, HIGH_RISK = range(len(CONDITIONS))
NO_REF = np.uint64(0x9E3779B97F4A7C15)

Words = NDArray[np.uint64]
Instants = NDArray[np.int64]


class Ids(NamedTuple):
    """Pseudonyms as numbers: the first and the last 16 of their 32 hexadecimal digits, (n,) each."""

    high: Words
    low: Words


def columns_read(program: Program) -> list[str]:
    """The columns of the event table that `pack` wants."""
    wanted = [*program.values, *program.codes]
    wanted += ["ts", "ref", "amount", "country"] if program.conditions else []
    wanted += ["due_day"] if program.due else []
    return list(dict.fromkeys(["customer_id", "day", "known_at", "known_until", "kind", *wanted]))


def pack(batch: pa.RecordBatch, program: Program, company: Company) -> Words:
    """The rows of a batch, shape (n, words). Raises ValueError for what is no event table's."""
    n = batch.num_rows
    words = np.empty((n, VALUE_WORD + len(program.values) + len(program.codes)), np.uint64)
    halves = words.view(np.int32)
    ids = pack_ids(batch["customer_id"])
    words[:, 0], words[:, 1] = ids
    shown = clock(company.timezone)
    halves[:, DAY_AT] = _numbers(batch["day"], pa.int32())
    halves[:, KNOWN_AT] = local_days(_instants(batch["known_at"]), shown)
    halves[:, UNTIL_AT] = _days_or_forever(batch["known_until"], shown)
    halves[:, DUE_AT] = _numbers(batch["due_day"], pa.int32(), FOREVER) if program.due else FOREVER
    halves[:, KIND_AT] = _kinds(batch["kind"])
    halves[:, FLAGS_AT] = _flags(batch, company) if program.conditions else 0
    for i, name in enumerate(program.values):
        words[:, VALUE_WORD + i] = whole(batch[name].to_numpy(zero_copy_only=False), name).view(np.uint64)
    for i, name in enumerate(program.codes):
        hashes = _hashes(batch[name])
        if name == "ref":
            hashes = np.where(hashes == 0, NO_REF + halves[:, DAY_AT].astype(np.uint64), hashes)
        words[:, VALUE_WORD + len(program.values) + i] = hashes
    return words


def whole(numbers: NDArray[np.generic], column: str) -> NDArray[np.float64]:
    """Values as the kernel wants them: whole minor units, or whole thousandths rounded half up."""
    values = np.asarray(numbers, np.float64)
    return values if COLUMNS[column] == 1 else np.floor(values * COLUMNS[column] + 0.5)


def conditions(
    day: NDArray[np.int32],
    shown: Instants,
    amount: NDArray[np.float64],
    country: NDArray[np.int8],
    named: NDArray[np.bool_],
    company: Company,
) -> NDArray[np.int16]:
    """The flags of events, shape (n,). shown: local time, midnight to the microsecond for an unknown time of day;
    amount: NaN for null; country: −1 unknown, 0 no risk, 1 high risk; named: whether it carries a ref."""
    in_day = shown % DAY
    hour = in_day // HOUR
    begin, end = company.night
    night = (hour >= begin) & (hour < end) if begin <= end else (hour >= begin) | (hour < end)
    size = np.abs(amount)
    flags = _condition(NIGHT, in_day != 0, night) | _condition(WEEKEND, True, (day + 3) % 7 >= 5)
    if company.just_below is not None:
        low, high = company.just_below
        flags |= _condition(JUST_BELOW, ~np.isnan(amount), (size >= low) & (size < high))
    if company.round_to is not None:
        with np.errstate(invalid="ignore"):
            flags |= _condition(ROUND, size > 0, size % company.round_to == 0)
    return flags | _condition(HIGH_RISK, country >= 0, country > 0) | np.where(named, NAMED, np.int16(0))


def local_days(instants: Instants, shown: Clock) -> NDArray[np.int32]:
    """The local day of each instant, days from 1970-01-01."""
    return (local_time(instants, shown) // DAY).astype(np.int32)


def pack_ids(column: pa.Array) -> Ids:
    """Pseudonyms as numbers; ValueError for one that is not 32 hexadecimal digits."""
    if isinstance(column, pa.DictionaryArray):
        ids = pack_ids(column.dictionary)
        at = column.indices.to_numpy(zero_copy_only=False)
        return Ids(ids.high[at], ids.low[at])
    offsets, data = _texts(column)
    ids = Ids(np.empty(len(column), np.uint64), np.empty(len(column), np.uint64))
    if column.null_count or not _read_ids(offsets, data, ids.high, ids.low):
        raise ValueError("a customer_id that is no pseudonym of 32 hexadecimal digits")
    return ids


def unpack_ids(ids: Ids) -> pa.StringArray:
    """The pseudonyms as text."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    data = np.column_stack(ids).astype(">u8").view(np.uint8)
    text = digits[np.stack([data >> 4, data & 15], axis=-1)].tobytes()
    offsets = np.arange(0, 32 * len(ids.high) + 1, 32, dtype=np.int32)
    return pa.StringArray.from_buffers(len(ids.high), pa.py_buffer(offsets), pa.py_buffer(text))


def sort_histories(
    rows: Words, program: Program, others: Ids, others_since: NDArray[np.int32]
) -> tuple[Ids, NDArray[np.int32], Histories]:
    """Packed rows in any order → their customers and `others`, in order of pseudonym, with histories.

    since (c,): the day since which each is known without an event, as others_since says; FOREVER for the rest.
    """
    number, first = _number_customers(rows)
    high, low = (np.concatenate([rows[first, i], others[i]]) for i in range(ID_WORDS))
    order = np.lexsort((low, high))
    new = np.ones(order.size, np.bool_)
    new[1:] = (np.diff(high[order]) != 0) | (np.diff(low[order]) != 0)
    rank = np.empty(order.size, np.int64)
    rank[order] = np.cumsum(new) - 1
    ids = Ids(high[order][new], low[order][new])
    since = np.full(len(ids.high), FOREVER, np.int32)
    np.minimum.at(since, rank[first.size :], others_since)
    histories = empty_histories(program, len(ids.high), len(rows))
    np.cumsum(np.bincount(rank[number], minlength=len(ids.high)), out=histories.offsets[1:])
    halves = rows.view(np.int32)
    at = _sorted_rows(halves, rank[number], histories.offsets)
    hashes = np.empty((len(program.codes), len(rows)), np.uint64)
    _gather(rows, halves, at, histories, hashes)
    for i in range(len(program.codes)):
        number_codes(histories.offsets, hashes[i], histories.codes[i])
    return ids, since, histories


def _condition(which: int, known: NDArray[np.bool_] | bool, holds: NDArray[np.bool_]) -> NDArray[np.int16]:
    return (known * np.int16(1 << 2 * which) + (known & holds) * np.int16(2 << 2 * which)).astype(np.int16)


def _flags(batch: pa.RecordBatch, company: Company) -> NDArray[np.int16]:
    country = np.full(batch.num_rows, -1, np.int8)
    if company.high_risk_countries:
        risky = pc.is_in(batch["country"], pa.array(company.high_risk_countries, pa.string()))
        given = batch["country"].is_valid().to_numpy(zero_copy_only=False)
        country[given] = risky.to_numpy(zero_copy_only=False)[given]
    return conditions(
        _numbers(batch["day"], pa.int32()),
        local_time(_instants(batch["ts"]), clock(company.timezone)),
        batch["amount"].to_numpy(zero_copy_only=False).astype(np.float64),
        country,
        batch["ref"].is_valid().to_numpy(zero_copy_only=False),
        company,
    )


def _kinds(column: pa.Array) -> NDArray[np.int32]:
    coded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    position = {name: i for i, name in enumerate(KINDS)}
    try:
        codes = np.array([position[name] for name in coded.dictionary.to_pylist()], np.int32)
    except KeyError as error:
        raise ValueError(f"an event of the kind {error}") from None
    if coded.null_count:
        raise ValueError("an event without a kind")
    return np.asarray(codes[coded.indices.to_numpy(zero_copy_only=False)])


def _numbers(column: pa.Array, as_type: pa.DataType, null: int | None = None) -> NDArray[np.int32]:
    whole_numbers = column.view(as_type)
    if null is not None:
        whole_numbers = whole_numbers.fill_null(null)
    if whole_numbers.null_count:
        raise ValueError("an event without a day, or without the time it was known")
    return np.asarray(whole_numbers.to_numpy(zero_copy_only=False))


def _instants(column: pa.Array) -> Instants:
    return _numbers(column.cast(INSTANT), pa.int64()).astype(np.int64)


def _days_or_forever(column: pa.Array, shown: Clock) -> NDArray[np.int32]:
    days = np.full(len(column), FOREVER, np.int32)
    if column.null_count < len(column):
        given = column.is_valid().to_numpy(zero_copy_only=False)
        days[given] = local_days(_instants(column.drop_null()), shown)
    return days


def _hashes(column: pa.Array) -> Words:
    """A number per text, the same for the same text; 0 for null."""
    if isinstance(column, pa.DictionaryArray):
        at = column.indices.fill_null(len(column.dictionary)).to_numpy(zero_copy_only=False)
        return np.asarray(np.append(_hashes(column.dictionary), np.uint64(0))[at])
    hashes = np.zeros(len(column), np.uint64)
    if column.null_count < len(column):
        _hash_texts(*_texts(column), hashes)
        if column.null_count:
            hashes[column.is_null().to_numpy(zero_copy_only=False)] = 0
    return hashes


def _texts(column: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Offsets (n + 1,) and bytes of a column of texts."""
    column = column if pa.types.is_string(column.type) else column.cast(pa.string())
    _, offsets, data = column.buffers()
    if not len(column):
        return np.zeros(1, np.int32), np.empty(0, np.uint8)
    at = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return at, np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)


@nb.njit(cache=True, nogil=True)
def _read_ids(offsets: NDArray[np.int32], data: NDArray[np.uint8], high: Words, low: Words) -> bool:
    for i in range(high.size):
        if offsets[i + 1] - offsets[i] != 32:
            return False
        for half in range(2):
            number = np.uint64(0)
            for k in range(16):
                c = data[offsets[i] + 16 * half + k]
                if 48 <= c <= 57:
                    digit = c - 48
                elif 97 <= c <= 102:
                    digit = c - 87
                else:
                    return False
                number = (number << np.uint64(4)) | np.uint64(digit)
            if half == 0:
                high[i] = number
            else:
                low[i] = number
    return True


@nb.njit(cache=True, nogil=True)
def _hash_texts(offsets: NDArray[np.int32], data: NDArray[np.uint8], hashes: Words) -> None:
    for i in range(hashes.size):
        h = np.uint64(offsets[i + 1] - offsets[i] + 1) * np.uint64(0x9E3779B97F4A7C15)
        word, filled = np.uint64(0), 0
        for k in range(offsets[i], offsets[i + 1]):
            word = (word << np.uint64(8)) | np.uint64(data[k])
            filled += 1
            if filled == 8 or k + 1 == offsets[i + 1]:
                h = (h ^ word) * np.uint64(0xFF51AFD7ED558CCD)
                h ^= h >> np.uint64(32)
                word, filled = np.uint64(0), 0
        h *= np.uint64(0xC4CEB9FE1A85EC53)
        h ^= h >> np.uint64(29)
        hashes[i] = max(h, np.uint64(1))


@nb.njit(cache=True, nogil=True)
def _number_customers(rows: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of each row's customer, in order of appearance, and the first row of each customer."""
    size = 1024
    while size < 2 * rows.shape[0]:
        size *= 2
    mask = np.uint64(size - 1)
    slot = np.full(size, -1, np.int32)
    number = np.empty(rows.shape[0], np.int64)
    first = np.empty(rows.shape[0], np.int64)
    count = 0
    for i in range(rows.shape[0]):
        high, low = rows[i, 0], rows[i, 1]
        at = low & mask  # pseudonyms are digests: any of their bits are as good as a hash
        while slot[at] >= 0 and (rows[first[slot[at]], 0] != high or rows[first[slot[at]], 1] != low):
            at = (at + np.uint64(1)) & mask
        if slot[at] < 0:
            slot[at] = count
            first[count] = i
            count += 1
        number[i] = slot[at]
    return number, first[:count].copy()


@nb.njit(cache=True, nogil=True)
def _sorted_rows(
    halves: NDArray[np.int32], customer: NDArray[np.int64], offsets: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The rows in order of customer, then day: counted into their customers' places, then each customer's sorted."""
    to = offsets[:-1].copy()
    at = np.empty(customer.size, np.int64)
    for i in range(customer.size):
        at[to[customer[i]]] = i
        to[customer[i]] += 1
    for c in range(offsets.size - 1):
        lo, hi = offsets[c], offsets[c + 1]
        for k in range(lo + 1, hi):
            if halves[at[k], DAY_AT] < halves[at[k - 1], DAY_AT]:
                days = np.empty(hi - lo, np.int32)
                for j in range(lo, hi):
                    days[j - lo] = halves[at[j], DAY_AT]
                at[lo:hi] = at[lo:hi][np.argsort(days, kind="mergesort")]
                break
    return at


@nb.njit(cache=True, nogil=True)
def _gather(rows: Words, halves: NDArray[np.int32], at: NDArray[np.int64], h: Histories, hashes: Words) -> None:
    values = h.values.view(np.uint64)
    for k in range(at.size):
        i = at[k]
        day, known, until = halves[i, DAY_AT], halves[i, KNOWN_AT], halves[i, UNTIL_AT]
        h.day[k], h.known[k], h.until[k], h.due[k] = day, known, until, halves[i, DUE_AT]
        kind = halves[i, KIND_AT]
        h.kind[k] = ~kind if known > day or until != FOREVER else kind
        h.flags[k] = halves[i, FLAGS_AT]
        for v in range(values.shape[0]):
            values[v, k] = rows[i, VALUE_WORD + v]
        for v in range(hashes.shape[0]):
            hashes[v, k] = rows[i, VALUE_WORD + values.shape[0] + v]
