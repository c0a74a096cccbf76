"""Slowly changing attributes: as they were at a date, never as they became."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.attributes import attribute_table
from features.errors import InputError
from features.tables.events import CUSTOMERS
from tests.histories import customer

DAYS = st.none() | st.dates(date(2020, 1, 1), date(2020, 3, 1))
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["region", "industry", "birthday"]), st.none() | st.text("ab"), DAYS),
    max_size=20,
)


def write(folder: Path, rows: list[tuple[int, str, str | None, date | None]]) -> None:
    """A customer table of (customer, attribute, value, valid_from)."""
    family = {"birthday": "private", "region": "social", "industry": "occupational"}
    said = [dict(zip(CUSTOMERS.names, (customer(c), a, v, d, family[a], None), strict=True)) for c, a, v, d in rows]
    pq.write_table(pa.Table.from_pylist(said, CUSTOMERS), folder / "customers.parquet")


@settings(deadline=None, derandomize=True, max_examples=60)
@given(rows=ROWS, as_ofs=st.lists(st.dates(date(2019, 12, 1), date(2020, 4, 1)), min_size=1, max_size=3))
def test_the_last_value_before_the_date(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], as_ofs: list[date]
) -> None:
    """Against a plain search; private attributes are left out, and rows of the date itself or later change nothing."""
    folder = tmp_path_factory.mktemp("tables")
    write(folder, rows)
    wanted = []
    for key in sorted({(customer(c), a, c) for c, a, _, _ in rows if a != "birthday"}):
        for as_of in sorted(set(as_ofs)):
            valid = [
                (d or date.min, v is not None, v or "", v)
                for c, a, v, d in rows
                if (c, a) == (key[2], key[1]) and (d or date.min) < as_of
            ]
            if valid:
                wanted.append((key[0], as_of, key[1], max(valid)[3]))
    got = attribute_table(folder, as_ofs)
    assert [tuple(row.values())[:4] for row in got.to_pylist()] == sorted(wanted, key=lambda row: row[:3])


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    """A file that is no Parquet is an InputError with its name."""
    (tmp_path / "customers.parquet").write_bytes(b"not a table")
    with pytest.raises(InputError, match="customers"):
        attribute_table(tmp_path, [date(2020, 1, 1)])
