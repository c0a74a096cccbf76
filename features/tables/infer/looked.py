"""One table as far as it was looked at: how it is written, its columns, a sample of its rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.tables.infer.dates import Reading
from features.tables.infer.dialect import Sniffed
from features.tables.infer.guess import Guess
from features.tables.infer.profile import Column, profile
from features.tables.privacy import BLANKS
from features.tables.reading import Database


@dataclass(frozen=True)
class Looked:
    """name: of its file, without endings; files or database: where it is; whole: whether the sample is all of it."""

    name: str
    files: tuple[str, ...]
    sniffed: Sniffed
    sample: pa.Table = field(repr=False)
    columns: tuple[Column, ...]
    database: Database | None = None
    whole: bool = True

    @property
    def decimal(self) -> str:
        """The sign before the decimals of its numbers."""
        found = [c.number.decimal for c in self.columns if c.number and c.number.decimal]
        return max(sorted(found, reverse=True), key=found.count, default=".")

    def numbers(self, column: Column) -> NDArray[np.float64]:
        """A column's cells as numbers, NaN for what is none; shape (rows,)."""
        thousands = "," if self.decimal == "." else "."
        cells = pc.replace_substring(self.texts(column), thousands, "")
        cells = pc.replace_substring_regex(pc.replace_substring(cells, ",", "."), r"[^\d.-]", "")
        sound = pc.match_substring_regex(cells, r"^-?\d*\.?\d+$")
        found: NDArray[np.float64] = pc.if_else(sound, cells, None).cast(pa.float64()).to_numpy(zero_copy_only=False)
        return found

    def texts(self, column: Column) -> pa.Array:
        """A column's cells without the blanks around them."""
        return pc.utf8_trim(self.sample[column.name].combine_chunks(), BLANKS)

    def renamed(self, names: dict[str, str]) -> Looked:
        """The same with other names for columns that have none of their own."""
        taken = [names.get(c.name, c.name) for c in self.columns]
        written = self.sniffed.format.model_copy(update={"columns": tuple(taken)})
        columns = tuple(replace(c, name=name) for c, name in zip(self.columns, taken, strict=True))
        sniffed = replace(self.sniffed, format=written)
        return replace(self, sniffed=sniffed, sample=self.sample.rename_columns(taken), columns=columns)


def look(name: str, files: tuple[str, ...], sniffed: Sniffed, sample: pa.Table, database: Database | None = None,
         whole: bool = True) -> Looked:  # fmt: skip
    """A table with the profile of its columns. sample: cells as texts."""
    return Looked(name, files, sniffed, sample, profile(sample), database, whole)


def time_guess(column: Column, reading: Reading, clock: Column | None = None) -> Guess:
    """A `time` entry of a source file."""
    value: dict[str, object] = {"column": column.name}
    form = reading.format
    why = f"read as {form}" if form and "%" in form else "an ISO date" if form is None else f"numbers as {form}"
    if clock is not None:
        value["clock"] = clock.name
        seconds = any(text.count(":") == 2 for text in clock.codes) or clock.longest > 5
        if form is not None:
            value["format"] = f"{form} %H:%M:%S" if seconds else f"{form} %H:%M"
    elif form is not None:
        value["format"] = form
    said = f"{reading.first:%Y-%m-%d} to {reading.last:%Y-%m-%d}"
    unsure = f"no day tells {form} from {reading.either}" if reading.either else ""
    return Guess(value, f"{why}: {said}", unsure)
