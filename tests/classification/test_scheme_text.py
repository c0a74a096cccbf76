"""What is written in a scheme's file is total, reachable and single-valued, or refused by the place where it is not."""

from __future__ import annotations

import itertools
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from classification.conditions import Conditions, unreachable
from classification.facts import Facts
from classification.scheme import CURRENT, Dimension, Scheme, load_scheme, read_scheme, scheme_text
from classification.soundness import file_flaws, scheme_digest, text_flaws
from features.config import find_flaws
from features.errors import InputError
from features.texts import Texts
from tests.conftest import ROOT

SMALL = """
version: "2026-12"
replaces: "2026-01"
forward: {value: {D: C}}
code: ["{value}{way}", "{churn}{segment}{channel}"]
dimensions:
  value:
    title: Value
    share: {fact: spend_365d, of: customers, top: {A: 0.05, B: 0.20, C: 1.00}}
    names: {A: key, B: major, C: ordinary}
  way:
    title: Way
    first_match:
      P: {orders: 0}
      X: {recency_days: [365, .inf], orders: [1, 3]}
      F: {orders: [1, .inf], recency_days: [0, 365]}
      R: {}
    hold: {months: 2}
    moves: {P: [F], X: [R], F: [X, R], R: [X]}
    names: {P: prospect, X: lapsed, F: first, R: repeat}
  churn:
    title: Churn
    at_least: {fact: churn, bounds: {3: 0.7, 2: 0.4, 1: -.inf}}
    hold: {margin: 0.03}
    names: {3: likely, 2: at risk, 1: unlikely}
  segment:
    title: Segment
    given: {fact: segments, numbers: {1: 1, 2: 2}}
    names: {1: one, 2: two}
  channel:
    title: Channel
    given: {trait: top_channel, values: {W: [web, online], S: [shop]}, other: O}
    names: {W: web, S: shop, O: other}
"""
SCALARS = st.sampled_from(
    [None, True, 0, 1, 2, 0.4, 0.05, 1.0, 365, -1, 1e300, math.inf, -math.inf, math.nan, "", " ", "web", "A", "U", "UU",
     "AA", "N", "x", "{value}", "{value}-{way}", "2026-01", "2026-12", "churn", "orders", "value", "lowest", "revenue"]
)  # fmt: skip
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.dictionaries(st.sampled_from(["A", "B", "U", "1", "orders", "churn", "fact", "top"]), SCALARS, max_size=3),
)
KEYS = st.sampled_from(
    ["A", "B", "C", "P", "R", "U", "1", "3", "orders", "churn", "value", "a b", "hold", "moves", "top"]
)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a tree of mappings and lists."""
    found = []
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        found += [(tree, key), *_places(value)]
    return found


def _some_place(tree: Any, data: st.DataObject) -> tuple[Any, Any]:
    places = _places(tree)
    return places[data.draw(st.integers(0, len(places) - 1))]


def mutate(tree: Any, data: st.DataObject) -> None:
    container, key = _some_place(tree, data)
    what = data.draw(st.sampled_from(["replace", "copy", "delete", "rename", "add", "turn"]))
    if what == "replace":
        container[key] = data.draw(VALUES)
    elif what == "copy":
        other, its = _some_place(tree, data)
        container[key] = yaml.safe_load(yaml.safe_dump(other[its]))
    elif what == "delete":
        del container[key]
    elif isinstance(container, dict):
        items = list(container.items())
        if what == "turn":
            items.reverse()
        else:
            items.append((data.draw(KEYS), container[key] if what == "rename" else data.draw(VALUES)))
        container.clear()
        container.update(items)
        if what == "rename":
            container.pop(key, None)


def _corners(dimension: Dimension) -> Facts | None:
    """Facts on, between and beyond all numbers a dimension names, null too; None where these are too many."""
    rule = dimension.first_match or {}
    axes: dict[str, set[float]] = {fact: set() for fact in dimension.rule.facts}
    for conditions in rule.values():
        for fact, span in conditions.items():
            axes[fact] |= set(span) if isinstance(span, tuple) else {span}
    columns = []
    for edges in axes.values():
        finite = sorted(edge for edge in edges if math.isfinite(edge)) or [0.0]
        between = [a + (b - a) / 2 for a, b in itertools.pairwise(finite)]
        beyond = [math.nextafter(finite[0], -math.inf), math.nextafter(finite[-1], math.inf), -1e308, 1e308]
        columns.append([math.nan, *finite, *between, *(math.nextafter(edge, math.inf) for edge in finite), *beyond])
    if math.prod(map(len, columns)) > 100_000:
        return None
    grid = np.array(list(itertools.product(*columns)), float).reshape(-1, len(axes))
    return Facts(len(grid), {fact: grid[:, i] for i, fact in enumerate(axes)})


def _witnesses(dimension: Dimension) -> tuple[Facts, dict[str, float]] | None:
    """Facts that reach every class a dimension has, and the cut-offs to judge them by."""
    if dimension.share:
        steps = np.arange(len(dimension.share.top), dtype=float) * (1 if dimension.share.first == "lowest" else -1)
        cutoffs = dict(zip(list(dimension.share.top)[:-1], steps.tolist(), strict=False))
        return Facts(len(steps) + 1, {dimension.share.fact: np.array([*steps, math.nan])}), cutoffs
    if dimension.at_least:
        finite = [bound if math.isfinite(bound) else -1.7e308 for bound in dimension.at_least.bounds.values()]
        return Facts(len(finite) + 1, {dimension.at_least.fact: np.array([*finite, math.nan])}), {}
    if dimension.given and dimension.given.numbers:
        numbers = [*dimension.given.numbers.values(), math.nan]
        return Facts(len(numbers), {str(dimension.given.fact): np.array(numbers)}), {}
    if dimension.given:
        texts = [*(text for each in (dimension.given.values or {}).values() for text in each), "?", None]
        name = dimension.given.attribute or dimension.given.trait or ""
        return Facts(len(texts), {}, {name: Texts.of(texts)}), {}
    facts = _corners(dimension)
    return (facts, {}) if facts else None


def holds(scheme: Scheme) -> None:
    """Every class has somebody, everybody exactly one class, and the codes read back."""
    classes = {}
    for name, dimension in scheme.dimensions.items():
        found = _witnesses(dimension)
        if found is None:
            continue
        facts, cutoffs = found
        given_classes = dimension.rule.classify(facts, cutoffs)
        assert given_classes.shape == (facts.size,)
        assert set(dimension.rule.classes) <= set(given_classes.tolist()) <= set(dimension.all), name
        classes[name] = given_classes.tolist()
    if len(classes) == len(scheme.dimensions):
        for i in range(max(map(len, classes.values()))):
            own = {name: column[i % len(column)] for name, column in classes.items()}
            assert scheme.decode(scheme.coding.encode(own)) == own


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_scheme_holds_or_is_refused_by_its_place(data: st.DataObject) -> None:
    """Whatever is changed in a file: no class is out of reach, nobody is left out, nothing is defined twice."""
    tree = yaml.safe_load(SMALL)
    for _ in range(data.draw(st.integers(1, 3))):
        if _places(tree):
            mutate(tree, data)
    text = yaml.safe_dump(tree, sort_keys=False)
    flaws = find_flaws(Scheme, text, "the file")
    try:
        scheme = read_scheme(text, "the file")
    except InputError as error:
        assert error.place.startswith("the file") and error.found and error.wanted
        assert error.letter() in [each.letter() for each in flaws]
    else:
        assert not flaws
        holds(scheme)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, len(SMALL)), st.integers(0, 12), st.text('{}[]:,-"#AUx1.\n ', max_size=4))
def test_a_torn_file_is_refused(at: int, gone: int, instead: str) -> None:
    """Text that is no YAML, or YAML that is no scheme, is a letter; what still loads, holds."""
    text = SMALL[:at] + instead + SMALL[at + gone :]
    try:
        scheme = read_scheme(text, "the file")
    except InputError as error:
        assert error.place.startswith("the file") and error.found and error.wanted
    else:
        holds(scheme)


def test_a44_one_version_has_one_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class twice in a file, a version in two files, a version that was released otherwise: each fails the check.

    A comment, or a default that is written out, is no other content.
    """
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "configs/schemes"
    shutil.copytree(ROOT / "configs/schemes", folder)
    path = folder / f"{CURRENT}.yaml"
    scheme, text = load_scheme(CURRENT), scheme_text(CURRENT)
    released = {CURRENT: {scheme_digest(scheme): "a.customer-scorer version 1"}}
    assert file_flaws(path, released) == []
    path.write_text(text.replace("of: customers, top: {A: 0.05", "top: {A: 0.050") + "# more\n")
    assert file_flaws(path, released) == []
    path.write_text(text.replace("A: 0.05", "A: 0.06"))
    (flaw,) = file_flaws(path, released)
    assert "released with other content (a.customer-scorer version 1)" in flaw.found
    assert f"scoring scheme new VERSION --from {CURRENT}" in flaw.cure
    (folder / f"{CURRENT}.yml").write_text(text)
    (flaw,) = file_flaws(path, {})
    assert f"which configs/schemes/{CURRENT}.yml defines otherwise" in flaw.found
    path.write_text(text.replace("{A: 0.05, B: 0.20", "{A: 0.05, A: 0.06, B: 0.20"))
    (flaw,) = file_flaws(path, {})
    assert "the key 'A' twice" in flaw.found


