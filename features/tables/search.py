"""Looking for a person in every file of a folder, decoded: the proof that nothing was left.

It shares no code with what erases. Pseudonyms, and ids that cannot be taken for anything else, are looked for in every
cell, every JSON value and all bytes; shorter ids, where a column is one of ids. Parquet, the vault's entries, JSON,
zip and npz members and gzip are decoded; SQLite shows its texts, those of freed pages too, in its bytes.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import InputError
from features.tables.person import Person
from features.tables.privacy import BLANKS
from features.tables.vault import SUFFIX, Vault
from features.workspace import damaged

WINDOW = 1 << 24
"""Bytes looked at together."""

ID_COLUMNS = ("customer_id", "id")
"""Columns of the vault that hold ids only, so that any id of a person is one there."""


@dataclass(frozen=True)
class Searched:
    """How many files were read, and the names of those in which the person was found."""

    files: int
    found: tuple[str, ...]


def search(
    folder: Path, person: Person, vault: Vault, id_columns: dict[str, set[str]], but: tuple[str, ...] = ()
) -> Searched:
    """Look for a person in all files below `folder`, names of files included, but for those that begin with `but`.

    id_columns: raw table → its columns of ids, for the lines that were refused. Raises InputError for a file that
    cannot be decoded: what cannot be read proves nothing.
    """
    seeker = _Seeker(person, vault, id_columns)
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    names = [name for name in names if not (but and name.startswith(but))]
    return Searched(len(names), tuple(name for name in names if seeker.in_text(name) or seeker.in_file(folder / name)))


@dataclass(frozen=True)
class _Seeker:
    person: Person
    vault: Vault
    id_columns: dict[str, set[str]]

    def in_file(self, path: Path) -> bool:
        """Whether the file says anything of the person, as it lies there or decoded."""
        try:
            with path.open("rb") as file:
                return self._in_stream(file.read) or self._decoded(path)
        except (ValueError, OSError, EOFError, pa.ArrowException, zipfile.BadZipFile) as error:
            if isinstance(error, FileNotFoundError):
                raise InputError(path, "a file that went away", "a workspace at rest", "Run it again.") from None
            raise damaged(path, error) from None

    def in_text(self, text: str) -> bool:
        """Whether a text is an id of the person, or has one in it."""
        return text in self.person.words or self._in_bytes(text.encode(errors="surrogatepass"))

    def _decoded(self, path: Path) -> bool:
        with path.open("rb") as file:
            magic = file.read(4)
        if path.suffix == SUFFIX and path.is_relative_to(self.vault.folder):
            return self._in_entry(str(path.relative_to(self.vault.folder)).removesuffix(SUFFIX))
        if magic == b"PAR1":
            return any(self._in_table(pa.table(batch)) for batch in _batches(path))
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                return self._in_stream(file.read)
        if magic == b"PK\x03\x04":
            return self._in_zip(path)
        if path.suffix in (".json", ".jsonl"):
            return any(self._in_value(json.loads(each)) for each in _documents(path))
        return False

    def _in_entry(self, name: str) -> bool:
        table = self.vault.read(name)
        ids = pa.array(sorted(self.person.ids | self.person.raw_ids))
        columns = [column for column in ID_COLUMNS if column in table.column_names]
        if any(pc.any(pc.is_in(table[column], ids)).as_py() for column in columns):
            return True
        if name.startswith("quarantine/") and any(map(self._in_line, table.select(["table", "row"]).to_pylist())):
            return True
        return self._in_table(table)

    def _in_line(self, line: dict[str, str]) -> bool:
        columns = self.id_columns.get(line["table"])
        row = json.loads(line["row"])
        if isinstance(row, str):  # a line that is no row
            return self.in_text(row)
        cells = {column: str(cell).strip(BLANKS) for column, cell in row.items()}
        return any(
            cell in self.person.raw_ids for column, cell in cells.items() if columns is None or column in columns
        )

    def _in_table(self, table: pa.Table) -> bool:
        words = pa.array(sorted(self.person.words), pa.string())
        for column in table.columns:
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
                continue
            values = pc.unique(column).drop_null().cast(pa.string())
            if pc.any(pc.is_in(values, words)).as_py():
                return True
            written = values.filter(pc.match_substring_regex(values, r"^\s*[\[{]"))  # maybe JSON
            if any(self._in_value(value) for text in written.to_pylist() for value in _json(text)):
                return True
        return False

    def _in_value(self, value: Any) -> bool:
        if isinstance(value, dict):
            return any(self.in_text(key) or self._in_value(each) for key, each in value.items())
        if isinstance(value, list):
            return any(map(self._in_value, value))
        return isinstance(value, str) and self.in_text(value)

    def _in_zip(self, path: Path) -> bool:
        with zipfile.ZipFile(path) as members:
            for member in members.namelist():
                content = members.read(member)
                if self.in_text(member) or self._in_bytes(content):
                    return True
                if member.endswith(".npy"):
                    array = np.load(io.BytesIO(content), allow_pickle=False)
                    if array.dtype.kind in "US" and any(map(self.in_text, np.unique(array.astype(str)).tolist())):
                        return True
        return False

    def _in_stream(self, read: Callable[[int], bytes]) -> bool:
        overlap = max(len(word.encode(errors="surrogatepass")) for word in self.person.words) + 2
        kept = b""
        while block := read(WINDOW):
            if self._in_bytes(kept + block):
                return True
            kept = (kept + block)[-overlap:]
        return False

    def _in_bytes(self, content: bytes) -> bool:
        """A pseudonym anywhere; another id where neither a letter nor a digit goes on."""
        for word in self.person.words:
            sought = word.encode(errors="surrogatepass")
            at = content.find(sought)
            while at >= 0:
                around = content[max(at - 1, 0) : at] + content[at + len(sought) : at + len(sought) + 1]
                if word in self.person.ids or not any(chr(byte).isalnum() and byte < 128 for byte in around):
                    return True
                at = content.find(sought, at + 1)
        return False


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        texts = [field.name for field in file.schema_arrow if not pa.types.is_primitive(field.type)]
        if texts:
            yield from file.iter_batches(columns=texts)


def _documents(path: Path) -> Collection[str]:
    text = path.read_text(encoding="utf-8")
    return text.splitlines() if path.suffix == ".jsonl" else [text]


def _json(text: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except ValueError:
        return []  # it only looked like it
