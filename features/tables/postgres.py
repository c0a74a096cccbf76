"""Tables of a PostgreSQL database, copied into a CSV file that the readers read like any other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from features.errors import InputError
from features.tables.reading import Database

PATIENCE = 10
"""Seconds after which a server that does not answer counts as away, unless the URL has a connect_timeout."""

SETTINGS = "SET DateStyle = 'ISO'; SET TimeZone = 'UTC'; SET IntervalStyle = 'iso_8601'"

READABLE = """
SELECT schemas.nspname || '.' || tables.relname
FROM pg_class AS tables JOIN pg_namespace AS schemas ON schemas.oid = tables.relnamespace
WHERE tables.relkind IN ('r', 'p', 'v', 'm', 'f') AND schemas.nspname NOT IN ('pg_catalog', 'information_schema')
    AND has_schema_privilege(schemas.oid, 'USAGE') AND has_table_privilege(tables.oid, 'SELECT')
ORDER BY 1
"""


def dump_table(database: Database, path: Path, limit: int | None = None) -> None:
    """Write a table, as it is at one moment, into the new file `path`: CSV in UTF-8 with a header, times in UTC.

    limit: rows at most. Raises InputError for a server, a table or a right that is not there.
    """
    rows = sql.SQL("SELECT * FROM {}").format(sql.Identifier(*database.table.split(".", 1)))
    if limit is not None:
        rows += sql.SQL(" LIMIT {}").format(sql.Literal(limit))
    query = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER)").format(rows)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _connection(database.url) as connection:
            new.touch(mode=0o600)
            with new.open("wb") as file, connection.cursor() as cursor, cursor.copy(query) as copy:
                for data in copy:
                    file.write(data)
        new.replace(path)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        there = ", ".join(list_tables(database.url)[:20]) or "none that this user may read"
        place, found = _shown(database.url), f"no table '{database.table}'"
        raise InputError(place, found, f"one of its tables: {there}") from None
    except psycopg.Error as error:
        raise _refused(database.url, error) from None
    finally:
        new.unlink(missing_ok=True)


def list_tables(url: str) -> list[str]:
    """The tables and views that the user of the URL may read, as schema.name, in order."""
    try:
        with _connection(url) as connection:
            return [name for (name,) in connection.execute(READABLE)]
    except psycopg.Error as error:
        raise _refused(url, error) from None


@contextmanager
def _connection(url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """One transaction that can only read."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # the message may repeat the URL, and a password in it
        raise InputError(_shown(url), "no address", "postgresql://user@host:port/database") from None
    options: dict[str, Any] = {"connect_timeout": PATIENCE, **given, "client_encoding": "utf8"}
    with psycopg.connect(**options) as connection:
        connection.read_only = True
        connection.execute(SETTINGS)
        yield connection


def _refused(url: str, error: psycopg.Error) -> InputError:
    """What the server, or the lack of one, means to the user. The message of a data error, which shows data, is not."""
    place = _shown(url)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return InputError(place, str(error).splitlines()[0], "the right to read", "GRANT SELECT to this user.")
    if isinstance(error, psycopg.OperationalError):
        found = " ".join(str(error).split())[:300]
        return InputError(place, found, "", "Is the server up, and the password in PGPASSWORD or ~/.pgpass?")
    return InputError(place, f"{type(error).__name__}, SQLSTATE {error.sqlstate}", "a table that can be read")


def _shown(url: str) -> str:
    """The URL without password and options."""
    scheme, _, address = url.partition("://")
    address = address.partition("?")[0]
    user, at, host = address.rpartition("@")
    return f"{scheme}://{user.partition(':')[0]}{at}{host}"
