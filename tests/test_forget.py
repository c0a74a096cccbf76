"""A person can be forgotten: everywhere, with proof, after a crash too; or restricted, where the law wants it kept."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.tables.audit import verify
from features.tables.events import EVENTS
from features.tables.holds import read_holds
from features.tables.merges import write_merges
from features.tables.person import forgotten, is_telling, tombstone
from features.tables.privacy import Pseudonyms
from features.tables.vault import open_vault
from features.workspace import Workspace
from serving.desk import Desk
from serving.forgetting import forget, forget_due, set_hold
from serving.store.sqlite import SqliteStore
from tests.small_world import ANNA, BERT, CARL, SEVEN, contents, small_world

TODAY = date(2026, 11, 23)


@pytest.fixture
def desk(tmp_path: Path, pseudonyms: Pseudonyms) -> Desk:
    return small_world(tmp_path, pseudonyms)


def events(desk: Desk) -> list[dict[str, object]]:
    return list(pq.read_table(desk.workspace.tables / "events.parquet").to_pylist())


def everything(desk: Desk) -> str:
    """All that the workspace says, decoded by other means than the search."""
    home, said = desk.workspace.home, []
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        said.append(f"{path}\n{path.read_bytes()!r}")
        if path.suffix == ".parquet":
            said.append(str(pq.ParquetFile(path).read().to_pylist()))
    return "\n".join([*said, *(str(table.to_pylist()) for _, table in desk.vault.tables(""))])


def refused(desk: Desk) -> list[dict[str, str]]:
    return [json.loads(row) for _, table in desk.vault.tables("quarantine") for row in table["row"].to_pylist()]


@pytest.mark.parametrize("who", [ANNA, BERT, CARL, SEVEN])
def test_nothing_of_the_person_is_left(desk: Desk, who: str) -> None:
    """In tables, vault, features, predictions, grades, stores: something before, nothing afterwards; the others keep
    all they had."""
    mine = desk.pseudonyms.of(who)
    before = [e for e in events(desk) if e["customer_id"] != mine]
    assert len(desk.search(desk.person(who)).found) >= 10 and mine in everything(desk)
    done = forget(desk, desk.person(who), "asked", TODAY)
    assert mine not in everything(desk) and tombstone(mine) in forgotten(desk.workspace.tables)
    assert who == SEVEN or who not in everything(desk)
    assert desk.search(desk.person(who)).found == () and done.searched > 20
    kept = [e | {"counterparty": None} if e["counterparty"] == mine else e for e in before]
    assert events(desk) == kept
    assert pq.read_schema(next((desk.workspace.tables / "events.parquet").iterdir())).equals(EVENTS)
    names = {name for _, table in desk.vault.tables("names") for name in table["id"].to_pylist()}
    assert names == {ANNA, BERT, CARL, SEVEN} - {who}


def test_a_workspace_is_found_from_where_one_stands(
    tmp_path: Path, pseudonyms: Pseudonyms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default it is `data/<source>`, a path that begins here."""
    monkeypatch.chdir(tmp_path)
    desk = small_world(Path(), pseudonyms)
    forget(desk, desk.person(ANNA), "asked", TODAY)
    assert desk.search(desk.person(ANNA)).found == ()


def test_refused_lines_go_by_the_columns_of_ids(desk: Desk) -> None:
    """The customer `7` has one refused line; another one's order number 7 is not that customer."""
    assert len(refused(desk)) == 4
    forget(desk, desk.person(SEVEN), "", TODAY)
    orders = [(row["customer"], row["order"]) for row in refused(desk) if "order" in row]
    assert sorted(orders) == [(ANNA, "2"), (BERT, "7")] and len(refused(desk)) == 3
    assert [e["item"] for e in events(desk) if e["customer_id"] == desk.pseudonyms.of(BERT) and e["item"]] == ["7"]


def test_a_refused_line_of_another_that_names_the_person_goes(desk: Desk) -> None:
    """Carl's transfer to Anna has her id in it."""
    forget(desk, desk.person(ANNA), "", TODAY)
    assert len(refused(desk)) == 2 and ANNA not in str(refused(desk))


