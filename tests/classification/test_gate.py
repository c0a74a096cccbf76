"""The gate lets through what is no worse, and finds what is, whatever hides it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from classification.evidence import Evidence, read_evidence
from classification.gate import GateSettings, Standing, gate, holm
from classification.gate_report import PASSED
from features.workspace import Workspace
from training.metrics import auc

QUICK = GateSettings(resamples=400)
BOTH = frozenset({"churn", "value"})


class World:
    """Customers of two test cuts; answers are as good as their noise is small."""

    def __init__(self, customers: int, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.n = 2 * customers
        self.test, self.customer = np.repeat([0, 1], customers), np.tile(np.arange(customers), 2)
        self.truth = np.tile(self.rng.normal(size=customers), 2) + self.rng.normal(0, 0.3, self.n)
        self.churned = (self.rng.random(self.n) < 1 / (1 + np.exp(-2 * self.truth))).astype(float)
        self.spent = np.where(self.rng.random(self.n) < 0.5, np.exp(self.truth + self.rng.normal(0, 0.5, self.n)), 0.0)
        self.own = self.rng.normal(size=self.n)

    def churn(self, noise: float, afresh: bool = False) -> np.ndarray:
        """Probabilities, calibrated; noise shared by all answers unless `afresh`."""
        error = self.rng.normal(size=self.n) if afresh else self.own
        return 1 / (1 + np.exp(-2 * (self.truth + noise * error) / (1 + noise**2)))

    def value(self, noise: float) -> np.ndarray:
        answer = np.exp(self.truth + noise * self.own)
        return answer * self.spent.sum() / answer.sum()

    def of_churn(self, columns: Mapping[str, np.ndarray], **slices: np.ndarray) -> Evidence:
        return Evidence("churn", "probability", self.test, self.customer, self.churned, columns, slices)

    def of_value(self, columns: Mapping[str, np.ndarray]) -> Evidence:
        return Evidence("value", "amount", self.test, self.customer, self.spent, columns)


def failing(report_checks: object) -> list[str]:
    return [f"{c.task}: {c.check} {c.part}".strip() for c in report_checks]  # type: ignore[attr-defined]


def test_a_routine_retrain_passes() -> None:
    """The champion's recipe on newer data differs by nothing, be there a column that says so or none."""
    w = World(3_000)
    good, simple = w.churn(0.3), w.churn(1.0)
    standing = Standing(3, BOTH, BOTH, reassigned=0.1)
    value = w.of_value({"candidate": w.value(0.3), "spend": w.value(1.0)})
    for columns in ({"candidate": good, "rfm": simple}, {"candidate": good, "rfm": simple, "v3": good.copy()}):
        report = gate([w.of_churn(columns), value], standing, QUICK)
        assert report.passed and report.verdict == PASSED, report.verdict
        assert report.tags() == {"gate": PASSED, "gate_against": "3"}


def test_worse_by_two_hundredths_on_five_thousand_fails() -> None:
    """Against the champion's recipe as against a baseline, each by its own line."""
    w = World(5_000)
    poor, good = w.churn(0.47), w.churn(0.3)
    loss = auc(w.churned, good, np.ones(w.n)) - auc(w.churned, poor, np.ones(w.n))
    assert 0.015 < loss < 0.025
    against_baseline = gate([w.of_churn({"candidate": poor, "rfm": good})], Standing(None, BOTH), QUICK)
    assert "churn: auc against rfm" in failing(against_baseline.failed)
    standing = Standing(3, frozenset({"churn"}), frozenset({"churn"}))
    report = gate([w.of_churn({"candidate": poor, "rfm": w.churn(2.0), "v3": good})], standing, QUICK)
    assert {"churn: auc against version 3", "churn: log_loss against version 3"} <= set(failing(report.failed))
    assert "churn: auc against version 3" in report.verdict