def test_every_flaw_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    """One letter for each, by its place; nobody mends a file one error at a time."""
    text = SMALL.replace("B: 0.20", "B: 0.02").replace("R: {}", "R: {orders: 9}").replace("2: 0.4", "2: 0.9")
    text = text.replace("margin: 0.03", "margin: .inf").replace("title: Segment\n", "titel: Segment\n")
    places = {flaw.place for flaw in find_flaws(Scheme, text, "f")}
    wanted = ["value.share.top.B", "way.first_match.R", "churn.at_least.bounds.2", "churn.hold.margin"]
    assert places == {f"f: dimensions.{each}" for each in [*wanted, "segment.title", "segment.titel"]}
    flaws = text_flaws(SMALL.replace("spend_365d", "spend_356d").replace("top_channel", "channel"), tmp_path / "x", {})
    said = "\n".join(flaw.letter() for flaw in flaws)
    for words in ("the fact 'spend_356d'", "Did you mean 'spend_365d'?", "the trait 'channel'", "'x', as the file"):
        assert words in said
    assert "forward.value" in said and "the class D" in said


RULES: dict[str, tuple[dict[str, Conditions], dict[str, str]]] = {
    "between two": ({"A": {"x": (0, 5)}, "B": {"x": (5, 9)}, "C": {"x": (1, 8)}, "D": {}}, {"C": "A and B"}),
    "a gap": ({"A": {"x": (0, 5)}, "B": {"x": (6, 9)}, "C": {"x": (1, 8)}, "D": {}}, {}),
    "in a plane": (
        {"A": {"x": (0, 9), "y": (0, 4)}, "B": {"x": (0, 9), "y": (4, 9)}, "C": {"x": 3, "y": (1, 8)}, "D": {}},
        {"C": "A and B"},
    ),
    "null": ({"A": {"x": (-math.inf, math.inf), "y": 1}, "B": {"x": 1}, "C": {}}, {}),
    "among many facts": (
        {"A": {"x": (0, 9)}}
        | {f"B{i}": {f"{fact}{i}": (0.0, 1.0 + i) for fact in "fgh"} for i in range(9)}
        | {"C": {"x": 1, "f1": (3, 4)}, "D": {}},
        {"C": "A"},
    ),
}


@pytest.mark.parametrize("case", RULES)
def test_a_class_that_others_take_together_is_found(case: str) -> None:
    """However many facts are looked at; a null fact lets a customer through."""
    rules, lost = RULES[case]
    assert unreachable(rules) == lost
