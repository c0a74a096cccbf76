"""Event batches as they come (Arrow) → rows of whole words. Batch and Spark share it.

An event becomes one row of 64-bit words, so that rows of many customers can be parted, kept and sorted as they are:
two words of pseudonym, two of days, kind and flags, then a word per value and per code column, and last the due day if
it is asked for.
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
from features.history import NAMED
from features.spec import COLUMNS, CONDITIONS, Program
from features.tables.events import INSTANT, KINDS

VALUE_WORD = 4
DAY_AT, KNOWN_AT, UNTIL_AT, KIND_AT = 4, 5, 6, 7
"""Positions of the 32-bit halves; the half of the kind has the flags above its eight bits."""

NIGHT, WEEKEND, JUST_BELOW, ROUND, HIGH_RISK = range(len(CONDITIONS))
NO_REF = np.uint64(0x9E3779B97F4A7C15)

Words = NDArray[np.uint64]
Instants = NDArray[np.int64]


class Ids(NamedTuple):
    """Pseudonyms as numbers: the first and the last 16 of their 32 hexadecimal digits, (n,) each."""

    high: Words
    low: Words


class Packed(NamedTuple):
    """Rows of many customers, shape (n, words), in any order within bins: rows[ends[p, b]:ends[p, b + 1]] are of bin b.

    ends: (pieces, bins + 1). The pseudonyms of a bin come before those of the next.
    """

    rows: Words
    ends: NDArray[np.int64]


def columns_read(program: Program) -> list[str]:
    """The columns of the event table that `pack` wants."""
    wanted = [*program.values, *program.codes]
    wanted += ["ts", "ref", "amount", "country"] if program.conditions else []
    wanted += ["due_day"] if program.due else []
    return list(dict.fromkeys(["customer_id", "day", "known_at", "known_until", "kind", *wanted]))


def pack(batch: pa.RecordBatch, program: Program, company: Company, bins: int) -> Packed:
    """The rows of a batch, in bins. Raises ValueError for what is no event table's."""
    shown = clock(company.timezone)
    day = _numbers(batch["day"], pa.int32())
    kind = _kinds(batch["kind"])
    days = np.empty((4, batch.num_rows), np.int32)
    days[0], days[3] = day, kind | _flags(batch, company).astype(np.int32) << 8 if program.conditions else kind
    days[1] = local_days(_instants(batch["known_at"]), shown)
    days[2] = _days_or_forever(batch["known_until"], shown)
    more = np.empty((width(program) - VALUE_WORD, batch.num_rows), np.uint64)
    for i, name in enumerate(program.values):
        more[i] = whole(batch[name].to_numpy(zero_copy_only=False), name).view(np.uint64)
    for i, name in enumerate(program.codes, len(program.values)):
        more[i] = _hashes(batch[name])
        if name == "ref":
            more[i] = np.where(more[i] == 0, NO_REF + day.astype(np.uint64), more[i])
    if program.due:
        more[-1] = _numbers(batch["due_day"], pa.int32(), FOREVER).view(np.uint32)
    ids = pack_ids(batch["customer_id"])
    return _rows_in_bins(ids, bin_of(ids.high, bins), days, more, bins)


def width(program: Program) -> int:
    """Words per row."""
    return VALUE_WORD + len(program.values) + len(program.codes) + program.due


def bin_of(high: Words, bins: int) -> NDArray[np.int64]:
    """The bin of each customer. Pseudonyms are digests, so their first digits part customers evenly."""
    return ((high >> np.uint64(32)) * np.uint64(bins) >> np.uint64(32)).astype(np.int64)


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
    low, high = company.just_below or (0, 0)
    return np.asarray(_conditions(day, shown, amount, country, named, company.night, low, high, company.round_to or 0))


