"""What every model keeps, whatever it is asked and on whatever rung it stands."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import NAMES, POSITION
from features.catalogue.confidential import CONFIDENTIAL
from tests.training.small_base import BOOSTING, HORIZON, asked, lesson
from training.baselines import base_rhythms, rivals
from training.metrics import auc, ngini
from training.models.curve import fit_curve
from training.models.inputs import Examples
from training.models.level import off_by
from training.models.rungs import RUNGS, Lesson, Question, Rung, fit_rung, load_model
from training.models.seen import Supervised

ALL: list[tuple[Rung, Question]] = [(rung, question) for question in RUNGS for rung in RUNGS[question][:-1]]
EVERY = pytest.mark.parametrize(("rung", "question"), ALL)


@cache
def fitted(rung: Rung, question: Question) -> Supervised:
    return fit_rung(rung, question, lesson(question), BOOSTING, 1)


@EVERY
def test_one_row_and_many_give_the_same_bits(rung: Rung, question: Question) -> None:
    """Alone, in a crowd large enough for threads, and backwards."""
    model, rows = fitted(rung, question), asked(question)[0]
    crowd = np.vstack([rows] * 4)
    together = model.predict(crowd, HORIZON)
    alone = np.array([model.predict(row[None, :], HORIZON)[0] for row in rows])
    assert np.array_equal(np.tile(alone, 4), together)
    assert np.array_equal(model.predict(crowd[::-1].copy(), HORIZON)[::-1], together)


@EVERY
def test_what_was_saved_is_what_is_loaded(rung: Rung, question: Question, tmp_path: Path) -> None:
    """To the last bit, from files that nothing executes; saved again they are the same bytes."""
    model, rows = fitted(rung, question), asked(question)[0]
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, each in ((first, model), (second, None)):
        folder.mkdir()
        (each or load_model(first)).save(folder)
    loaded = load_model(first)
    assert np.array_equal(loaded.predict(rows, HORIZON), model.predict(rows, HORIZON))
    files = sorted(path.name for path in first.iterdir())
    assert files == sorted(path.name for path in second.iterdir())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in files)
    assert {Path(name).suffix for name in files} <= {".txt", ".json"}


@EVERY
def test_the_same_seed_gives_the_same_model(rung: Rung, question: Question) -> None:
    """Fitted twice, on the same examples."""
    again = fit_rung(rung, question, lesson(question), BOOSTING, 1)
    rows = asked(question)[0]
    assert np.array_equal(again.predict(rows, HORIZON), fitted(rung, question).predict(rows, HORIZON))


@EVERY
def test_predictions_are_of_their_kind(rung: Rung, question: Question) -> None:
    """Probabilities stay inside (0, 1), amounts are not negative, also for the oddest rows."""
    model, rows = fitted(rung, question), asked(question)[0]
    rng = np.random.default_rng(0)
    odd = rows[rng.integers(0, len(rows), 200)].copy()
    kept = [POSITION[name] for name in ("order_days", "recency_days", "tenure_days")]
    noise = rng.choice([np.nan, 0.0, -1.0, 1e12, 5.0], odd.shape)
    noise[:, kept] = odd[:, kept]
    for table in (rows, noise):
        found = model.predict(table, HORIZON)
        assert np.isfinite(found).all() and (found >= 0).all()
        assert question in ("spend", "orders") or (found < 1).all()


@EVERY
def test_suspicions_move_no_prediction(rung: Rung, question: Question) -> None:
    """Whatever the confidential features say."""
    model, rows = fitted(rung, question), asked(question)[0]
    moved = rows.copy()
    for name in CONFIDENTIAL:
        moved[:, POSITION[name]] = 7.0
    assert np.array_equal(model.predict(moved, HORIZON), model.predict(rows, HORIZON))
    learnt = lesson(question)
    marked = [Examples(each.rows.copy(), each.rhythm, each.label) for each in learnt.examples]
    for each in marked:
        for name in CONFIDENTIAL:  # the label itself, were it looked at
            each.rows[:, POSITION[name]] = each.label
    again = fit_rung(rung, question, replace(learnt, examples=marked), BOOSTING, 1)
    assert np.array_equal(again.predict(rows, HORIZON), model.predict(rows, HORIZON))


@pytest.mark.parametrize("question", RUNGS)
def test_models_rank_customers_and_hit_the_level(question: Question) -> None:
    """On a base whose paces are told by its histories; the total within a third."""
    rows, label = asked(question)
    found = fitted("lightgbm", question).predict(rows, HORIZON)
    one = np.ones(len(label))
    rank = ngini(label, found, one) if question in ("spend", "orders") else auc(label, found, one)
    assert rank > (0.4 if question in ("spend", "orders") else 0.7)
    assert found.sum() == pytest.approx(label.sum(), rel=0.35)


def test_a_level_of_the_training_dates_is_no_part_of_the_forests() -> None:
    """Twice the amounts at one date are that date's: who ranks above whom stays the same."""
    learnt, rows = lesson("spend"), asked("spend")[0]
    first, *others = learnt.examples
    louder = [Examples(first.rows, first.rhythm, 2 * first.label), *others]
    again = fit_rung("lightgbm", "spend", replace(learnt, examples=louder), BOOSTING, 1)
    found, before = again.predict(rows, HORIZON), fitted("lightgbm", "spend").predict(rows, HORIZON)
    ranks = [np.argsort(np.argsort(each)) for each in (found, before)]
    assert np.corrcoef(*ranks)[0, 1] > 0.99


