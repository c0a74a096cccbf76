"""Laundering records are sealed: nothing of them is to be read without the key of the role, and no half of them is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from classification.laundering.records import Records, open_records
from classification.laundering.register import Inputs
from classification.laundering.reviews import add_act, read_acts
from classification.laundering.role import KEY_VARIABLE, load_aml_key
from features.errors import InputError
from features.workspace import Workspace
from tests.classification.laundering.bank import DAY, KEY, customer, days_later, happened, records_of, run, write_tables
from tests.classification.laundering.test_register import finding, found

ANNA = customer(1)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A bank with a register, an act, an alert, a log."""
    made = write_tables(tmp_path, [happened(ANNA, "list_hit", days_later(-5))], {})
    run(made, inputs=Inputs(found(finding(ANNA, -9, -5, "cycle"))))
    with records_of(made).changing() as now:
        add_act(now, "diligence", ANNA, DAY, "a suspicion", kind="enhanced")
    return made


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An installation without the key of the role; the folder of its keys."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield tmp_path / "config" / "customer-scoring"


def test_nothing_is_to_be_read_without_the_key(workspace: Workspace) -> None:
    """No pseudonym, reason, ground nor Parquet in any byte; folders and files for their owner only."""
    files = [path for path in workspace.laundering.rglob("*") if path.is_file()]
    assert {path.stem for path in files} == {"acts", "alerts", "log", str(DAY)}
    for path in files:
        content = path.read_bytes()
        telling = (ANNA.encode(), b"suspicion", b"highest", b"list_hit", b"cycle", b"PAR1", b"customer_id", b"eva")
        assert not any(word in content for word in telling)
        assert path.stat().st_mode & 0o777 == 0o600
    assert {p.stat().st_mode & 0o777 for p in (workspace.laundering, workspace.laundering / "register")} == {0o700}
    other = Records(workspace.laundering, bytes(32), "eva")
    with pytest.raises(InputError, match="a file that this key does not open"):
        other.register()
    (workspace.laundering / "acts.sealed").replace(workspace.laundering / "alerts.sealed")
    with pytest.raises(InputError, match="does not open"):
        records_of(workspace).read("alerts", found().schema)


def test_the_key_is_made_once_and_never_where_records_are(
    workspace: Workspace, no_key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new key would open nothing: with records and no key it is asked for. It is not that of the pseudonyms."""
    with pytest.raises(InputError, match="no key, and laundering records"):
        open_records(workspace, "eva")
    assert not (no_key / "aml.key").exists()
    first = load_aml_key(tmp_path / "nowhere")
    assert first == load_aml_key(workspace.laundering) and (no_key / "aml.key").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(InputError, match="a key of 5 characters"):
        load_aml_key(tmp_path / "nowhere")
    monkeypatch.setenv(KEY_VARIABLE, "x" * 32)
    assert load_aml_key(tmp_path / "nowhere") != first


def test_a_run_that_is_killed_leaves_what_was(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Register, alerts and log change together or not at all."""
    before = {path: path.read_bytes() for path in workspace.laundering.rglob("*.sealed")}

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Records, "note", killed)
    with pytest.raises(KeyboardInterrupt):
        run(workspace, days_later(1), Inputs(found(finding(ANNA, -1, 0))))
    assert {path: path.read_bytes() for path in workspace.laundering.rglob("*.sealed")} == before
    assert [path.name for path in workspace.home.iterdir() if path.name.startswith(".")] == []


def test_every_act_and_run_is_in_the_log(workspace: Workspace) -> None:
    records = Records(workspace.laundering, KEY, "tom")
    with records.changing() as now:
        now.note("show", ANNA)
    log = now_log(records)
    assert log == [("eva", "grade", None), ("eva", "diligence", ANNA), ("tom", "show", ANNA)]
    assert len(read_acts(records)) == 1


def now_log(records: Records) -> list[tuple[str, str, str | None]]:
    from classification.laundering.records import LOG

    return [(line["by"], line["action"], line["customer_id"]) for line in records.read("log", LOG).to_pylist()]