def test_an_id_that_another_customer_names_is_erased_there(desk: Desk) -> None:
    """`referred_by` of another customer becomes unknown; the customer stays."""
    forget(desk, desk.person(ANNA), "", TODAY)
    rows = pq.read_table(desk.workspace.tables / "customers.parquet").to_pylist()
    said = {r["attribute"]: r["value"] for r in rows if r["customer_id"] == desk.pseudonyms.of(BERT)}
    assert said == {"region": "south", "referred_by": None}


def test_files_without_the_person_keep_their_bytes(desk: Desk) -> None:
    """Only what had the person is rewritten, and the audit log says each with its digests."""
    before = contents(desk.workspace.home)
    forget(desk, desk.person(CARL), "", TODAY)
    after = contents(desk.workspace.home)
    changed = {name for name in before if before[name] != after.get(name)}
    logged = {f["file"] for line in desk.audit.lines(desk.person(CARL)) for f in line.get("files", ())}
    assert changed == logged and 8 <= len(changed) < len(before)
    assert {name for name in changed if "features.parquet" in name} < {n for n in before if "features.parquet" in n}
    assert "tables/items.parquet" not in changed and "grades/2026-04-01-v1/ranks.npz" not in changed


def test_forgetting_again_changes_nothing(desk: Desk) -> None:
    """The second run finds nothing to do, and proves it again."""
    forget(desk, desk.person(ANNA), "", TODAY)
    before = contents(desk.workspace.home)
    done = forget(desk, desk.person(ANNA), "", TODAY)
    assert contents(desk.workspace.home) == before and done.files == []


def test_merged_ids_are_forgotten_together(desk: Desk) -> None:
    """Whichever of its ids is named: the rows, the merges and the names of all of them."""
    a, b, c = map(desk.pseudonyms.of, (ANNA, BERT, CARL))
    write_merges(desk.workspace.tables, {c: a, b: a})
    person = desk.person(CARL)
    assert person.ids == {a, b, c} and person.raw_ids == {ANNA, BERT, CARL}
    forget(desk, person, "", TODAY)
    assert len(forgotten(desk.workspace.tables)) == 3
    assert {e["customer_id"] for e in events(desk)} == {desk.pseudonyms.of(SEVEN)}
    assert not any(id_ in everything(desk) for id_ in (a, b, c))


def test_it_works_after_ingest_alone(desk: Desk) -> None:
    """No features, no grades, no store, no vault yet."""
    import shutil

    for folder in (desk.workspace.features, desk.workspace.training, desk.workspace.grades, desk.workspace.store):
        shutil.rmtree(folder)
    shutil.rmtree(desk.vault.folder)
    forget(desk, desk.person(ANNA), "", TODAY)
    assert desk.pseudonyms.of(ANNA) not in everything(desk)


def test_an_unknown_customer_is_a_letter(desk: Desk, scoring: Callable[..., tuple[int, str]]) -> None:
    """Exit code 2, no tombstone, no line in the log, and the id is not repeated."""
    before = contents(desk.workspace.home)
    source = desk.workspace.home.parent / "bank.yaml"
    for command in (("forget",), ("access",), ("opt-out", "--profiling"), ("hold", "--until=2099-01-01", "--reason=x")):
        code, error = scoring(*command, "nobody-0009", "--source", source, "--home", desk.workspace.home)
        assert code == 2 and "nothing of a customer" in error and "nobody" not in error
    assert contents(desk.workspace.home) == before and not desk.audit.path.exists()


def test_a_reason_with_an_id_is_refused(desk: Desk) -> None:
    """The log keeps no identifier."""
    with pytest.raises(InputError, match="an id of the customer"):
        forget(desk, desk.person(ANNA), f"{ANNA} wrote to us", TODAY)
    assert not desk.audit.path.exists()


