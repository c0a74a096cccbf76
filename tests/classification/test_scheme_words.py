"""What differs between two schemes is told, and a new version is the old text with just the changes asked for."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from classification.difference import differences
from classification.draft import draft
from classification.scheme import CURRENT, read_scheme, scheme_text
from features.errors import InputError
from tests.classification.test_scheme_text import SMALL, mutate


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_whatever_differs_has_words(data: st.DataObject) -> None:
    """Two schemes that judge, name or code otherwise never look the same to a reader; the same scheme always does."""
    tree = yaml.safe_load(SMALL)
    mutate(tree, data)
    old = read_scheme(SMALL, "the old one")
    try:
        new = read_scheme(yaml.safe_dump(tree, sort_keys=False), "the new one")
    except InputError:
        return
    orders = [{name: d.rule.classes for name, d in each.dimensions.items()} for each in (old, new)]
    same = old.dimensions == new.dimensions and orders[0] == orders[1] and old.levels == new.levels
    assert same == (not differences(old, new)), differences(old, new)


def test_differences_are_told_class_by_class() -> None:
    """What a customer manager asks: who is A now, and who was."""
    old = read_scheme(SMALL, "the old one")
    changes = [
        "dimensions.value.share.top.A=0.075",
        "dimensions.churn.at_least.bounds.3=0.8",
        "dimensions.segment.names.1=best",
        "dimensions.channel.given.values.S=[shop, store]",
        "dimensions.way.moves.P=[F, R]",
    ]
    found = differences(old, read_scheme(draft(SMALL, "2027-01", changes), "the new one"))
    top = "of the customers by net spend of the last 365 days"
    assert found == {
        "value": [f"A: top 7.5 % {top}; was top 5 % {top}"],
        "way": ["after P can come F or R; was F"],
        "churn": [
            "3: probability to buy nothing from 0.8; was probability to buy nothing from 0.7",
            "2: probability to buy nothing from 0.4 to below 0.8; was probability to buy nothing from 0.4 to below 0.7",
        ],
        "segment": ["1 is called best, was one"],
        "channel": ["S: the customer's top channel is shop or store; was the customer's top channel is shop"],
    }


CURRENT_TEXT = scheme_text(CURRENT).partition("  behaviour:")[0]  # comments, blocks and flows; the rest is alike
KEPT = ("version", "replaces")


def _paths(tree: Any, at: str = "") -> list[str]:
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [each for key, value in pairs for each in (f"{at}{key}", *_paths(value, f"{at}{key}."))]


def _set(tree: Any, path: str, value: Any) -> None:
    *steps, last = path.split(".")
    for step in steps:
        tree = tree[int(step)] if isinstance(tree, list) else {str(key): each for key, each in tree.items()}[step]
    if isinstance(tree, list):
        tree[int(last)] = value
    else:
        tree[{str(key): key for key in tree}.get(last, last)] = value


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([p for p in _paths(yaml.safe_load(CURRENT_TEXT)) if p not in ("version", "replaces")]), st.data()
)
def test_a_change_of_one_key_changes_nothing_else(path: str, data: st.DataObject) -> None:
    """Every value can be replaced and every mapping added to; the rest says the same, and every comment stays."""
    if data.draw(st.booleans()):
        path += ".brand_new"
    value = data.draw(st.sampled_from(["7", "word", "[a, 1]", "{x: {y: 2}}"]))
    expected = yaml.safe_load(CURRENT_TEXT) | {"version": "2027-01", "replaces": CURRENT, "forward": {}}
    try:
        text = draft(CURRENT_TEXT, "2027-01", [f"{path}={value}"])
    except InputError:
        with pytest.raises((TypeError, AttributeError, ValueError, IndexError)):
            _set(expected, path, 0)  # only what has no keys cannot be added to
        return
    _set(expected, path, yaml.safe_load(value))
    assert yaml.safe_load(text) == expected
    if path in ("dimensions", "dimensions.lifecycle"):
        return  # a comment went with the block that was replaced
    assert [line.split("#")[1:] for line in CURRENT_TEXT.splitlines() if "#" in line] == [
        line.split("#")[1:] for line in text.splitlines() if "#" in line
    ]
