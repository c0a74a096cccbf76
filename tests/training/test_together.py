"""Models that are asked together say what each says alone, to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from features.catalogue import POSITION
from tests.conftest import Ran
from training.intent import IntentModel
from training.models.seen import Supervised
from training.models.silence import SilenceModel
from training.models.together import Together
from training.release import Release
from training.segments import SegmentModel
from training.snapshots import read_cuts, read_snapshots

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def learnt(sample: Ran) -> tuple[Release, Array]:
    """A release with a model for every task, and its base."""
    live, _, _ = sample.job.live()
    return live.release, read_snapshots(sample.workspace, [read_cuts(sample.workspace).grade])[0].rows


def parts_of(release: Release) -> tuple[tuple[Supervised, int], ...]:
    """Every model that was fitted to labels, with its horizon."""
    found: list[tuple[Supervised, int]] = []
    for name, model in release.models.items():
        if isinstance(model, IntentModel):
            found += model.parts
        elif not isinstance(model, SegmentModel):
            found.append((model, release.horizon(name)))
    return tuple(found)


def test_models_say_together_what_each_says_alone(learnt: tuple[Release, Array]) -> None:
    """Of many and of few; those with forests in one call, those of lower rungs by themselves."""
    release, rows = learnt
    parts, rows = parts_of(release), rows[rows[:, POSITION["order_days"]] > 0]
    assert len(parts) == 7
    together = Together(parts)
    assert together.alone == [3, 4, 5, 6] and together.compiled is not None
    assert together.compiled.trees.outputs == 7 and together.compiled.parts[:, 3].tolist() == [0, 1, 2]
    wanted = np.array([model.predict(rows, days) for model, days in parts])
    assert len(rows) > 300 and not np.isnan(wanted).any()
    assert np.array_equal(together.answers(rows), wanted)
    for size in (1, 3, 8, 9):
        found = [together.answers(rows[first : first + size]) for first in range(0, 40, size)]
        assert np.array_equal(np.hstack(found)[:, :40], wanted[:, : len(np.hstack(found)[0])][:, :40])
    assert together.answers(rows[:0]).shape == (7, 0)
    assert Together(()).answers(rows[:2]).shape == (0, 2)


def test_a_model_whose_rhythm_is_not_compiled_is_asked_by_itself(learnt: tuple[Release, Array]) -> None:
    """The others are still asked together."""
    release, rows = learnt
    rows = rows[rows[:, POSITION["order_days"]] > 0][:20]
    (model, days), *others = parts_of(release)
    assert isinstance(model, SilenceModel) and model.rhythm.compiled
    timing = replace(model.rhythm.timing, name="bg_nbd")
    other = replace(model, rhythm=replace(model.rhythm, timing=timing))
    together = Together(((other, days), *others))
    assert together.alone == [0, 3, 4, 5, 6] and together.compiled is not None
    assert np.array_equal(together.answers(rows), [each.predict(rows, ahead) for each, ahead in together.models])


def test_one_row_gets_the_scores_it_gets_among_many(learnt: tuple[Release, Array]) -> None:
    """Leads and those who were silent for long, too: tasks that are not asked of them have no answer."""
    release, rows = learnt
    table = release.score(rows)
    bought = rows[:, POSITION["order_days"]] > 0
    assert (~bought).any() and np.isnan(table["churn"][bought]).any() and np.isnan(table["value"][~bought]).all()
    for i, row in enumerate(rows):
        one = release.score_one(row)
        assert np.array_equal([*one.values()], [column[i] for column in table.values()], equal_nan=True)
        assert list(one) == list(table)
