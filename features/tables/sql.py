"""Quoting for SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

from features.calendar import zone
from features.workspace import part_files


def ident(name: str) -> str:
    """A column's name, quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def file_text(path: Path) -> str:
    """A path for DuckDB, which would take a star, a question mark or a bracket in it for a pattern of names."""
    return text("".join(f"[{c}]" if c in "[*?" else c for c in str(path)))


def parquet(table: Path) -> str:
    """The rows of a Parquet table, a file or a folder of part files, for FROM."""
    return f"read_parquet([{', '.join(map(file_text, part_files(table) or [table]))}])"


def text(value: object) -> str:
    """A string, quoted for SQL."""
    return "'" + str(value).replace("'", "''") + "'"


def instant(moment: datetime) -> str:
    """An instant, for SQL."""
    return f"TIMESTAMPTZ '{moment.astimezone(UTC).isoformat()}'"


def visible(as_of: date, timezone: str, of: str = "") -> str:
    """The condition of a row of the event table that was to be seen at `as_of`: it had happened, was known, and was not
    replaced. timezone: the company's; of: the table's name in the query, with a dot."""
    midnight = instant(datetime.combine(as_of, time(), zone(timezone)))
    known = f"({of}known_at IS NULL OR {of}known_at < {midnight})"
    return f"({of}day < DATE '{as_of}' AND {known} AND ({of}known_until IS NULL OR {of}known_until >= {midnight}))"
