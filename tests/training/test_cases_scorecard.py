"""The scorecard: its bins, what it promises of trends, and when a simple candidate is chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.errors import InputError
from features.tables.table_source import Trend, load_table_source
from tests.training.test_cases_models import KINDS, settings, some_cases
from training.cases.bins import Bins, fit_bins, fit_groups
from training.cases.boosting import fit_boosted
from training.cases.choice import choose
from training.cases.encoder import FIRST, MISSING, OTHER, Encoder, fit_encoder
from training.cases.plan import Cut, Plan, folds
from training.cases.question import question_of
from training.cases.scorecard import Scorecard, fit_scorecard
from training.cases.settings import load_case_settings

Array = NDArray[np.float64]

OWN = settings().scorecard


def numbers_and_answers(seed: int, many: int = 400) -> tuple[Array, Array]:
    """A number, a tenth of it not known, and answers that depend on it in waves."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(-5, 30, many) / 2
    label = (rng.random(many) < 0.5 + 0.4 * np.sin(cells)).astype(float)
    return np.where(rng.random(many) < 0.1, np.nan, cells), label


class TestBins:
    """Cells that go together, counted."""

    @given(st.integers(0, 10_000), st.sampled_from([-1, 0, 1]))
    @hypothesis_settings(max_examples=60, deadline=None)
    def test_bins_are_few_large_and_run_one_way(self, seed: int, direction: int) -> None:
        """At most as many as the settings say, each with its share of the cases, and WOE as the trend wants it."""
        cells, label = numbers_and_answers(seed)
        found = fit_bins(3, cells, label, direction, OWN)
        assert found.many - 1 <= OWN.bins and list(found.edges) == sorted(set(found.edges))
        assert sum(found.cases) == len(label) and sum(found.yes) == label.sum()
        assert min(found.cases[1:]) >= OWN.smallest * len(label) - 1
        steps = np.diff(found.woe[1:])
        assert (direction * steps >= 0).all()

    def test_an_edge_belongs_to_the_bin_below(self) -> None:
        """And null to a bin of its own."""
        bins = Bins(0, edges=(1.0, 2.0))
        assert bins.place(np.array([np.nan, -9.0, 1.0, 1.0000001, 2.0, 99.0])).tolist() == [MISSING, 1, 1, 2, 2, 3]

    def test_woe_is_the_log_of_odds_over_odds(self) -> None:
        """Smoothed by cases of the overall rate; a bin without training cases has none."""
        cells, label = np.repeat([1.0, 2.0], 100), np.concatenate([np.arange(100) < 20, np.arange(100) < 60])
        found = fit_bins(0, cells, label.astype(float), 0, OWN.model_copy(update={"smoothing": 10.0}))
        odds = lambda yes, no: (yes + 4) / (no + 6) / (80 / 120)  # noqa: E731 ten cases of the rate 0.4
        assert found.woe == pytest.approx((0, np.log(odds(20, 80)), np.log(odds(60, 40))))
        assert found.woe[0] == 0.0 and found.cases == (0, 100, 100) and found.yes == (0, 20, 60)

    def test_levels_of_like_rates_go_together(self) -> None:
        """Whatever their order; rare and missing ones stay apart."""
        rates = {0: 0.1, 1: 0.5, 2: 0.12, 3: 0.52}
        codes = np.concatenate([np.full(200, FIRST + level) for level in rates] + [np.full(50, OTHER), np.full(50, 0)])
        label = np.concatenate([np.arange(200) < 200 * rate for rate in rates.values()] + [np.arange(100) % 50 < 25])
        found = fit_groups(0, codes.astype(float), label.astype(float), 4, OWN.model_copy(update={"bins": 2}))
        assert found.groups == (2, 3, 2, 3) and found.cases == (50, 50, 400, 400)

    def test_near_numbers_are_told_apart(self) -> None:
        """Doubles that single precision takes for equal."""
        cells = np.repeat([1e9, 1e9 + 1], 100)
        found = fit_bins(0, cells, (cells > 1e9).astype(float), 0, OWN)
        assert found.edges == (1e9 + 0.5,)

    @pytest.mark.parametrize("pair", [(1.0, np.nextafter(1, 2)), (-1.7e308, 1.7e308), (5e-324, 1e-323), (0.0, 5e-324)])
    def test_doubles_next_to_each_other_or_far_apart_stay_apart(self, pair: tuple[float, float]) -> None:
        """Between them there is an edge, and it is finite."""
        cells = np.repeat(pair, 100)
        found = fit_bins(0, cells, (cells == pair[1]).astype(float), 0, OWN)
        assert found.place(cells).tolist() == [1] * 100 + [2] * 100 and np.isfinite(found.edges).all()


