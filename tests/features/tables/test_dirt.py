"""Fifty kinds of dirt in a company's files: each ends where it should, and the rest is as if it had not been there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.batch import feature_table
from features.catalogue import CATALOGUE
from features.tables.counts import SIDES, Counts
from features.tables.events import broken_rules
from features.tables.ingest import ingest
from features.tables.intake import tombstone
from features.tables.privacy import Pseudonyms
from features.tables.quarantine import refused_lines
from features.tables.sources import load_source
from features.tables.sql import parquet
from features.tables.vault import open_vault
from features.workspace import Workspace, write_json
from tests.conftest import real_data
from tests.features.tables.dirt import DIRT, FORGOTTEN, Planted, plant, write_clean

NOW = datetime(2012, 2, 1, tzinfo=UTC)
AS_OFS = (date(2011, 9, 1), date(2011, 12, 10))

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Shop:
    """The files of a shop, and what was read of them."""

    workspace: Workspace
    counts: dict[str, Counts]

    def features(self) -> pa.Table:
        company = load_source(str(self.workspace.home / "dirty.yaml")).company()
        return feature_table(self.workspace.tables, company, CATALOGUE, AS_OFS)


@dataclass(frozen=True)
class Shops:
    """The same shop twice, and what was spoiled in the second one's files."""

    clean: Shop
    dirty: Shop
    planted: list[Planted]

    def of(self, kind: str) -> list[Planted]:
        return [each for each in self.planted if each.dirt == kind]


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory, pseudonyms: Pseudonyms) -> Shops:
    raw = pd.read_parquet(real_data("online_retail/online_retail.parquet") / "online_retail.parquet")
    clean, dirty = (tmp_path_factory.mktemp(name) for name in ("clean", "dirty"))
    planted = plant(write_clean(raw, clean), clean, dirty)
    return Shops(read(clean, pseudonyms), read(dirty, pseudonyms), planted)


def read(folder: Path, pseudonyms: Pseudonyms) -> Shop:
    workspace = Workspace(folder)
    workspace.tables.mkdir()
    write_json(workspace.tables / "forgotten.json", [tombstone(pseudonyms.of(FORGOTTEN))])
    done = ingest(load_source(str(folder / "dirty.yaml")), folder, workspace, pseudonyms, now=NOW)
    return Shop(workspace, {counts.table: counts for counts in done.counts})


def test_there_is_room_for_every_kind(shops: Shops) -> None:
    """Each kind was planted as often as it says, and most customers were let be."""
    assert len(DIRT) >= 40
    assert Counter(each.dirt for each in shops.planted) == {name: dirt.times for name, dirt in DIRT.items()}


@pytest.mark.parametrize("table", ["customers", "lines", "ledger"])
def test_every_line_is_accounted_for(table: str, shops: Shops) -> None:
    """accepted + fixed + quarantined + dropped = read, and a blank line is none."""
    found, before = shops.dirty.counts[table], shops.clean.counts[table]
    added = sum(DIRT[each.dirt].added for each in shops.planted if DIRT[each.dirt].table == table)
    assert found.missing == 0
    assert found.read == before.read + added
    assert broken_rules(shops.dirty.workspace.tables / "events.parquet") == {}


@pytest.mark.parametrize("table", ["customers", "lines", "ledger"])
def test_every_count_is_exact(table: str, shops: Shops) -> None:
    """Beside what the clean files have of it, each rule counts the rows spoiled for it, and no other."""
    found, wanted = shops.dirty.counts[table], shops.clean.counts[table]
    for each in shops.planted:
        dirt = DIRT[each.dirt]
        if dirt.table == table and dirt.ends != "accepted":
            wanted = wanted.plus(Counts(table, dirt.added, dirt.added - 1, **{dirt.ends: Counter({dirt.rule: 1})}))
    assert {side: getattr(found, side) for side in SIDES} == {side: getattr(wanted, side) for side in SIDES}
    assert (found.read, found.accepted) == (wanted.read, wanted.accepted)


@pytest.mark.parametrize("kind", [name for name, dirt in DIRT.items() if dirt.ends == "quarantined"])
def test_what_is_set_aside_has_its_line_and_reason(kind: str, shops: Shops, pseudonyms: Pseudonyms) -> None:
    """Every spoiled row is in the vault, under the line where it begins and the rule it broke."""
    dirt, lines = DIRT[kind], [each.line for each in shops.of(kind)]
    refused = refused_lines(open_vault(shops.dirty.workspace.tables, pseudonyms))
    here = refused.filter(pc.equal(refused["table"], dirt.table))
    found = here.filter(pc.is_in(here["line"], value_set=pa.array(lines)))
    assert dict(zip(found["line"].to_pylist(), found["rule"].to_pylist(), strict=True)) == dict.fromkeys(
        lines, dirt.rule
    )


@pytest.mark.parametrize("kind", [name for name, dirt in DIRT.items() if dirt.of != "customer"])
def test_the_events_of_a_spoiled_order(kind: str, shops: Shops, pseudonyms: Pseudonyms) -> None:
    """They are the same to the last cell where the dirt was mended or was a row too many; else one is missing."""
    with duckdb.connect() as db:
        refs = pd.DataFrame([(pseudonyms.of(each.customer), each.ref) for each in shops.of(kind)], columns=["id", "of"])
        db.register("refs", refs)
        clean, dirty = (
            db.sql(
                f"SELECT e.* FROM {parquet(shop.workspace.tables / 'events.parquet')} e "
                "JOIN refs ON e.customer_id = refs.id AND e.ref = refs.of ORDER BY ALL"
            ).to_arrow_table()
            for shop in (shops.clean, shops.dirty)
        )
    assert clean.num_rows >= len(refs)
    if DIRT[kind].harmless:
        assert dirty.equals(clean)
    else:
        assert dirty.num_rows == clean.num_rows - len(refs)


def test_the_others_have_the_same_features(shops: Shops, pseudonyms: Pseudonyms) -> None:
    """To the bit: customers whose rows were let be, were mended, or got a row too many."""
    spoiled, mended = (
        {pseudonyms.of(each.customer) for each in shops.planted if DIRT[each.dirt].harmless is harmless}
        for harmless in (False, True)
    )
    clean, dirty = shops.clean.features(), shops.dirty.features()
    same = set(clean["customer_id"].to_pylist()) - spoiled
    assert len(same) > 3_000 and len(mended & same) > 300
    for_them = [rows.filter(pc.is_in(rows["customer_id"], value_set=pa.array(same))) for rows in (clean, dirty)]
    assert for_them[0].num_rows > len(same) and for_them[0].equals(for_them[1])
    assert set(dirty["customer_id"].to_pylist()) <= set(clean["customer_id"].to_pylist())


def test_reading_the_dirt_again_changes_nothing(shops: Shops, pseudonyms: Pseudonyms) -> None:
    """The same files read afresh give the same bytes."""
    workspace = shops.dirty.workspace
    before = plain_files(workspace)
    ingest(load_source(str(workspace.home / "dirty.yaml")), workspace.home, workspace, pseudonyms, now=NOW, afresh=True)
    assert plain_files(workspace) == before


def plain_files(workspace: Workspace) -> dict[str, bytes]:
    files = (path for path in workspace.tables.rglob("*") if path.is_file() and path.suffix != ".sealed")
    return {str(path.relative_to(workspace.tables)): path.read_bytes() for path in files}