PLACES: dict[str, Callable[[Path, str], object]] = {
    "text": lambda path, word: path.write_text(f"of {word}."),
    "json": lambda path, word: path.with_suffix(".json").write_text(json.dumps({"a": [{"b": word}]})),
    "json key": lambda path, word: path.with_suffix(".json").write_text(json.dumps({word: 1})),
    "json lines": lambda path, word: path.with_suffix(".jsonl").write_text('{"a": 1}\n' + json.dumps([word])),
    "escaped": lambda path, word: path.with_suffix(".json").write_text(
        '"' + "".join(f"\\u{ord(c):04x}" for c in word) + '"'
    ),
    "gzip": lambda path, word: path.write_bytes(gzip.compress(f"x {word} y".encode())),
    "npz": lambda path, word: np.savez_compressed(path.with_suffix(".npz"), ids=np.array(["x", word])),
    "parquet": lambda path, word: pq.write_table(pa.table({"x": ["y", word]}), path, compression="zstd"),
    "parquet of numbered texts": lambda path, word: pq.write_table(
        pa.table({"x": pa.array(["y", word]).dictionary_encode()}), path, compression="gzip"
    ),
    "json in parquet": lambda path, word: pq.write_table(pa.table({"x": [json.dumps({"a": word})]}), path),
    "name of a file": lambda path, word: (path.parent / f"{word}.txt").write_text(""),
    "far into a file": lambda path, word: path.write_bytes(b"." * ((1 << 24) - 5) + word.encode()),
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, pseudonyms: Pseudonyms) -> Desk:
    """A workspace that has forgotten Anna."""
    desk = small_world(tmp_path_factory.mktemp("clean"), pseudonyms)
    forget(desk, desk.person(ANNA), "", TODAY)
    (desk.workspace.home / "exports").mkdir()
    return desk


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("raw", [True, False])
def test_a_trace_is_found_in_any_format(clean: Desk, place: str, raw: bool) -> None:
    """The proof is by search: pseudonym and id alike, whatever they are wrapped in."""
    folder = clean.workspace.home / "exports"
    PLACES[place](folder / "trace", ANNA if raw else clean.pseudonyms.of(ANNA))
    found = clean.search(clean.person(ANNA)).found
    for trace in folder.iterdir():
        trace.unlink()
    assert [name.startswith("exports/") for name in found] == [True]
    assert clean.search(clean.person(ANNA)).found == ()


def test_a_trace_that_is_left_fails_loudly(desk: Desk, scoring: Callable[..., tuple[int, str]]) -> None:
    """Exit code 2, and the file is named; without it the next run is well."""
    trace = desk.workspace.home / "exports" / "list.csv"
    trace.parent.mkdir()
    trace.write_text(f"customer\n{ANNA}\n")
    command = ("forget", ANNA, "--source", desk.workspace.home.parent / "bank.yaml", "--home", desk.workspace.home)
    code, error = scoring(*command)
    assert code == 2 and "exports/list.csv" in error and ANNA not in error
    trace.unlink()
    assert scoring(*command)[0] == 0


def test_freed_pages_of_a_store_are_searched_and_wiped(desk: Desk) -> None:
    """A record that was deleted but still lies in the file is a trace; forgetting leaves no such page."""
    path, mine = desk.workspace.store / "s2026-04-01.sqlite", desk.pseudonyms.of(ANNA)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("DELETE FROM customers WHERE id = ?", (mine,))
    db.close()
    assert mine.encode() in path.read_bytes() and f"store/{path.name}" in desk.search(desk.person(ANNA)).found