def test_a_new_recipe_must_be_better_somewhere() -> None:
    """Better on one task and alike on another passes; alike on both does not; a new task is something gained."""
    w = World(5_000)
    simple = {"rfm": w.churn(1.5)}
    alike = w.of_churn({"candidate": w.churn(0.301), "v3": w.churn(0.3), **simple})
    same_value = w.of_value({"candidate": w.value(0.3), "v3": w.value(0.3001), "spend": w.value(1.0)})
    better_value = w.of_value({"candidate": w.value(0.2), "v3": w.value(0.3), "spend": w.value(1.0)})
    standing = Standing(3, BOTH, BOTH)
    assert gate([alike, better_value], standing, QUICK).passed
    refused = gate([alike, w.of_value({**same_value.columns, "v3": w.value(0.299)})], standing, QUICK)
    assert [check.check for check in refused.failed] == ["tasks better than the recipe of version 3, or new"]
    assert gate([alike, same_value], Standing(3, BOTH, frozenset({"churn"})), QUICK).passed


def test_a_lost_task_is_named() -> None:
    """A release that no longer answers what the champion answers does not go live by itself."""
    w = World(1_000)
    report = gate([w.of_churn({"candidate": w.churn(0.3)})], Standing(3, frozenset({"churn"}), BOTH), QUICK)
    assert not report.passed and "no task of version 3 lost: value" in report.verdict


def test_a_bad_slice_is_not_hidden_by_a_good_average() -> None:
    """Better on the whole, much worse for a region of 600 customers: refused, and the region is named."""
    w = World(6_000)
    region = np.tile(np.where(np.arange(6_000) < 600, "north", "south"), 2).astype(object)
    candidate, champion = w.churn(0.2), w.churn(0.4)
    in_north = region == "north"
    standing = Standing(3, frozenset({"churn"}), frozenset({"churn"}))
    fair = gate([w.of_churn({"candidate": candidate, "v3": champion}, region=region)], standing, QUICK)
    assert fair.passed, fair.verdict
    assert {check.part for check in fair.checks} == {"", "region north", "region south"}
    candidate = np.where(in_north, w.churn(1.5, afresh=True), candidate)
    report = gate([w.of_churn({"candidate": candidate, "v3": champion}, region=region)], standing, QUICK)
    assert failing(report.failed) == ["churn: auc against version 3 region north"]
    assert "region north" in report.verdict and "| churn | auc against version 3, region north |" in report.markdown()
    few = gate(
        [w.of_churn({"candidate": candidate, "v3": champion}, region=region)],
        standing,
        QUICK.model_copy(update={"fewest_in_slice": 601}),
    )
    assert few.passed


def test_honest_answers_are_rarely_refused() -> None:
    """Fifty slices of a recipe that is alike everywhere: Holm keeps the chance of a false alarm near 5 %."""
    refused = 0
    for seed in range(40):
        w = World(2_500, seed)
        country = np.tile(w.rng.integers(0, 50, 2_500).astype(str), 2).astype(object)
        columns = {"candidate": w.churn(0.5, afresh=True), "v3": w.churn(0.5, afresh=True)}
        one = QUICK.model_copy(update={"fewest_in_slice": 20, "resamples": 100})
        report = gate([w.of_churn(columns, country=country)], Standing(3, BOTH, frozenset({"churn"})), one)
        refused += any(check.part for check in report.failed)
    assert refused <= 6


def test_what_is_off_by_noise_alone_is_in_band() -> None:
    """ECE and bias fail when the whole interval lies outside, not before; a task without an answer fails."""
    few, many = World(150), World(5_000)
    for w, noise, passes in ((few, 0.0, True), (many, 0.0, True)):
        report = gate([w.of_churn({"candidate": w.churn(noise)})], Standing(None, BOTH), QUICK)
        assert report.passed is passes, report.verdict
    over = np.clip(many.churn(0.3) + 0.1, 0, 1)
    report = gate([many.of_churn({"candidate": over})], Standing(None, BOTH), QUICK)
    assert failing(report.failed) == ["churn: ece"]
    report = gate([many.of_value({"candidate": 1.3 * many.value(0.3)})], Standing(None, BOTH), QUICK)
    assert failing(report.failed) == ["value: bias"]


