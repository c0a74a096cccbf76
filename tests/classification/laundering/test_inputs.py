"""What the transfers say reaches the register: findings become alerts with their stage, the live model may raise."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classification.laundering.alerts import read_alerts
from classification.laundering.inputs import inputs_at
from classification.laundering.register import NOTHING, Inputs, grade_register
from classification.laundering.scheme import laundering_text
from features.company import Company
from features.transfers.settings import TypologySettings, load_typologies
from features.workspace import Workspace
from tests.classification.laundering.bank import records_of
from tests.training.laundering.small_bank import AS_OF, write_bank
from tests.training.laundering.test_laundering import FIT, RANK
from training import registry
from training.laundering.learn import TASK, learn
from training.laundering.publish import publish

BANK = "bank-of-inputs"
EARLY = date(2024, 5, 15)
"""Some weeks after the planted fan-ins."""


@pytest.fixture(scope="module")
def typologies() -> TypologySettings:
    """Those of the repository, with a fan-in of the size that the small bank plants."""
    found = load_typologies()
    fan = found.typologies.fan_in.model_copy(update={"at_least": 5.0})
    return found.model_copy(update={"typologies": found.typologies.model_copy(update={"fan_in": fan})})


def grades(workspace: Workspace, inputs: Inputs, on: date = AS_OF) -> dict[str, str]:
    found = grade_register(records_of(workspace), workspace, Company(), laundering_text(), on, inputs)
    return dict(zip(found["customer_id"].to_pylist(), found["grade"].to_pylist(), strict=True))


def test_a26_an_alert_is_tagged_with_its_stage_and_raises_at_once(tmp_path: Path, typologies: TypologySettings) -> None:
    """Planted fan-ins are placement; whoever is in one is at least of middle grade, without any report."""
    quiet, alarmed = Workspace(tmp_path / "quiet"), Workspace(tmp_path / "alarmed")
    for each in (quiet, alarmed):
        write_bank(each.tables, reports=False)
    inputs = inputs_at(alarmed.tables, Company(), BANK, EARLY, typologies)
    assert inputs.findings is not None and inputs.scores is None
    before, after = grades(quiet, NOTHING, EARLY), grades(alarmed, inputs, EARLY)
    alerts = read_alerts(records_of(alarmed)).to_pylist()
    assert {each["stage"] for each in alerts if each["typology"] == "fan_in"} == {"placement"}
    named = {each["customer_id"] for each in alerts if each["last_day"] >= EARLY - timedelta(days=90)}
    assert len(named) >= 8 and all(after[each] in ("M", "H") for each in named)
    raised = {who for who in after if after[who] != before[who]}
    assert raised <= named and any(before[who] == "L" for who in raised)


def test_the_live_model_raises_and_never_lowers(tmp_path: Path, typologies: TypologySettings) -> None:
    """By its champion's scores some rise; nobody falls; without a champion it has no say, nor has one that learnt from
    later days, nor any when it is retired."""
    workspace = Workspace(tmp_path)
    write_bank(workspace.tables)
    without = inputs_at(workspace.tables, Company(), BANK, AS_OF, typologies)
    learnt = learn(workspace, Company(), BANK, "A bank", AS_OF, typologies, RANK, FIT)
    registry.promote(BANK, publish(workspace, learnt, RANK, FIT), TASK)
    scored = inputs_at(workspace.tables, Company(), BANK, AS_OF, typologies)
    assert without.scores is None and scored.scores is not None and len(scored.scores) > 300
    lower, higher = grades(workspace, without), grades(Workspace(tmp_path), scored)
    assert all("LMH".index(higher[who]) >= "LMH".index(lower[who]) for who in lower)
    the_day_before = inputs_at(workspace.tables, Company(), BANK, AS_OF - timedelta(days=1), typologies)
    assert the_day_before.findings is not None and the_day_before.scores is None
    for _ in range(2):
        registry.retire(BANK, TASK)
        assert inputs_at(workspace.tables, Company(), BANK, AS_OF, typologies).scores is None


def test_without_transfers_there_is_nothing(tmp_path: Path, typologies: TypologySettings) -> None:
    """A company that keeps no accounts is graded all the same."""
    workspace = Workspace(tmp_path)
    write_bank(workspace.tables)
    events = workspace.tables / "events.parquet"
    table = pq.read_table(events)
    pq.write_table(table.filter(pa.compute.equal(table["kind"], "suspicious_report")), events)
    assert inputs_at(workspace.tables, Company(), BANK, AS_OF, typologies) == NOTHING
