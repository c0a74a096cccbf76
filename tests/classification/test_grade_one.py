"""One customer graded by itself is graded as in the whole base, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from classification.facts import Facts
from classification.grade import LiveSet
from classification.scheme import load_scheme
from features.texts import Texts
from tests.conftest import Ran
from training.snapshots import Snapshot, read_cuts, read_snapshots

SCHEME = load_scheme("2026-12")
NUMBERS, TEXTS = sorted(SCHEME.facts), sorted(SCHEME.texts)
CUTOFFS = {
    name: {class_: 100.0 / (1 + i) for i, class_ in enumerate(dimension.share.classes[:-1])}
    for name, dimension in SCHEME.dimensions.items()
    if dimension.share
}


def bounds() -> list[float]:
    """Every number that the scheme compares with, and its neighbours."""
    found = {0.0, -0.0, 1.0, np.inf, -np.inf, *(cut for cuts in CUTOFFS.values() for cut in cuts.values())}
    for dimension in SCHEME.dimensions.values():
        rule: Any = dimension.rule
        found |= set(getattr(rule, "bounds", {}).values())
        for conditions in getattr(rule, "rules", {}).values():
            found |= {each for span in conditions.values() for each in (span if isinstance(span, tuple) else (span,))}
    near = {np.nextafter(each, side) for each in found for side in (-np.inf, np.inf)}
    return sorted(found | {float(each) for each in near})


value = st.one_of(st.sampled_from(bounds()), st.just(np.nan), st.floats())
text = st.one_of(
    st.none(), st.text(max_size=3),
    st.sampled_from(sorted({t for d in SCHEME.dimensions.values() if d.given and d.given.values
                            for texts in d.given.values.values() for t in texts})),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(NUMBERS, value)), st.dictionaries(st.sampled_from(TEXTS), text))
def test_every_rule_says_the_same_of_one_as_of_many(numbers: dict[str, float], texts: dict[str, str | None]) -> None:
    """Whatever the facts are: null, infinite, on a bound; and whatever the texts."""
    facts = Facts(1, {n: np.array([v]) for n, v in numbers.items()}, {n: Texts.of([t]) for n, t in texts.items()})
    many = {name: str(found[0]) for name, found in SCHEME.classify(facts, CUTOFFS).items()}
    assert SCHEME.classes_of(numbers, texts, CUTOFFS) == many


def test_one_is_graded_as_among_many(sample: Ran) -> None:
    """Every customer of the sample: scores, percentiles, standing, classes and code."""
    live, _, _ = sample.job.live()
    base = read_snapshots(sample.workspace, [read_cuts(sample.workspace).grade])[0]
    for i, among in enumerate(live.grade(base.rows, base.texts).each()):
        one = live.grade_one(base.rows[i], _texts(base, i))
        for name in ("raw", "classes", "code", "notes"):
            assert getattr(one, name) == getattr(among, name)
        for name in ("scores", "percentiles", "standing"):
            mine, theirs = getattr(one, name), getattr(among, name)
            assert mine.keys() == theirs.keys()
            assert np.array_equal(list(mine.values()), list(theirs.values()), equal_nan=True)
    assert isinstance(live, LiveSet)


def _texts(base: Snapshot, i: int) -> dict[str, str | None]:
    return {name: None if t.codes[i] < 0 else t.names[t.codes[i]] for name, t in base.texts.items()}