def test_an_id_is_bounded() -> None:
    """anna-0001 is not anna-00012; short numbers and plain words are ids only where ids stand."""
    assert [is_telling(word) for word in ("C10001", "anna-0001", "123456789", "12347", "annabelle")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_a_longer_id_is_another(desk: Desk) -> None:
    """A neighbour whose id begins with this one is no trace of it."""
    forget(desk, desk.person(ANNA), "", TODAY)
    (desk.workspace.home / "note.txt").write_text(f"{ANNA}2 x{ANNA}")
    assert desk.search(desk.person(ANNA)).found == ()


def test_a_running_service_forgets_at_once(desk: Desk) -> None:
    """An open store answers from the file that is there now."""
    store = SqliteStore(desk.workspace.store / "s2026-04-01.sqlite")
    a, b = map(desk.pseudonyms.of, (ANNA, BERT))
    assert store.record(a) and store.record(b)
    forget(desk, desk.person(ANNA), "", TODAY)
    assert store.record(a) is None and store.record(b)
    store.close()


KILLED = """
import os, shutil, sys
from datetime import date
from pathlib import Path
from dataclasses import replace
from features.tables.audit import Audit, verify
from features.tables.privacy import Pseudonyms
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.desk import Desk, _clear_up
from serving.forgetting import forget
from training import registry

template, step = Path(sys.argv[1]), int(sys.argv[2])
source, pseudonyms = load_source(str(template / "bank.yaml")), Pseudonyms(os.environb[b"CUSTOMER_SCORING_KEY"])

def run(home, kill_at):
    _clear_up(home)
    desk = Desk(source, Workspace(home), pseudonyms, Audit(home / "audit.jsonl", "tester"))
    done = 0
    def watch(event, args):
        nonlocal done
        if event == "os.rename" or (event == "os.rmdir" and args[0].endswith("vault")):
            done += 1
            if done == kill_at:
                os._exit(9)
    sys.addaudithook(watch)
    forget(desk, desk.person("anna-0001"), "", date(2026, 11, 23))
    verify(desk.audit.path)

def child(home, kill_at):
    pid = os.fork()
    if pid == 0:
        try:
            run(home, kill_at)
        except BaseException:
            import traceback; traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

registry.trained_through("bank")  # what is imported late is imported once
kills, at = 0, 1
while True:
    home = template / f"home-{at}"
    shutil.copytree(template / "home", home)
    first = child(home, at)
    if first == 0:
        break
    assert first == 9, (at, first)
    assert child(home, 0) == 0, at
    left = [p for p in home.rglob("*") if "new-" in p.name or "old-" in p.name or p.name.endswith(".new")]
    assert not left, (at, left)
    kills, at = kills + 1, at + step
print(kills)
"""


@pytest.mark.parametrize(("hold", "step"), [(False, 3), (True, 9)])
def test_a_killed_run_is_finished_by_the_next(desk: Desk, hold: bool, step: int, pseudonyms: Pseudonyms) -> None:
    """Killed before one renaming of a file after another: a rerun ends with the same rows and the same proof."""
    if hold:
        set_hold(desk, ANNA, date(2030, 1, 1), "invoices", TODAY)
    folder = desk.workspace.home.parent
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(step)], capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * step > 25
    wanted = None
    for home in sorted(folder.glob("home-*"), key=lambda path: int(path.name[5:]), reverse=True):
        each = Desk(desk.source, Workspace(home), pseudonyms, desk.audit)
        assert each.person(ANNA).ids == {pseudonyms.of(ANNA)}
        rows = sorted((name, str(t.to_pylist())) for name, t in open_vault(home / "tables", pseudonyms).tables(""))
        found = (events(each), rows, sorted(contents(home)))
        wanted = wanted or found
        assert found == wanted, home


def test_a_hold_restricts_and_its_end_erases(desk: Desk) -> None:
    """Events and attributes go into the vault, the rest is erased, nobody processes them; after the day all is gone."""
    mine = desk.pseudonyms.of(ANNA)
    held = [e for e in events(desk) if e["customer_id"] == mine]
    set_hold(desk, ANNA, date(2032, 12, 31), "invoices", TODAY)
    assert [e for e in events(desk) if e["customer_id"] == mine] == held
    done = forget(desk, desk.person(ANNA), "asked", TODAY)
    assert done.until == date(2032, 12, 31)
    assert mine not in str(events(desk)) and not any("people" in n or "quarantine" in n for n in _with(desk, mine))
    sealed = desk.vault.names("restricted")
    assert len(sealed) == 3 and not any(mine in name or ANNA in name for name in sealed)
    (kept,) = [t for name, t in desk.vault.tables("restricted") if name.endswith("/events")]
    assert kept.to_pylist() == held
    forget(desk, desk.person(ANNA), "asked again", TODAY)
    (again,) = [t for name, t in desk.vault.tables("restricted") if name.endswith("/events")]
    assert again.to_pylist() == held
    assert forget_due(desk, date(2032, 12, 31)) == []
    assert len(forget_due(desk, date(2033, 1, 1))) == 1
    assert desk.vault.names("restricted") == [] and read_holds(desk.vault) == []
    assert mine not in everything(desk) and ANNA not in everything(desk)


