"""Looking at files, folders and database tables: what belongs together, and a bounded sample of the rows."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from features.errors import InputError
from features.tables.infer.dialect import Sniffed
from features.tables.infer.looked import Looked, look
from features.tables.infer.profile import profile
from features.tables.infer.roles import reading
from features.tables.infer.sniff import sniff
from features.tables.postgres import dump_table
from features.tables.readers import columns_of, read_blocks
from features.tables.reading import Database, Format
from features.tables.sql import ident

ROWS = 200_000
"""Rows looked at, in all files of a table."""
FILES = 24
"""Files of a folder looked at."""
BLOCK = 1 << 18
"""Bytes of a block: some of each file's are looked at, from its beginning to its end."""
READ_AT_MOST = 512 << 20
"""Bytes read of a file to find blocks spread over it."""


@dataclass(frozen=True)
class Seen:
    """All that was looked at. raw: the folder from which the files are named; skipped: files that are no tables, with
    what they are."""

    raw: Path
    tables: tuple[Looked, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class _File:
    path: Path
    sniffed: Sniffed
    columns: tuple[str, ...]

    @property
    def alike(self) -> tuple[object, ...]:
        """What files of one table have in common."""
        written = self.sniffed.format.model_copy(update={"encoding": ""})
        return self.columns, written.model_dump_json()


def look_at_files(places: Sequence[Path]) -> Seen:
    """The tables in files and folders; files of the same columns and format are one table.

    A folder whose files are all alike is one table, too, also with the files that will come. Raises InputError for a
    file that is no table; in a folder such files are skipped.
    """
    groups: dict[tuple[object, ...], list[_File]] = {}
    skipped: list[str] = []
    for place in places:
        inside = _visible(place) if place.is_dir() else [place]
        for path in inside:
            try:
                file = _file(path)
            except InputError as error:
                if len(inside) == 1:
                    raise
                skipped.append(f"{path.name}: {error.found}")
            else:
                groups.setdefault(file.alike, []).append(file)
    whole = {key: folder for key, files in groups.items() if (folder := _whole_folder(files, places))}
    raw = _common([whole.get(key) or file.path for key, files in groups.items() for file in files])
    tables = (_table(files, raw, whole.get(key)) for key, files in groups.items())
    return Seen(raw, tuple(tables), tuple(skipped))


def look_at_database(database: Database) -> Looked:
    """A table of a PostgreSQL database: its first rows."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "table.csv"
        dump_table(database, path, limit=ROWS)
        cells, _ = _sample(path, Format(), ROWS)
    name = database.table.rpartition(".")[2]
    return look(name, (), Sniffed(Format(), ""), cells, database, cells.num_rows < ROWS)


def _common(paths: Sequence[Path]) -> Path:
    """The folder that all of them lie in."""
    return Path(os.path.commonpath({path.resolve().parent for path in paths}))


def _visible(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not found:
        raise InputError(folder, "an empty folder", "a folder with the files of a table")
    return found


def _file(path: Path) -> _File:
    sniffed = sniff(path)
    return _File(path, sniffed, tuple(columns_of(path, sniffed.format)))


def _whole_folder(files: list[_File], places: Sequence[Path]) -> Path | None:
    """The folder whose files these are, and all of them."""
    folder = files[0].path.parent
    given = folder in places and {file.path for file in files} == set(_visible(folder))
    return folder if given else None


def _table(files: list[_File], raw: Path, folder: Path | None) -> Looked:
    """One table from files that are alike."""
    strange = next((file for file in files if file.sniffed.format.encoding != "utf-8"), files[0])
    looked = _spread(files, FILES)
    samples = [(file, *_sample(file.path, strange.sniffed.format, ROWS // len(looked))) for file in looked]
    whole = len(looked) == len(files) and all(all_ for _, _, all_ in samples)
    found = look("", (), strange.sniffed, pa.concat_tables([cells for _, cells, _ in samples]), whole=whole)
    if folder is None and len(files) == len(looked):
        files = _in_time(found, [(file, cells) for file, cells, _ in samples])
    named = [folder.resolve()] if folder else [file.path.resolve() for file in files]
    names = tuple(path.relative_to(raw).as_posix() + ("/" if folder else "") for path in named)
    return replace(found, files=names, name=_called(named[0].name))


def _spread(files: list[_File], most: int) -> list[_File]:
    step = -(-len(files) // most)
    return files[::step]


def _called(name: str) -> str:
    """What to call a table: as its file or folder, without the endings."""
    stem = re.sub(r"(\.[A-Za-z]\w{0,6})+$", "", name)
    return re.sub(r"[\W_]+", " ", stem).strip() or "table"


def _in_time(looked: Looked, samples: list[tuple[_File, pa.Table]]) -> list[_File]:
    """The files in the order of their first days, so that later rows come later."""
    column = next((column for column in looked.columns if reading(column)), None)

    def first(cells: pa.Table) -> datetime:
        found = profile(cells.select([column.name]))[0].when if column else ()
        return found[0].first if found else datetime.max

    return [file for file, _ in sorted(samples, key=lambda each: first(each[1]))]


def _sample(path: Path, written: Format, rows: int) -> tuple[pa.Table, bool]:
    """Cells as texts: the first block and others spread over the file; and whether these are all."""
    kept: list[pa.Table] = []
    stride, whole, read = 1, True, 0
    for number, block in enumerate(read_blocks(path, written, BLOCK)):
        read += BLOCK
        if number % stride == 0:
            kept.append(block.cells.slice(0, rows))
        if sum(table.num_rows for table in kept) > rows and len(kept) > 1:
            kept, stride, whole = kept[::2], 2 * stride, False
        if read > READ_AT_MOST:
            whole = False
            break
    cells = pa.concat_tables(kept)
    return _texts(cells), whole and stride == 1


def _texts(cells: pa.Table) -> pa.Table:
    """Cells of other types (Parquet's) as texts, as ingest reads them."""
    names = ", ".join(f"CAST({ident(name)} AS VARCHAR) AS {ident(name)}" for name in cells.column_names)
    with duckdb.connect() as db:
        db.register("cells", cells)
        return db.sql(f"SELECT {names} FROM cells").to_arrow_table()
