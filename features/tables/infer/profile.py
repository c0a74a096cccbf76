"""What the cells of a column look like: how many, how different, which numbers, which dates.

A profile holds customers' cells in memory, and none of them leaves it but codes of which there are few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from features.tables.infer.dates import Reading, readings
from features.tables.infer.words import CURRENCY_WORDS
from features.tables.privacy import BLANKS

FEW = 40
"""So many different cells at most are codes."""
LOOKED_AT = 20_000
"""So many different cells of a column are looked at one by one."""
ALMOST_ALL = 0.98

SIGNS = "€$£¥₹₺₽元"
_NUMBER = re.compile(
    rf"(?P<minus>[-+(]?)\s*(?P<before>[{SIGNS}]|[A-Z]{{3}}\b)?\s*(?P<minus2>[-+]?)"
    rf"(?P<digits>\d[\d.,'’ \u00a0]*|[.,]\d+)\s*(?P<after>[{SIGNS}]|[A-Z]{{3}}\b|[-)])?"
)
_GROUPS = re.compile(r"\d{1,3}(?P<part>[.,'’ \u00a0])\d{3}(?:(?P=part)\d{3})*")


@dataclass(frozen=True)
class Numbers:
    """A column of numbers; shares are of its filled cells. decimal: the sign before decimals, None where no cell
    tells; currency: the one its cells name."""

    low: float
    high: float
    whole: float
    negative: float
    zero: float
    decimal: str | None
    currency: str | None
    texts_of_zero: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """filled, distinct: number of cells with something in them, and of different ones among these. codes: cell → how
    often, when the cells are few; when: the ways to read it as a time."""

    name: str
    rows: int
    filled: int
    distinct: int
    codes: dict[str, int] = field(repr=False)
    number: Numbers | None
    when: tuple[Reading, ...]
    longest: int
    clock: bool = False
    mail: bool = False

    @property
    def full(self) -> float:
        """Share of its cells that are filled."""
        return self.filled / max(self.rows, 1)

    @property
    def unique(self) -> bool:
        """Whether every cell is filled, and no two are the same."""
        return self.rows > 1 and self.distinct == self.filled == self.rows

    @property
    def repeats(self) -> float:
        """How often a cell stands there, in the mean."""
        return self.filled / max(self.distinct, 1)

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers."""
        return self.number is not None and self.number.whole == 1

    @property
    def constant(self) -> bool:
        """Whether all filled cells are the same."""
        return self.distinct <= 1


def profile(table: pa.Table) -> tuple[Column, ...]:
    """The profile of every column of a table of texts; "" and null are empty cells."""
    return tuple(_column(name, table[i]) for i, name in enumerate(table.column_names))


def _column(name: str, cells: pa.ChunkedArray) -> Column:
    cells = pc.utf8_trim(cells.cast(pa.string()), BLANKS)
    filled = cells.filter(pc.fill_null(pc.not_equal(cells, ""), False))
    counted = pc.value_counts(filled.combine_chunks())
    texts, counts = counted.field("values"), counted.field("counts")
    codes = dict(zip(texts.to_pylist(), counts.to_pylist(), strict=True)) if len(texts) <= FEW else {}
    step = -(-len(texts) // LOOKED_AT) or 1
    some = dict(zip(texts.to_pylist()[::step], counts.to_pylist()[::step], strict=True))
    return Column(
        name=name,
        rows=len(cells),
        filled=len(filled),
        distinct=len(texts),
        codes=dict(sorted(codes.items(), key=lambda each: -each[1])),
        number=_numbers(some),
        when=readings(some),
        longest=max(map(len, some), default=0),
        clock=_all(re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?( ?[AaPp][Mm])?"), some),
        mail=_all(re.compile(r"[^@\s]+@[^@\s]+\.\w+"), some),
    )


def _all(pattern: re.Pattern[str], texts: Iterable[str]) -> bool:
    found = [pattern.fullmatch(text) is not None for text in texts]
    return bool(found) and sum(found) >= ALMOST_ALL * len(found)


def _numbers(texts: dict[str, int]) -> Numbers | None:
    """The numbers of cells (text → how often), None unless almost all are."""
    matches = {text: match for text in texts if (match := _NUMBER.fullmatch(text))}
    if not matches or sum(texts[t] for t in matches) < ALMOST_ALL * sum(texts.values()):
        return None
    if any(len(t) > 1 and t[0] == "0" and t[1].isdigit() for t in texts) and all(t.isdigit() for t in matches):
        return None  # zeros in front are a code's
    decimal = _decimal([match["digits"].strip() for match in matches.values()])
    values = {text: _value(match, decimal) for text, match in matches.items()}
    total = sum(texts[text] for text in values)
    signs = {sign for match in matches.values() for sign in (match["before"], match["after"]) if sign}

    def share(holds: Iterable[str]) -> float:
        return sum(texts[text] for text in holds) / total

    return Numbers(
        low=min(values.values()),
        high=max(values.values()),
        whole=share(text for text, value in values.items() if value == int(value)),
        negative=share(text for text, value in values.items() if value < 0),
        zero=share(text for text, value in values.items() if value == 0),
        decimal=decimal,
        currency=next((c for c, words in CURRENCY_WORDS.items() if signs & {w.upper() for w in words.split()}), None),
        texts_of_zero=tuple(sorted(text for text, value in values.items() if value == 0)),
    )


def _decimal(digits: list[str]) -> str | None:
    """The sign before the decimals, by the cells in which it cannot part thousands."""
    votes = {".": 0, ",": 0}
    for text in digits:
        signs = [c for c in text if c in ".,"]
        if not signs:
            continue
        last, other = signs[-1], "," if signs[-1] == "." else "."
        if other in signs or (signs.count(last) == 1 and not _GROUPS.fullmatch(text)):
            votes[last] += 1
        elif signs.count(last) > 1:
            votes[other] += 1
    if votes["."] == votes[","] == 0:
        return "." if any("." in text for text in digits) else None
    return max(votes, key=lambda sign: votes[sign])


def _value(match: re.Match[str], decimal: str | None) -> float:
    digits = re.sub(rf"[^\d{re.escape(decimal or '')}]", "", match["digits"])
    negative = match["minus"] in ("-", "(") or match["minus2"] == "-" or match["after"] == "-"
    value = float(digits.replace(",", ".").strip(".") or 0)
    return -value if negative else value