def card_of(trends: Mapping[str, Trend]) -> tuple[Scorecard, Encoder, Array, Array]:
    cases = some_cases()
    encoder = fit_encoder(cases.table, KINDS, 20, trends)
    matrix = encoder.matrix(cases.table)
    return fit_scorecard(matrix, cases.label, encoder, settings()), encoder, matrix, cases.label


class TestScorecard:
    """Ridge logistic regression on WOE."""

    def test_every_weight_is_positive(self) -> None:
        """A column that contradicts its own bins is dropped: here a copy of another, noisier and turned round."""
        rng = np.random.default_rng(3)
        better, many = rng.normal(size=4000), 4000
        worse = better + rng.normal(0, 0.7, many)
        label = (rng.random(many) < 1 / (1 + np.exp(-2 * better + 0.8 * worse))).astype(float)
        encoder = Encoder({"better": "number", "worse": "number"}, {}, {})
        alone = fit_scorecard(worse[:, None], label, Encoder({"worse": "number"}, {}, {}), settings())
        both = fit_scorecard(np.column_stack([better, worse]), label, encoder, settings())
        assert alone.characteristics[0].weight > 0
        assert [each.at for each in both.characteristics] == [0]

    @pytest.mark.parametrize(("trend", "sign"), [("rising", 1), ("falling", -1)])
    def test_the_answer_follows_the_trend(self, trend: Trend, sign: int) -> None:
        """Of the scorecard and of LightGBM, also against what the cases say; it is kept with the encoder."""
        card, encoder, matrix, label = card_of({"income": trend})
        grid = np.repeat(matrix[:5], 200, axis=0)
        grid[:, 0] = np.tile(np.exp(np.linspace(3, 11, 200)), 5)
        for part in (card, fit_boosted(matrix, label, encoder, settings())):
            assert (sign * np.diff(part.log_odds(grid).reshape(5, 200), axis=1) >= 0).all()
        assert Encoder.from_json(json.loads(json.dumps(encoder.to_json()))) == encoder
        assert encoder.directions == [sign, 0, 0]

    def test_without_a_trend_lightgbm_may_bend(self) -> None:
        """So that the test above can fail."""
        rng = np.random.default_rng(0)
        wave = rng.uniform(0, 6, 2000)
        label = (rng.random(2000) < 0.5 + 0.4 * np.sin(wave)).astype(float)
        for trends, bends in (({}, True), ({"wave": "rising"}, False)):
            encoder = fit_encoder(pa.table({"wave": wave}), {"wave": "number"}, 20, trends)
            matrix = np.sort(wave)[:, None]
            for fit in (fit_boosted, fit_scorecard):
                steps = np.diff(fit(wave[:, None], label, encoder, settings()).log_odds(matrix))
                assert (steps < 0).any() == bends

    def test_what_was_saved_is_what_is_loaded(self, tmp_path: Path) -> None:
        """Plain JSON."""
        card, _, _, _ = card_of({})
        card.save(tmp_path)
        assert Scorecard.load(tmp_path) == card
        assert [path.name for path in tmp_path.iterdir()] == ["scorecard.json"]