def test_orders_need_no_amounts() -> None:
    """A source without amounts has demand and silence; spend is refused."""
    bare = {}
    for question in ("orders", "silence", "spend"):
        learnt = lesson(question)
        hidden = [POSITION[name] for name in NAMES if "spend" in name]

        def without(rows: np.ndarray, hidden: list[int] = hidden) -> np.ndarray:
            rows = rows.copy()
            rows[:, hidden] = np.nan
            return rows

        rhythm = replace(learnt.rhythm, spend=None)
        examples = [Examples(without(e.rows), replace(e.rhythm, spend=None), e.label) for e in learnt.examples]
        assert learnt.base is not None
        bare[question] = Lesson(examples, None, rhythm, HORIZON, without(learnt.base))
    for rung in ("lightgbm", "btyd", "rfm"):
        for question in ("orders", "silence"):
            found = fit_rung(rung, question, bare[question], BOOSTING, 1).predict(bare[question].base, HORIZON)
            assert np.isfinite(found).all()
    for rung in ("lightgbm", "btyd"):
        with pytest.raises(ValueError, match="spend"):
            fit_rung(rung, "spend", bare["spend"], BOOSTING, 1)


def test_btyd_needs_no_labels() -> None:
    """The rung for a base whose first horizon has not closed; those above and below it say what they lack."""
    rows = asked("silence")[0]
    new = replace(lesson("silence"), examples=())
    for question in ("silence", "spend", "orders"):
        assert np.isfinite(fit_rung("btyd", question, new, BOOSTING, 1).predict(rows, HORIZON)).all()
        for rung in ("lightgbm", "rfm"):
            with pytest.raises(ValueError, match="no examples"):
                fit_rung(rung, question, new, BOOSTING, 1)
    with pytest.raises(ValueError, match="no model"):
        fit_rung("rules", "silence", new, BOOSTING, 1)


def test_labels_all_alike_are_refused() -> None:
    """There is nothing to tell apart."""
    learnt = lesson("event")
    alike = replace(learnt, examples=[Examples(e.rows, e.rhythm, np.zeros(len(e.label))) for e in learnt.examples])
    for question in ("event", "silence", "spend"):
        with pytest.raises(ValueError):
            fit_rung("lightgbm", question, alike, BOOSTING, 1)


def test_a_season_counts_by_how_long_the_base_was_known() -> None:
    """A whole year: it alone; half a year: half, and for the rest the latest date as far as its season is the same;
    without a season half the mean of all dates."""
    learnt = lesson("silence")
    misses = {id(each): float(i) for i, each in enumerate(learnt.examples)}
    rows = learnt.examples[0].rows.copy()
    for days, horizon, wanted in ((400.0, 90, 10.0), (182.5, 365, 6.0), (182.5, 91, 5.5), (182.5, 183, 5.0)):
        rows[:, POSITION["tenure_days"]] = days
        season = Examples(rows, learnt.rhythm, learnt.examples[0].label)
        found = off_by(lambda each: misses.get(id(each), 10.0), learnt.examples, season, horizon)
        assert found == pytest.approx(wanted, abs=0.02)
    assert off_by(lambda each: misses[id(each)], learnt.examples, None, 90) == pytest.approx(0.5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-20, 20), min_size=2, max_size=60), st.integers(0, 10_000))
def test_a_curve_keeps_every_order(scores: list[float], seed: int) -> None:
    """Whatever it was fitted to: a higher score never gets less, and beyond the last point the slope is 1."""
    logs = np.random.default_rng(seed).normal(size=len(scores))
    curve = fit_curve(np.array(scores), logs, (15.0, 9.0))
    asked_of = np.linspace(-30, 30, 400)
    assert (np.diff(curve.at(asked_of)) > 0).all()
    assert curve.at(np.array([15.0, 20.0])) == pytest.approx([9.0, 14.0], abs=0.1)


@pytest.mark.parametrize("question", RUNGS)
def test_baselines_answer_for_everybody(question: Question) -> None:
    """Each a number per row, of the kind of the question."""
    learnt = lesson(question)
    rows, label = asked(question)
    found = rivals(question, learnt.examples, base_rhythms(rows), rows, HORIZON)
    assert {"rfm_cells"} < set(found)
    for predicted in found.values():
        assert predicted.shape == label.shape and np.isfinite(predicted).all() and (predicted >= 0).all()
