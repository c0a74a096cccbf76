"""Nothing of the future reaches a prediction: shuffled targets teach nothing, and later events change nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import Ran
from training.baselines import rivals
from training.candidate import fit_task
from training.examples import Base, read_base
from training.ladder import Rung
from training.metrics import auc, ngini
from training.recipes import CHURN, VALUE, Recipe, load_settings
from training.snapshots import read_cuts, read_origin


@pytest.fixture(scope="module")
def base(online_retail: Ran) -> Base:
    cuts, settings = read_cuts(online_retail.workspace), load_settings()
    return read_base(online_retail.workspace, cuts, settings, read_origin(online_retail.workspace).active_days, {})


def predicted(base: Base, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """What happened and what was predicted on the last test date."""
    test = base.cuts.tests(90)[-1]
    asked = base.asked(recipe, test)
    rows = base.snapshots[test].rows[asked]
    return base.label(recipe, 90, test)[asked], fit_task(recipe, Rung("lightgbm", ""), base, test).predict(rows, 90)


@pytest.mark.real
def test_labels_of_the_test_date_are_never_looked_at(base: Base) -> None:
    """Whatever the test date's own labels say, the prediction is the same to the bit."""
    test = base.cuts.tests(90)[-1]
    nonsense = {name: np.full_like(column, 7.0) for name, column in base.snapshots[test].labels.items()}
    lying = replace(base, snapshots={**base.snapshots, test: replace(base.snapshots[test], labels=nonsense)})
    for recipe in (CHURN, VALUE):
        assert np.array_equal(predicted(base, recipe)[1], predicted(lying, recipe)[1])


@pytest.mark.real
@pytest.mark.parametrize("recipe", [CHURN, VALUE], ids=lambda recipe: recipe.name)
def test_shuffled_targets_give_no_ranking(base: Base, recipe: Recipe) -> None:
    """A test date whose outcomes belong to other customers: AUC .5 ± .02; a leak would stand out of it."""
    actual, score = predicted(base, recipe)
    one = np.ones(len(actual))
    metric, chance = (auc, 0.5) if recipe is CHURN else (ngini, 0.0)
    assert metric(actual, score, one) > chance + 0.25
    shuffled = [metric(np.random.default_rng(i).permutation(actual), score, one) for i in range(20)]
    assert abs(float(np.mean(shuffled)) - chance) < 0.02


@pytest.mark.real
def test_a_model_taught_nonsense_knows_nothing(base: Base) -> None:
    """Trained on shuffled churn labels, the forest and the logistic say nothing about who leaves: AUC .5 ± .02 over
    the parts that learn from labels."""
    test = base.cuts.tests(90)[-1]
    asked = base.asked(CHURN, test)
    rows, actual = base.snapshots[test].rows[asked], base.label(CHURN, 90, test)[asked]
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        examples = [e for day in base.cuts.train(test, 90) if (e := base.examples(CHURN, 90, day)) is not None]
        taught = [replace(each, label=rng.permutation(each.label)) for each in examples]
        answers = rivals("event", taught, {}, rows, 90)["rfm_cells"]
        found.append(auc(actual, answers, np.ones(len(actual))))
    assert abs(float(np.mean(found)) - 0.5) < 0.06
