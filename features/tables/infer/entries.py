"""What the entries of all tables have in common: where a table is and how it reads, and which columns are not used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from features.tables.infer.guess import Guess, plain, shown
from features.tables.infer.looked import Looked

Table = dict[str, Any]
"""Key of a table of a source file → its guess, or several."""


def head(looked: Looked, gives: str) -> Table:
    """The first entries of a table."""
    found: Table = {"name": Guess(looked.name), "gives": Guess(gives)}
    if looked.database:
        return found | {"database": Guess(looked.database.model_dump())}
    found["files"] = Guess(list(looked.files))
    form = looked.sniffed.format
    if looked.decimal == "," and form.type in ("csv", "whitespace", "excel"):
        form = form.model_copy(update={"decimal": ","})
    written = form.model_dump(exclude_defaults=True, mode="json")
    if written:
        found["format"] = Guess(written, looked.sniffed.why, looked.sniffed.unsure)
    return found


def note_unused(looked: Looked, tables: list[Table], why: Mapping[str, str] | None = None) -> list[Table]:
    """The tables, the first with a note of the columns that none of them uses; why: column → the reason, if told."""
    used = {text for table in tables for key, each in table.items() if key != "format" for text in _texts(plain(each))}
    reasons = {name: f" ({reason})" for name, reason in (why or {}).items()}
    unused = [shown(c.name) + reasons.get(c.name, "") for c in looked.columns if c.name not in used]
    if not unused:
        return tables
    first, *others = tables
    return [first | {"gives": replace(first["gives"], why=f"not used: {', '.join(unused)}")}, *others]


def _texts(value: Any) -> Iterator[str]:
    """All texts of a value, keys among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