def test_small_losses_cannot_add_up() -> None:
    """Two dozen recipes, each a little worse at churn and better at value: the year's best stays within reach."""

    def after_a_year(limits: GateSettings) -> float:
        w = World(6_000)
        live, columns = {1: 0.30}, {"v1": w.churn(0.30)}
        for version in range(2, 26):
            noise = live[max(live)] + 0.006
            candidate = w.churn(noise)
            champion = max(live)
            value = w.of_value(
                {"candidate": w.value(0.9 - 0.03 * version), f"v{champion}": w.value(0.9 - 0.03 * champion)}
            )
            report = gate(
                [w.of_churn({"candidate": candidate, **columns}), value], Standing(champion, BOTH, BOTH), limits
            )
            if report.passed:
                live[version], columns[f"v{version}"] = noise, candidate
        scores = [auc(w.churned, column, np.ones(w.n)) for column in columns.values()]
        return max(scores) - scores[-1]

    assert 0.003 < after_a_year(QUICK) <= 0.005
    assert after_a_year(QUICK.model_copy(update={"year": 1.0})) > 0.01


def test_segments_that_are_shuffled_need_a_person() -> None:
    """More than a fifth of the customers in another segment fails."""
    w = World(500)
    churn = w.of_churn({"candidate": w.churn(0.3)})
    for share, passes in ((0.2, True), (0.21, False)):
        assert gate([churn], Standing(3, BOTH, BOTH, reassigned=share), QUICK).passed is passes


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.001, 0.2))
def test_holm_steps_down(p: list[float], alpha: float) -> None:
    """Adjusted p-values reject what the procedure of 1979 rejects, in its own words."""
    rejected: set[int] = set()
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if p[i] * (len(p) - rank) > alpha:
            break
        rejected.add(i)
    assert {i for i, adjusted in enumerate(holm(p)) if adjusted <= alpha} == rejected


def test_nothing_judged_is_not_passed() -> None:
    """A release without a task that can be judged does not pass by its silence."""
    report = gate([], Standing(None, frozenset()), QUICK)
    assert not report.passed and report.verdict == "no task was judged"


def test_the_same_evidence_gives_the_same_report() -> None:
    """To the last byte of gate.json, with no customer's id in it."""
    w = World(400)
    evidence = [w.of_churn({"candidate": w.churn(0.3), "rfm": w.churn(1.0), "v2": w.churn(0.4)})]
    first, second = (json.dumps(gate(evidence, Standing(2, BOTH, BOTH), QUICK).to_json()) for _ in range(2))
    assert first == second


def test_evidence_is_read_from_what_training_left(tmp_path: Path) -> None:
    """Both cuts, the baselines told from released recipes, a slice by what was known at the cut."""
    days = [date(2026, 1, 1), date(2026, 4, 1)]
    folder = Workspace(tmp_path).training / "predictions"
    folder.mkdir(parents=True)
    Workspace(tmp_path).features.mkdir()
    table = {"test": [days[0], days[0], days[1]], "customer_id": ["a", "b", "a"], "actual": [1.0, 0.0, 0.0]}
    answers = {name: [0.1, 0.2, 0.3] for name in ("candidate", "rfm_cells")} | {"v7": [0.3, 0.2, 0.1]}
    pq.write_table(pa.table({**table, **answers}), folder / "churn.parquet")
    attributes = pa.table({
        "customer_id": ["a", "a", "b"], "as_of": [days[0], days[1], days[0]], "attribute": ["region"] * 3,
        "value": ["north", "south", None], "family": ["social"] * 3,
    })  # fmt: skip
    pq.write_table(attributes, Workspace(tmp_path).features / "attributes.parquet")
    kinds = {"churn": "probability", "value": "amount"}
    (found,) = read_evidence(Workspace(tmp_path), kinds, ("region", "industry"))  # type: ignore[arg-type]
    assert found.baselines == ["rfm_cells"] and found.releases == {7: "v7"}
    assert found.test.tolist() == [0, 0, 1] and found.customer.tolist() == [0, 1, 0]
    assert {name: values.tolist() for name, values in found.slices.items()} == {"region": ["north", None, "south"]}
    assert set(found.members(1)) == {"region north", "region south"}