def a_plan(kind: str, yes: int) -> tuple[Plan, Array]:
    """300 cases that choose, and 300 that only judge and all answer yes."""
    label = np.concatenate([np.arange(300) < yes, np.ones(300)]).astype(float)
    rows = np.random.default_rng(0).permutation(300)
    judging = (Cut(np.arange(300), np.arange(300, 600)),)
    return Plan(kind, folds(rows, label, 2, 0), judging), label  # type: ignore[arg-type]


EARLIER = {
    "lightgbm": (0.8, 0.9),
    "blend": (0.8, 0.8),
    "scorecard": (0.75, 0.8),
    "logistic": (0.7, 0.7),
    "base_rate": (0.5, 0.5),
}


class TestChoice:
    """Which candidate answers."""

    @pytest.mark.parametrize("kind", ["folds", "split", "time"])
    def test_with_many_yes_the_best_is_chosen(self, kind: str) -> None:
        assert choose(EARLIER, *a_plan(kind, 100), 100) == "lightgbm"

    @pytest.mark.parametrize("kind", ["folds", "split"])
    def test_with_few_yes_a_simple_one_is_chosen(self, kind: str) -> None:
        """The cases that only judge are not counted."""
        assert choose(EARLIER, *a_plan(kind, 99), 100) == "scorecard"

    def test_unless_another_is_better_on_every_cut_in_time(self) -> None:
        assert choose(EARLIER, *a_plan("time", 99), 100) == "lightgbm"
        once_worse = EARLIER | {"lightgbm": (0.74, 0.99)}
        assert choose(once_worse, *a_plan("time", 99), 100) == "scorecard"

    def test_a_simple_one_that_is_best_is_chosen_anyway(self) -> None:
        best = EARLIER | {"logistic": (0.9, 0.95)}
        for yes in (50, 200):
            assert choose(best, *a_plan("folds", yes), 100) == "logistic"

    def test_what_looks_at_nothing_is_never_chosen(self) -> None:
        assert choose(EARLIER | {"base_rate": (1.0, 1.0)}, *a_plan("folds", 200), 100) == "lightgbm"


class TestFiles:
    """What source files and settings may say."""

    def test_trends_and_exposure_of_the_credit_tables(self) -> None:
        """As a credit officer would state them; private columns have no say."""
        question = question_of(load_table_source("taiwan-default"))
        assert question is not None
        assert (
            question.trends["pay_0"] == "rising" and question.trends["limit"] == question.trends["paid_6"] == "falling"
        )
        assert "bill_1" not in question.trends and load_table_source("taiwan-default").exposure == "limit"
        assert load_table_source("german-credit").exposure == "amount"

    @pytest.mark.parametrize(
        ("before", "after", "letter"),
        [
            ("type: category, doc: How", "type: category, trend: rising, doc: How", "trend with the type number only"),
            ("trend: rising, doc: Dur", "trend: up, doc: Dur", "'rising' or 'falling'"),
            ("exposure: amount", "exposure: age", "not private"),
            ("exposure: amount", "exposure: purpose", "type number"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, before: str, after: str, letter: str, tmp_path: Path) -> None:
        text = Path("configs/sources/german-credit.yaml").read_text(encoding="utf-8")
        assert before in text
        path = tmp_path / "german-credit.yaml"
        path.write_text(text.replace(before, after), encoding="utf-8")
        with pytest.raises(InputError, match=letter):
            load_table_source(str(path))

    @pytest.mark.parametrize(("before", "after"), [("550.0", "610.0"), ("-.inf", "400.0"), ("550.0", "600.0")])
    def test_grades_fall_to_the_bottom(self, before: str, after: str, tmp_path: Path) -> None:
        """So that every score has exactly one."""
        text = Path("configs/cases.yaml").read_text(encoding="utf-8")
        path = tmp_path / "cases.yaml"
        path.write_text(text.replace(before, after), encoding="utf-8")
        with pytest.raises(InputError, match="falling scores"):
            load_case_settings(path)
