"""A scheme gives everyone exactly one class, splits no tie, and its codes read back without loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classification.code import Code
from classification.facts import Facts
from classification.rules import Share
from classification.scheme import CURRENT, Scheme, load_scheme, scheme_text
from features.errors import InputError
from features.population import Ranks
from features.texts import Texts

SCHEME = load_scheme(CURRENT)
FACTS = sorted(SCHEME.facts)
anything = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, 2.0, 0.4, 0.7, 365.0, 730.0, -5.0, 1e300]),
    st.floats(),
)


words = st.one_of(st.none(), st.sampled_from(["web", "north", "urban", "tools", "A", "retail"]), st.text(max_size=3))
NAMES = sorted(SCHEME.texts)


def classes_of(share: Share, x: np.ndarray) -> np.ndarray:
    """The classes of a base by its own cut-offs."""
    return share.classify(Facts(len(x), {"x": x}), share.cutoffs(Ranks.of(x)))


@settings(deadline=None)
@given(st.lists(st.tuples(*[anything] * len(FACTS), *[words] * len(NAMES)), min_size=1, max_size=30))
def test_every_dimension_is_total(base: list[tuple[float | str | None, ...]]) -> None:
    """Any facts whatever, unseen categories too, give each customer one class of each dimension, and a code that says
    just these, whole or cut off after a level."""
    columns = list(zip(*base, strict=True))
    numbers = {name: np.array(column, float) for name, column in zip(FACTS, columns, strict=False)}
    texts = {name: Texts.of(column) for name, column in zip(NAMES, columns[len(FACTS) :], strict=True)}
    facts = Facts(len(base), numbers, texts)
    cutoffs = SCHEME.cutoffs({name: Ranks.of(numbers[name]) for name in SCHEME.ranked})
    classes = SCHEME.classify(facts, cutoffs)
    for name, dimension in SCHEME.dimensions.items():
        assert classes[name].shape == (len(base),)
        assert set(classes[name]) <= set(dimension.all)
    codes = SCHEME.coding.encode_all(classes)
    for i in range(len(base)):
        own = {name: str(column[i]) for name, column in classes.items()}
        assert SCHEME.coding.encode(own) == codes[i]
        assert SCHEME.decode(str(codes[i])) == own
        for end in SCHEME.coding.ends:
            coarse = SCHEME.decode(str(codes[i])[:end])
            assert coarse == {name: own[name] for name in coarse}


@given(st.permutations(range(12)), st.lists(st.sampled_from([0.0, 1.0, 1.0, 2.5, math.nan]), min_size=12, max_size=12))
def test_permuting_customers_changes_nothing(order: list[int], column: list[float]) -> None:
    """Cut-offs and classes follow from the facts, not from the order they come in."""
    facts = {name: np.array(column) + k for k, name in enumerate(FACTS)}
    cutoffs = SCHEME.cutoffs({name: Ranks.of(facts[name]) for name in SCHEME.ranked})
    moved = {name: values[order] for name, values in facts.items()}
    assert SCHEME.cutoffs({name: Ranks.of(moved[name]) for name in SCHEME.ranked}) == cutoffs
    one, other = (SCHEME.classify(Facts(12, numbers), cutoffs) for numbers in (facts, moved))
    for name in SCHEME.dimensions:
        assert list(one[name][order]) == list(other[name])


values = st.lists(st.sampled_from([0.0, 0.0, 1.0, 2.0, 2.0, 3.5, 100.0, -4.0, math.nan]), min_size=1, max_size=80)


@given(values, st.sampled_from([("customers", "highest"), ("revenue", "highest"), ("customers", "lowest")]))
def test_b07_ties_are_never_split_and_order_changes_nothing(column: list[float], way: tuple[str, str]) -> None:
    """Equal facts get equal classes; a better fact never gets a worse class; null facts are unknown."""
    share = Share(fact="x", of=way[0], first=way[1], top={"A": 0.05, "B": 0.2, "C": 1.0})  # type: ignore[arg-type]
    x = np.array(column)
    classes = classes_of(share, x)
    assert [c == "U" for c in classes] == [math.isnan(v) for v in column]
    sign = 1 if way[1] == "highest" else -1
    known = sorted(((sign * v, c) for v, c in zip(column, classes, strict=True) if not math.isnan(v)), reverse=True)
    assert [c for _, c in known] == sorted(c for _, c in known)
    assert len(set(known)) == len({v for v, _ in known})
    back = classes_of(share, x[::-1])
    assert list(back[::-1]) == list(classes)


@given(st.integers(1, 3000))
def test_a_share_is_exact_where_no_facts_are_equal(n: int) -> None:
    """ceil(5 %) of the customers are A, ceil(20 %) are A or B."""
    share = Share(fact="x", top={"A": 0.05, "B": 0.2, "C": 1.0})
    x = np.random.default_rng(n).permutation(n).astype(float)
    classes = classes_of(share, x)
    assert (classes == "A").sum() == math.ceil(0.05 * n)
    assert (classes != "C").sum() == math.ceil(0.2 * n)


def test_nobody_is_key_where_all_are_equal() -> None:
    """A base in which everyone spends nothing has no top 5 %."""
    share = Share(fact="x", top={"A": 0.05, "C": 1.0})
    assert share.cutoffs(Ranks.of(np.zeros(100))) == {"A": math.inf}
    assert set(classes_of(share, np.zeros(100))) == {"C"}
    lowest = Share(fact="x", first="lowest", top={"A": 0.05, "C": 1.0})
    assert lowest.cutoffs(Ranks.of(np.zeros(100))) == {"A": -math.inf}
    assert set(classes_of(lowest, np.zeros(100))) == {"C"}


def test_shares_of_revenue_stop_where_the_revenue_is_reached() -> None:
    """Those who bring the first 70 % of the revenue."""
    share = Share(fact="x", of="revenue", top={"A": 0.7, "B": 0.9, "C": 1.0})
    assert share.cutoffs(Ranks.of(np.array([70.0, 15, 6, 4, 3, 2]))) == {"A": 70.0, "B": 6.0}


def test_the_lowest_can_come_first() -> None:
    """The most regular are those with the smallest irregularity."""
    share = Share(fact="x", first="lowest", top={"Y": 0.3, "N": 1.0})
    assert "".join(classes_of(share, np.arange(10.0))) == "YYYNNNNNNN"


BAD = {
    "unreachable bound": (
        "{3: 0.7, 2: 0.4, 1: -.inf}", "{3: 0.7, 2: 0.8, 1: -.inf}", ["class 2 (at least 0.8) can never be reached"]
    ),
    "bounds not total": ("1: -.inf}", "1: 0.0}", ["-.inf as the last bound"]),
    "shares not total": ("C: 1.00", "C: 0.90", ["1.0 as the last share"]),
    "shares that fall": ("B: 0.20", "B: 0.04", ["B (0.04) can never be reached"]),
    "rules not total": ("      R: {}\n", "      R: {orders: 9}\n", ["no conditions for the last class, R"]),
    "class after all": ("      P: {orders: 0}\n", "      P: {}\n", ["conditions for class P"]),
    "class taken by one": (
        "L: {tenure_days: [365, .inf], order_months: [3, .inf]}\n      T: {orders: [1, .inf]}",
        "T: {orders: [1, .inf]}\n      L: {orders: [3, 4], tenure_days: [365, .inf]}",
        ["other conditions for L than those of T"],
    ),
    "class taken by two": (
        "L: {orders_365d: [6, .inf], recency_days: [0, 90]}\n      A: {recency_days: [0, 180]}",
        "L: {recency_days: [0, 90]}\n      A: {recency_days: [90, 180]}\n      Q: {recency_days: [30, 120]}",
        ["other conditions for Q than those of L and A"],
    ),
    "two of one name": ("F: first purchase, ", "F: repeat, ", ["a name of its own for each class", "'repeat'"]),
    "a text in two classes": ("S: [shop, store]", "S: [shop, web]", ["found 'web' for W and for S"]),
    "moves to nowhere": ("P: [F, R]", "P: [F, Z]", ["moves from each of the classes"]),
    "a margin without bounds": ("hold: {months: 2}", "hold: {margin: 2}", ["other ways than at_least"]),
    "class twice": ("      F: {orders: 1}\n", "      P: {orders: 1}\n", ["the key 'P' twice"]),
    "two ways": (
        "    share: {fact: value,",
        "    given: {trait: x, values: {A: [a]}}\n    share: {fact: value,",
        ["exactly one of"],
    ),
    "name missing": ("F: first purchase, ", "", ["a name for each of the classes"]),
    "code without a dimension": ("{churn}{segment}", "{churn}", ["'segment' is missing"]),
    "code with a dimension twice": ("{demand}", "{demand}{churn}", ["'churn' once"]),
    "code with another": ("{demand}", "{demands}", ["'demands'"]),
    "widths that differ": ("{3: 0.7, 2:", "{33: 0.7, 2:", ["classes of one width"]),
    "unknown key": ("replaces:", "replaced:", ["Did you mean 'replaces'"]),
    "class U": ("A: 0.05", "U: 0.05", ["no class U"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_scheme_says_where_and_how_to_mend(case: str, tmp_path: Path) -> None:
    """On loading, not when the first customer meets it."""
    old, new, wanted = BAD[case]
    text = scheme_text(CURRENT)
    assert old in text
    path = tmp_path / f"{CURRENT}.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_scheme(str(path))
    for words in wanted:
        assert words in str(error.value), str(error.value)


def test_a_fact_nobody_computes_is_refused(
    tmp_path: Path, scoring: Callable[..., tuple[int, str]], sample: object
) -> None:
    """Before anything is trained."""
    path = tmp_path / f"{CURRENT}.yaml"
    path.write_text(scheme_text(CURRENT).replace("fact: spend_365d", "fact: spend_366d"), encoding="utf-8")
    home = sample.workspace.home  # type: ignore[attr-defined]
    code, error = scoring("train", "--source", "sample", "--home", home, "--scheme", path)
    assert code == 2
    assert "'spend_366d'" in error and "dimensions.value" in error


widths = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(1, 2), min_size=1)


@given(widths, st.data())
def test_codes_read_back_without_loss(widths: dict[str, int], data: st.DataObject) -> None:
    """encode then decode is the identity, whatever the template."""
    parts = [f"{data.draw(st.sampled_from(['', '-', 'X', '1', '/']))}{{{name}}}" for name in widths]
    cut = data.draw(st.integers(1, len(parts)))
    levels = ["".join(parts[:cut]), *(["".join(parts[cut:])] if cut < len(parts) else [])]
    levels[-1] += data.draw(st.sampled_from(["", "!"]))
    code = Code.from_levels(levels, widths)
    classes = {n: data.draw(st.text("AB1-", min_size=w, max_size=w)) for n, w in widths.items()}
    assert code.decode(code.encode(classes)) == classes


def test_a_code_of_no_such_scheme_is_refused() -> None:
    """Too long, too short, another separator, a class that does not exist."""
    old = load_scheme("2026-01")
    good = {"value": "A", "lifecycle": "L", "behaviour": "F", "churn": "1", "segment": "1"}
    good |= {"intent": "I", "demand": "H"}
    assert old.decode("AL-F11-IH") == good
    for bad in ("AL-F111-IH", "AL-F11-I", "AL_F11-IH", "ZL-F11-IH", "AL-F11", ""):
        with pytest.raises(ValueError):
            old.decode(bad)


def test_the_scheme_in_use_is_a_scheme() -> None:
    """The file in configs is what the releases carry."""
    assert isinstance(SCHEME, Scheme) and SCHEME.version == CURRENT
