"""What is refused waits for a person: to look at it, let it in, put it right or drop it. It is always counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.tables.counts import Counts
from features.tables.ingest import ingest
from features.tables.privacy import Pseudonyms
from features.tables.quarantine import refused_lines
from features.tables.release import Choice, discard, release
from features.tables.sources import Source, load_source
from features.tables.vault import open_vault
from features.workspace import Workspace, read_json

SOURCE = """
name: shop
title: A shop
unreadable: 1.0
tables:
  - name: orders
    gives: events
    files: [orders.csv]
    customer: customer
    time: {column: at}
    kind:
      - {is: return, when: {amount: {below: 0}}}
      - {is: purchase}
    ref: order
    amount: amount
    require:
      - {rule: known-channel, that: {channel: {any_of: [web, shop]}}}
"""
LINES = """customer,at,order,amount,channel
anna,2026-03-01,1,10.00,web
anna,2026-03-05,2,,web
bert,2026-03-06,3,abc,web
,2026-03-07,4,4.00,shop
bert,2026-03-08,5,5.00,fax
zoe,2026-03-09,6,6.00,
anna,2026-02-01,1,-1.00,web
bert,2026-03-10,8
"""
NOW = datetime(2026, 4, 1, tzinfo=UTC)


class Shop:
    """A shop whose export was taken in."""

    def __init__(self, folder: Path, pseudonyms: Pseudonyms) -> None:
        self.pseudonyms, self.workspace = pseudonyms, Workspace(folder / "home")
        (folder / "orders.csv").write_text(LINES)
        (folder / "shop.yaml").write_text(SOURCE)
        self.source: Source = load_source(str(folder / "shop.yaml"))
        ingest(self.source, folder, self.workspace, pseudonyms, now=NOW)

    def rules(self) -> dict[int, str]:
        lines = refused_lines(open_vault(self.workspace.tables, self.pseudonyms))
        return dict(sorted(zip(lines["line"].to_pylist(), lines["rule"].to_pylist(), strict=True)))

    def release(self, choice: Choice, **changes: str) -> None:
        release(self.source, self.workspace, self.pseudonyms, choice, changes, now=NOW)

    def refs(self) -> list[str]:
        return sorted(pq.read_table(self.workspace.tables / "events.parquet")["ref"].to_pylist())

    def counts(self) -> Counts:
        found = Counts.from_json(read_json(self.workspace.tables / "report.json")["tables"][0])
        assert found.read == 8 and found.missing == 0
        assert sum(found.quarantined.values()) == len(self.rules())
        return found


@pytest.fixture
def shop(tmp_path: Path, pseudonyms: Pseudonyms) -> Shop:
    """One sound line of eight."""
    return Shop(tmp_path, pseudonyms)


def test_every_refused_line_waits_with_its_reason(shop: Shop) -> None:
    """A missing cell fails a requirement, too: what is not there was not shown to hold."""
    assert shop.rules() == {
        3: "missing-amount",
        4: "unreadable-amount",
        5: "missing-customer",
        6: "known-channel",
        7: "known-channel",
        8: "return-before-purchase",
        9: "wrong-width",
    }
    assert shop.refs() == ["1"] and shop.counts().accepted == 1
    rows = refused_lines(open_vault(shop.workspace.tables, shop.pseudonyms))["row"].to_pylist()
    assert {"customer": "bert", "at": "2026-03-06", "order": "3", "amount": "abc", "channel": "web"} in map(
        json.loads, rows
    )


def test_a_released_line_enters_by_the_ordinary_way(shop: Shop) -> None:
    """Without the rule it broke; it is known from the release on, and counted as accepted."""
    shop.release(Choice(rule="known-channel", line=6))
    assert shop.refs() == ["1", "5"] and 6 not in shop.rules()
    assert shop.counts().accepted == 2
    event = next(e for e in pq.read_table(shop.workspace.tables / "events.parquet").to_pylist() if e["ref"] == "5")
    assert event["known_at"] == NOW
    shop.release(Choice(rule="return-before-purchase"))
    shop.release(Choice(rule="missing-amount"))
    assert shop.refs() == ["1", "1", "2", "5"] and shop.counts().accepted == 4


def test_a_cell_put_right_meets_every_rule_again(shop: Shop) -> None:
    """The customer is filled in; a wrong filling goes back to quarantine."""
    shop.release(Choice(rule="missing-customer"), customer="carl")
    assert shop.refs() == ["1", "4"]
    shop.release(Choice(rule="unreadable-amount"), amount="still no number")
    assert shop.rules()[4] == "unreadable-amount"
    shop.release(Choice(rule="unreadable-amount"), amount="€3.50")
    assert shop.refs() == ["1", "3", "4"]
    assert dict(shop.counts().fixed) == {"currency-sign": 1}


def test_what_nobody_can_waive_stays(shop: Shop) -> None:
    """A line without a customer is no event of anybody; what is no row cannot become one. Nothing has changed."""
    before = shop.rules()
    for rule in ("missing-customer", "unreadable-amount", "wrong-width"):
        with pytest.raises(InputError):
            shop.release(Choice(rule=rule))
    with pytest.raises(InputError, match="no line"):
        shop.release(Choice(rule="future-day"))
    with pytest.raises(InputError, match="the column 'x'"):
        shop.release(Choice(rule="missing-customer"), x="1")
    assert shop.rules() == before


def test_a_dropped_line_stays_counted(shop: Shop) -> None:
    """It is gone from the vault, not from the sum."""
    assert discard(shop.workspace, shop.pseudonyms, Choice(rule="wrong-width")) == 1
    assert 9 not in shop.rules() and dict(shop.counts().dropped) == {"by-hand": 1}
    discard(shop.workspace, shop.pseudonyms, Choice())
    assert shop.rules() == {} and shop.counts().dropped["by-hand"] == 7


def test_the_commands(shop: Shop, scoring: Callable[..., tuple[int, str]], capsys: pytest.CaptureFixture[str]) -> None:
    """list, show, release, drop; only `show` says what stands in a line."""
    folder = shop.workspace.home.parent
    where = ("--source", folder / "shop.yaml", "--home", shop.workspace.home)

    def said(*words: object) -> str:
        import sys

        from serving.cli import main

        sys.argv = ["scoring", "quarantine", *map(str, words), *map(str, where)]
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
        return capsys.readouterr().out

    listed = said("list")
    assert "7 lines in quarantine" in listed and "known-channel" in listed and "bert" not in listed
    assert "customer=bert" in said("show", "--rule", "unreadable-amount")
    said("release", "--rule", "known-channel", "--line", "6")
    assert shop.refs() == ["1", "5"]
    assert "1 lines are dropped" in said("drop", "--rule", "missing-customer")
    assert scoring("quarantine", "release", "--rule", "missing-customer", *where)[0] == 2
    assert scoring("quarantine", "release", "--set", "x", *where)[0] == 2
