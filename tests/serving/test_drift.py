"""Drift of the scores that are answered: the monthly run's measure, over all processes, and nothing of anybody."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from serving.drift import FEWEST_ANSWERS
from serving.meters import FOLDER, Meters
from serving.opening import open_service
from serving.records import Answer
from serving.service import Service
from tests.conftest import Ran
from tests.serving.test_service import raw_ids, start
from training.drift.bins import NumberBins, number_bins, psi

BOUGHT = {"ts": "2026-10-01T10:00:00Z", "kind": "purchase", "ref": "1", "amount": 7_000_000}


@pytest.fixture(scope="module")
def service(sample: Ran) -> Iterator[Service]:
    found = open_service(sample.job)
    yield found
    found.store.close()


@pytest.fixture(scope="module")
def lines(sample: Ran) -> list[str]:
    """A line of a batch for every customer of the sample, a few of whom get no answer."""
    ids = raw_ids(sample, f"{sample.workspace.simulated}/customers.csv", "customer_no")
    return [json.dumps({"customer_id": id_}) for id_ in ids]


def told(page: str, name: str) -> dict[str, float]:
    """Labels → value, of one meter."""
    found = re.findall(rf"^customer_scoring_{name}(?:{{(.*)}})? (\S+)$", page, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def as_answers(service: Service, scores: dict[str, Any]) -> list[Answer]:
    """Answers with such scores: output → a value per answer."""
    each = [dict(zip(scores, row, strict=True)) for row in zip(*scores.values(), strict=True)]
    return [Answer(b"", row, {}, service.scorer.live.snapshot.id) for row in each]


def test_it_is_what_the_monthly_run_computes(sample: Ran, service: Service) -> None:
    """Per output, nulls included; nothing is told of fewer answers than are enough."""
    graded = pq.read_table(sample.folder / "grades.parquet")
    meters, random = Meters(), np.random.default_rng(7)
    meters.went_live(service.scorer.live, service.graded_scores)
    assert service.graded_scores is not None
    columns = {name: graded[f"score_{name}"].to_numpy() for name in service.graded_scores.columns}
    drawn = {
        name: np.where(random.random(FEWEST_ANSWERS) < 0.1, np.nan, random.choice(column[~np.isnan(column)], 500) * 1.1)
        for name, column in columns.items()
    }
    answers = as_answers(service, {name: column.tolist() for name, column in drawn.items()})
    for answer in answers[:-1]:
        meters.scored(answer)
    assert told(meters.page().decode(), "score_drift") == {}
    meters.scored(answers[-1])
    page = meters.page().decode()
    assert told(page, "score_drift_answers") == {"": 500}
    for name, column in columns.items():
        bins = number_bins(column)
        wanted = psi(bins.count(column), bins.count(drawn[name]))
        assert told(page, "score_drift")[f'output="{name}"'] == pytest.approx(wanted, rel=1e-12)
    assert "potential" in columns and "bin" not in page


def test_another_live_set_begins_anew(service: Service) -> None:
    """Answers of the one before, which may still come, do not count; the same one goes on."""
    meters, live = Meters(), service.scorer.live
    assert service.graded_scores is not None
    (answer,) = as_answers(service, {name: [0.5] for name in service.graded_scores.columns})
    meters.went_live(live, service.graded_scores)
    for _ in range(2):
        meters.scored(answer)
        meters.went_live(live, service.graded_scores)
    assert told(meters.page().decode(), "score_drift_answers") == {"": 2}
    meters.went_live(replace(live, snapshot=replace(live.snapshot, id="another")), service.graded_scores)
    meters.scored(answer)
    assert told(meters.page().decode(), "score_drift_answers") == {"": 0}
    meters.scored(answer._replace(snapshot="another"))
    assert told(meters.page().decode(), "score_drift_answers") == {"": 1}


def test_who_is_graded_drifts_nowhere_and_strangers_do(sample: Ran, lines: list[str], tmp_path: Path) -> None:
    """The whole base asked for in a batch is the grading's own; then come hundreds who bought once, for very much."""
    for client in start(sample, tmp_path / "log"):
        said = client.post("/v1/score/batch", content="\n".join(lines)).text
        answered = sum('"classes"' in line for line in said.splitlines())
        page = client.get("/metrics").text
        assert told(page, "score_drift_answers") == {"": answered} and answered >= FEWEST_ANSWERS
        assert max(told(page, "score_drift").values()) < 0.001
        for i in range(300):
            client.post("/v1/score", json={"customer_id": f"new-{i}", "as_of": "2026-11-01", "events": [BOUGHT]})
        page = client.get("/metrics").text
        assert told(page, "score_drift")['output="value"'] > 0.1
        assert told(page, "score_drift_answers") == {"": answered + 300}
        assert not re.search(r"new-\d|C1\d{4}", page)
        for name in ("release_version", "live_since_seconds", "release_seconds", "snapshot_seconds", "store_up"):
            assert told(page, name)[""] > 0
        assert told(page, "stale") == {"": 0} and told(page, "answers_total") and told(page, "request_seconds_count")


COUNTING = """
from datetime import date
from types import SimpleNamespace as Some
import numpy as np
from serving.meters import Meters
from serving.records import Answer
from training.drift.bins import NumberBins
from training.drift.reference import Column, Reference

column = Column(NumberBins((0.25, 0.5, 0.75)), np.array([100, 100, 100, 100, 0]))
live = Some(
    release=Some(version=1, about={"trained_through": "2026-10-01"}), snapshot=Some(id="s", as_of=date(2026, 11, 1))
)
meters = Meters()
meters.went_live(live, Reference(date(2026, 11, 1), "", "", {"churn": column}))
for i in range(400):
    meters.scored(Answer(b"", {"churn": i % 4 / 4}, {}, "s"))
print(meters.page().decode())
"""


def test_several_processes_are_added_up(tmp_path: Path) -> None:
    """400 answers of one are too few; with those of another there are enough, whichever is asked."""
    environment, pages = {**os.environ, FOLDER: str(tmp_path)}, []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", COUNTING], env=environment, capture_output=True, text=True, check=True
        )
        pages.append(done.stdout)
    assert [told(page, "score_drift_answers") for page in pages] == [{"": 400}, {"": 800}]
    values = np.arange(400) % 4 / 4
    wanted = psi(np.array([100, 100, 100, 100, 0]), 2 * NumberBins((0.25, 0.5, 0.75)).count(values))
    assert told(pages[0], "score_drift") == {}
    assert told(pages[1], "score_drift")['output="churn"'] == pytest.approx(wanted)