def local_days(instants: Instants, shown: Clock) -> NDArray[np.int32]:
    """The local day of each instant, days from 1970-01-01."""
    return (local_time(instants, shown) // DAY).astype(np.int32)


def pack_ids(column: pa.Array) -> Ids:
    """Pseudonyms as numbers; ValueError for one that is not 32 hexadecimal digits."""
    if column.null_count:
        raise ValueError("a customer_id that is null")
    if isinstance(column, pa.DictionaryArray):
        ids = pack_ids(column.dictionary)
        at = column.indices.to_numpy(zero_copy_only=False)
        return Ids(ids.high[at], ids.low[at])
    offsets, data = _texts(column)
    ids = Ids(np.zeros(len(column), np.uint64), np.zeros(len(column), np.uint64))
    sound = bool((np.diff(offsets) == 32).all())
    texts = data[offsets[0] : offsets[-1]].view("<u8").reshape(-1, 4) if sound else np.empty((0, 4), np.uint64)
    if not sound or not _read_ids(texts, ids.high, ids.low):
        raise ValueError("a customer_id that is no pseudonym of 32 hexadecimal digits")
    return ids


def unpack_ids(ids: Ids) -> pa.StringArray:
    """The pseudonyms as text."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    data = np.column_stack(ids).astype(">u8").view(np.uint8)
    text = digits[np.stack([data >> 4, data & 15], axis=-1)].tobytes()
    offsets = np.arange(0, 32 * len(ids.high) + 1, 32, dtype=np.int32)
    return pa.StringArray.from_buffers(len(ids.high), pa.py_buffer(offsets), pa.py_buffer(text))


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
def _conditions(
    day: NDArray[np.int32], shown: Instants, amount: NDArray[np.float64], country: NDArray[np.int8],
    named: NDArray[np.bool_], night: tuple[int, int], low: int, high: int, round_to: int,
) -> NDArray[np.int16]:  # fmt: skip
    flags = np.zeros(day.size, np.int16)
    begin, end = night
    for i in range(day.size):
        hour, size = shown[i] % DAY // HOUR, abs(amount[i])
        known = 1 << 2 * WEEKEND
        holds = known if (day[i] + 3) % 7 >= 5 else 0
        if shown[i] % DAY != 0:
            known |= 1 << 2 * NIGHT
            if (begin <= hour < end) if begin <= end else (hour >= begin or hour < end):
                holds |= 1 << 2 * NIGHT
        if high > 0 and not np.isnan(size):
            known |= 1 << 2 * JUST_BELOW
            holds |= (low <= size < high) << 2 * JUST_BELOW
        if round_to > 0 and size > 0:
            known |= 1 << 2 * ROUND
            holds |= (size % round_to == 0) << 2 * ROUND
        if country[i] >= 0:
            known |= 1 << 2 * HIGH_RISK
            holds |= country[i] << 2 * HIGH_RISK
        flags[i] = known | holds << 1 | (NAMED if named[i] else 0)
    return flags


@nb.njit(cache=True, nogil=True)
def _read_ids(texts: Words, high: Words, low: Words) -> bool:
    """texts (n, 4): the digits, eight to a word, the first in the lowest byte; each word is read as a whole."""
    ones = np.uint64(0x0101010101010101)
    for i in range(high.size):
        for k in range(4):
            text = texts[i, k]
            digits = (text & (ones * np.uint64(0x0F))) + ((text >> np.uint64(6)) & ones) * np.uint64(9)
            letters = ((digits + ones * np.uint64(6)) >> np.uint64(4)) & ones
            if digits & (ones * np.uint64(0x10)) or digits + ones * np.uint64(0x30) + letters * np.uint64(0x27) != text:
                return False
            pairs = (digits << np.uint64(4)) | (digits >> np.uint64(8))
            number = (pairs & np.uint64(0xFF)) << np.uint64(24) | (
                pairs >> np.uint64(16) & np.uint64(0xFF)
            ) << np.uint64(16)
            number |= (pairs >> np.uint64(32) & np.uint64(0xFF)) << np.uint64(8) | (
                pairs >> np.uint64(48) & np.uint64(0xFF)
            )
            if k < 2:
                high[i] = (high[i] << np.uint64(32)) | number
            else:
                low[i] = (low[i] << np.uint64(32)) | number
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
def _rows_in_bins(ids: Ids, place: NDArray[np.int64], days: NDArray[np.int32], more: Words, bins: int) -> Packed:
    """Columns → rows in order of bin; place (n,): the bin of each."""
    n = ids.high.size
    ends = np.zeros((1, bins + 1), np.int64)
    for i in range(n):
        ends[0, place[i] + 1] += 1
    for b in range(bins):
        ends[0, b + 1] += ends[0, b]
    to = ends[0].copy()
    rows = np.empty((n, VALUE_WORD + more.shape[0]), np.uint64)
    halves = rows.view(np.int32)
    for i in range(n):
        at = to[place[i]]
        to[place[i]] += 1
        rows[at, 0], rows[at, 1] = ids.high[i], ids.low[i]
        for k in range(4):
            halves[at, DAY_AT + k] = days[k, i]
        for k in range(more.shape[0]):
            rows[at, VALUE_WORD + k] = more[k, i]
    return Packed(rows, ends)
