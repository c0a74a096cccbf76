"""Tables of a real PostgreSQL server, dumped as files."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from features.errors import InputError
from features.tables.postgres import dump_table, list_tables
from features.tables.readers import read_blocks
from features.tables.reading import Database, Format
from tests.postgres import PASSWORD, postgres_url

__all__ = ["postgres_url"]

ODD_NAME = 'or"ders; DROP TABLE orders'


@pytest.fixture(scope="module")
def url(postgres_url: str) -> str:
    """The server with a few tables."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("""
            CREATE TABLE orders (id bigint, customer text, at timestamptz, amount numeric(12, 2), paid boolean);
            INSERT INTO orders VALUES
                (1, 'Müller, "Anna"', '2026-03-01 10:00:00+02', 12.50, true),
                (2, E'two\\nlines', '2026-03-02 00:30:00+00', NULL, false),
                (3, '', NULL, -1, NULL);
            CREATE SCHEMA shop;
            CREATE TABLE shop."Orders" AS SELECT i AS id, 'C' || i AS customer FROM generate_series(1, 100000) AS i;
            CREATE VIEW shop.wrong AS SELECT customer::int AS number FROM orders;
            CREATE ROLE guest LOGIN;
            GRANT SELECT ON orders TO guest;
        """)
        connection.execute(psycopg.sql.SQL("CREATE TABLE {} (id int)").format(psycopg.sql.Identifier(ODD_NAME)))
        connection.execute(psycopg.sql.SQL("ALTER ROLE guest PASSWORD {}").format(psycopg.sql.Literal(PASSWORD)))
    return postgres_url


def database(url: str, table: str) -> Database:
    return Database.model_validate({"url": url, "table": table})


def test_a_dumped_table_reads_as_it_stands_in_the_database(url: str, tmp_path: Path) -> None:
    """Commas, quotes, line ends and umlauts included; times in UTC; a null is an empty cell."""
    dump_table(database(url, "orders"), tmp_path / "orders.csv")
    (block,) = read_blocks(tmp_path / "orders.csv", Format())
    assert block.misfits == ()
    assert block.cells.to_pylist() == [
        {"id": "1", "customer": 'Müller, "Anna"', "at": "2026-03-01 08:00:00+00", "amount": "12.50", "paid": "t"},
        {"id": "2", "customer": "two\nlines", "at": "2026-03-02 00:30:00+00", "amount": "", "paid": "f"},
        {"id": "3", "customer": "", "at": "", "amount": "-1.00", "paid": ""},
    ]


def test_a_table_of_another_schema_is_dumped_whole_or_up_to_a_limit(url: str, tmp_path: Path) -> None:
    for limit, rows in ((None, 100_000), (10, 10), (0, 0)):
        dump_table(database(url, "shop.Orders"), tmp_path / "orders.csv", limit)
        assert len((tmp_path / "orders.csv").read_text().splitlines()) == 1 + rows


def test_a_dump_is_for_its_owner_only(url: str, tmp_path: Path) -> None:
    dump_table(database(url, "orders"), tmp_path / "orders.csv")
    assert (tmp_path / "orders.csv").stat().st_mode & 0o077 == 0


def test_all_readable_tables_are_listed(url: str) -> None:
    assert list_tables(url) == [f"public.{ODD_NAME}", "public.orders", "shop.Orders", "shop.wrong"]
    assert list_tables(url.replace("owner", "guest")) == ["public.orders"]


def test_the_name_of_a_table_is_never_sql(url: str, tmp_path: Path) -> None:
    dump_table(database(url, ODD_NAME), tmp_path / "odd.csv")
    assert (tmp_path / "odd.csv").read_text() == "id\n"
    with pytest.raises(InputError, match="no table"):
        dump_table(database(url, "orders; DROP TABLE orders"), tmp_path / "odd.csv")
    assert "public.orders" in list_tables(url)


@pytest.mark.parametrize(
    ("change", "table", "found"),
    [
        (("", ""), "order", r"no table 'order'; wanted one of its tables: .*public\.orders"),
        (("", ""), "shops.orders", r"no table 'shops\.orders'"),
        (("owner@", "guest@"), "shop.Orders", "permission denied for schema shop"),
        (("owner@", "nobody@"), "orders", "password authentication failed"),
        (("/postgres", "/none"), "orders", 'database "none" does not exist'),
        (("127.0.0.1", "127.0.0.2"), "orders", "Connection refused"),
    ],
)
def test_what_cannot_be_read_is_said_without_the_password(
    change: tuple[str, str], table: str, found: str, url: str, tmp_path: Path
) -> None:
    asked = url.replace(*change)
    with pytest.raises(InputError, match=found) as caught:
        dump_table(database(asked, table), tmp_path / "orders.csv")
    assert str(caught.value).startswith("postgresql://")
    assert list(tmp_path.iterdir()) == [], "a file of a table that could not be read"


def test_a_password_in_the_url_is_shown_nowhere(tmp_path: Path) -> None:
    for url in (
        f"postgresql://owner:{PASSWORD}@127.0.0.1:1/none",
        f"postgresql://owner@127.0.0.1:1/none?password={PASSWORD}",
        f"postgresql://owner:{PASSWORD}@127.0.0.1:x/none",
        f"postgresql://owner:{PASSWORD}@[127.0.0.1/none",
    ):
        with pytest.raises(InputError) as caught:
            list_tables(url)
        assert PASSWORD not in str(caught.value)


def test_an_error_in_the_data_does_not_show_the_data(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="InvalidTextRepresentation") as caught:
        dump_table(database(url, "shop.wrong"), tmp_path / "wrong.csv")
    assert "Müller" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_dump_cannot_write_into_the_database(url: str, tmp_path: Path) -> None:
    """Not even through a view that would."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE FUNCTION gone() RETURNS int LANGUAGE sql AS 'DELETE FROM orders RETURNING 1'")
        connection.execute("CREATE VIEW tricky AS SELECT gone() AS one")
    try:
        with pytest.raises(InputError, match="ReadOnlySqlTransaction"):
            dump_table(database(url, "tricky"), tmp_path / "tricky.csv")
    finally:
        with psycopg.connect(url) as connection:
            connection.execute("DROP VIEW tricky")