def _with(desk: Desk, pseudonym: str) -> list[str]:
    return [name for name, table in desk.vault.tables("") if pseudonym in str(table.to_pylist())]


def test_a_hold_that_is_over_erases_nobody_who_did_not_ask(desk: Desk) -> None:
    """`--due` is for those who asked to be forgotten; a later hold takes the place of an earlier one."""
    set_hold(desk, ANNA, date(2027, 1, 1), "invoices", TODAY)
    set_hold(desk, ANNA, date(2028, 1, 1), "lawsuit", TODAY)
    assert [(hold.until.year, hold.reason) for hold in read_holds(desk.vault)] == [(2028, "lawsuit")]
    assert forget_due(desk, date(2029, 1, 1)) == [] and desk.known(desk.person(ANNA))
    assert forget(desk, desk.person(ANNA), "", date(2029, 1, 1)).until is None
    with pytest.raises(InputError, match="until"):
        set_hold(desk, BERT, date(2026, 1, 1), "too late", TODAY)


def test_the_commands_say_what_they_did(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """`forget` prints files searched and 0 hits; `hold list` shows pseudonyms shortened, and no id."""
    where = ("--source", str(desk.workspace.home.parent / "bank.yaml"), "--home", str(desk.workspace.home))
    said = run(capsys, "hold", ANNA, "--until", "2032-12-31", "--reason", "invoices", *where)
    said += (listed := run(capsys, "hold", "list", *where))
    mine = desk.pseudonyms.of(ANNA)
    assert mine[:8] in listed and "2032-12-31" in listed and "invoices" in listed and "in use" in listed
    said += run(capsys, "forget", ANNA, *where)
    assert "restricted" in run(capsys, "hold", "list", *where)
    said += (done := run(capsys, "forget", BERT, "--reason", "asked", *where))
    assert "files searched, 0 hits" in done
    said += run(capsys, "forget", "--due", *where) + (checked := run(capsys, "audit", "verify", *where))
    assert "lines hold" in checked
    assert not any(word in said for word in (mine, ANNA, BERT, desk.pseudonyms.of(BERT)))


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    from serving.cli import app

    app(list(words), standalone_mode=False)
    return capsys.readouterr().out


def test_the_log_holds_or_says_where_it_does_not(desk: Desk) -> None:
    """A line changed, taken out or put in between is found; the log names nobody."""
    forget(desk, desk.person(ANNA), "asked", TODAY)
    forget(desk, desk.person(BERT), "asked", TODAY)
    path = desk.audit.path
    lines = path.read_bytes().splitlines(keepends=True)
    count, last = verify(path)
    assert count == len(lines) > 8 and len(last) == 64
    said = b"".join(lines).decode()
    assert tombstone(desk.pseudonyms.of(ANNA)) in said and '"by": "tester"' in said
    assert not any(word in said for who in (ANNA, BERT) for word in (who, desk.pseudonyms.of(who)))
    for number, bad in (
        (3, [*lines[:1], lines[1].replace(b"tester", b"nobody"), *lines[2:]]),
        (3, [*lines[:2], *lines[3:]]),
        (2, [lines[0], lines[0], *lines[1:]]),
        (1, lines[1:]),
        (3, [*lines[:2], b"\xff{\n", *lines[2:]]),
    ):
        path.write_bytes(b"".join(bad))
        with pytest.raises(InputError, match=f"line {number}"):
            verify(path)


def test_another_key_is_refused(desk: Desk, scoring: Callable[..., tuple[int, str]]) -> None:
    """With another key nobody would be found, and nobody forgotten."""
    key = os.environ["CUSTOMER_SCORING_KEY"]
    os.environ["CUSTOMER_SCORING_KEY"] = "another key" * 4
    try:
        source = desk.workspace.home.parent / "bank.yaml"
        code, error = scoring("forget", ANNA, "--source", source, "--home", desk.workspace.home)
    finally:
        os.environ["CUSTOMER_SCORING_KEY"] = key
    assert code == 2 and "key" in error and ANNA not in error
