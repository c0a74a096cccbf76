"""The catalogue: what is promised of every definition, and the page that is generated from it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from features.catalogue import CATALOGUE, NAMES, PROGRAM, page
from features.population import POPULATION, Ranks, population_features
from features.spec import COUNTING, FOLDS, NULL_MEANS, OPS, Feature, compile_features, fingerprint
from features.tables.events import KINDS
from serving.cli import app

PAGE = Path("features/catalogue/README.md")


def test_the_page_is_the_catalogue() -> None:
    """The reference page is what `scoring features list --markdown` prints."""
    assert CliRunner().invoke(app, ["features", "list", "--markdown"]).stdout == PAGE.read_text(encoding="utf-8")


def test_the_list_names_every_feature() -> None:
    """`scoring features list` prints every feature."""
    printed = re.sub(r"\s+", "", CliRunner().invoke(app, ["features", "list"]).stdout)
    assert [name for name in NAMES if name not in printed] == []


def test_a20_every_family_and_window_is_there() -> None:
    """At least 90 features, each of one of five families, windows of 7 to 365 days and all history."""
    assert len(CATALOGUE) >= 90
    assert {feature.family for feature in CATALOGUE} == set(page.FAMILIES)
    assert {feature.days for feature in CATALOGUE if isinstance(feature, Feature)} >= {0, 7, 30, 90, 180, 365}


@pytest.mark.parametrize("feature", CATALOGUE, ids=lambda feature: feature.name)
def test_a_feature_says_what_it_is(feature: Feature) -> None:
    """A name of its own, a unit, a sentence, and when it is null."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", feature.name) and feature.unit
    assert feature.doc.endswith(".") and len(feature.doc) > 10
    assert page.null_means(feature)


def test_every_op_is_used_and_explained() -> None:
    """No op without a feature, and none that could be null without a word on it."""
    assert set(OPS) == {feature.op for feature in CATALOGUE if isinstance(feature, Feature)}
    assert set(OPS) == set(NULL_MEANS) & set(OPS) | set(COUNTING) | set(FOLDS["invoices"])


def test_a_kind_keeps_its_code() -> None:
    """The code of a kind is its place in KINDS, and features hold sets of codes: a new kind comes last."""
    assert KINDS[:2] == ("purchase", "return")
    assert KINDS[19:] == ("contact_changed", "contact")


def test_a_changed_definition_changes_the_fingerprint() -> None:
    """A release must not be scored with other features than it was trained on."""
    first, *rest = CATALOGUE
    assert fingerprint(CATALOGUE) != fingerprint([*rest, first])
    assert fingerprint(CATALOGUE) == fingerprint(list(CATALOGUE))


@pytest.mark.parametrize(
    "change",
    [{"op": "medium"}, {"family": "private"}, {"column": "ref"}, {"by": "item"}, {"days": -1}, {"kinds": 0}],
    ids=str,
)
def test_a_definition_that_means_nothing_is_refused(change: dict[str, object]) -> None:
    """ValueError, with the feature's name."""
    sound = {"name": "x", "op": "sum", "column": "amount", "kinds": 1, "family": "value", "unit": "1", "doc": "X."}
    with pytest.raises(ValueError, match="feature x"):
        Feature(**(sound | change))  # type: ignore[arg-type]


def test_a_list_with_two_features_of_one_name_is_refused() -> None:
    """A catalogue names each feature once."""
    with pytest.raises(ValueError, match="two features of one name"):
        compile_features([CATALOGUE[0], CATALOGUE[0]])


def test_the_program_has_a_place_for_every_feature() -> None:
    """Each output column is written by exactly one pass or combination."""
    written = [*PROGRAM.tables.columns.tolist(), *PROGRAM.tables.combined[:, 3].tolist()]
    assert sorted(written) == list(range(len(CATALOGUE)))


def test_population_features_are_ranks_within_the_base() -> None:
    """Percentile: mid-ranks; cumulative share: what customers with as much or more hold; the same one by one."""
    rng = np.random.default_rng(5)
    columns = {each.of: rng.integers(-3, 9, 200).astype(float) for each in POPULATION}
    columns["spend_365d"][::7] = np.nan
    ranks = {name: Ranks.of(column) for name, column in columns.items()}
    together = population_features(columns, ranks)
    alone = [population_features({name: column[[i]] for name, column in columns.items()}, ranks) for i in range(200)]
    for each in POPULATION:
        assert np.array_equal([row[each.name][0] for row in alone], together[each.name], equal_nan=True)
    spend = columns["spend_365d"]
    held = np.maximum(spend, 0)
    for i in np.flatnonzero(~np.isnan(spend)):
        share = np.nansum(held[spend >= spend[i]]) / np.nansum(held)
        assert together["spend_cumulative_share"][i] == pytest.approx(share, abs=1e-12)
    assert np.isnan(together["spend_cumulative_share"][np.isnan(spend)]).all()
    nobody = Ranks.of(np.array([0.0, -5.0]))
    assert np.isnan(nobody.cumulative_share(np.array([0.0]))).all()
