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
from classification.rules import Share
from classification.scheme import Scheme, load_scheme, scheme_text
from features.errors import InputError

SCHEME = load_scheme("2026-01")
FACTS = sorted(SCHEME.facts)
anything = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, 2.0, 0.4, 0.7, 365.0, 730.0, -5.0, 1e300]),
    st.floats(),
)


@settings(deadline=None)
@given(st.lists(st.tuples(*[anything] * len(FACTS)), min_size=1, max_size=30))
def test_every_dimension_is_total(base: list[tuple[float, ...]]) -> None:
    """Any facts whatever give each customer one class of each dimension, and a code that says just these."""
    facts = {name: np.array(column) for name, column in zip(FACTS, zip(*base, strict=True), strict=True)}
    classes = SCHEME.classify(facts, SCHEME.cutoffs(facts), len(base))
    for name, dimension in SCHEME.dimensions.items():
        assert classes[name].shape == (len(base),)
        assert set(classes[name]) <= {*dimension.rule.classes, dimension.unknown}
    for i in range(len(base)):
        own = {name: str(column[i]) for name, column in classes.items()}
        assert SCHEME.decode(SCHEME.coding.encode(own)) == own


values = st.lists(st.sampled_from([0.0, 0.0, 1.0, 2.0, 2.0, 3.5, 100.0, -4.0, math.nan]), min_size=1, max_size=80)


@given(values, st.sampled_from(["customers", "revenue"]))
def test_ties_are_never_split_and_order_changes_nothing(column: list[float], of: str) -> None:
    """Equal facts get equal classes; a better fact never gets a worse class; null facts are unknown."""
    share = Share(fact="x", of=of, top={"A": 0.05, "B": 0.2, "C": 1.0})  # type: ignore[arg-type]
    x = np.array(column)
    classes = share.classify({"x": x}, share.cutoffs(x), len(x))
    assert [c == "U" for c in classes] == [math.isnan(v) for v in column]
    known = sorted(((v, c) for v, c in zip(column, classes, strict=True) if not math.isnan(v)), reverse=True)
    assert [c for _, c in known] == sorted(c for _, c in known)
    assert len(set(known)) == len({v for v, _ in known})
    back = share.classify({"x": x[::-1]}, share.cutoffs(x[::-1]), len(x))
    assert list(back[::-1]) == list(classes)


@given(st.integers(1, 3000))
def test_a_share_is_exact_where_no_facts_are_equal(n: int) -> None:
    """ceil(5 %) of the customers are A, ceil(20 %) are A or B."""
    share = Share(fact="x", top={"A": 0.05, "B": 0.2, "C": 1.0})
    x = np.random.default_rng(n).permutation(n).astype(float)
    classes = share.classify({"x": x}, share.cutoffs(x), n)
    assert (classes == "A").sum() == math.ceil(0.05 * n)
    assert (classes != "C").sum() == math.ceil(0.2 * n)


def test_nobody_is_key_where_all_are_equal() -> None:
    """A base in which everyone spends nothing has no top 5 %."""
    share = Share(fact="x", top={"A": 0.05, "C": 1.0})
    assert share.cutoffs(np.zeros(100)) == {"A": math.inf}
    assert set(share.classify({"x": np.zeros(100)}, {"A": math.inf}, 100)) == {"C"}


def test_shares_of_revenue_stop_where_the_revenue_is_reached() -> None:
    """Those who bring the first 70 % of the revenue."""
    share = Share(fact="x", of="revenue", top={"A": 0.7, "B": 0.9, "C": 1.0})
    assert share.cutoffs(np.array([70.0, 15, 6, 4, 3, 2])) == {"A": 70.0, "B": 6.0}


BAD = {
    "unreachable bound": (
        "{3: 0.7, 2: 0.4, 1: -.inf}", "{3: 0.7, 2: 0.8, 1: -.inf}", ["class 2 (at least 0.8) can never be reached"]
    ),
    "bounds not total": ("1: -.inf}", "1: 0.0}", ["-.inf as the last bound"]),
    "shares not total": ("C: 1.00", "C: 0.90", ["1.0 as the last share"]),
    "shares that fall": ("B: 0.20", "B: 0.04", ["B (0.04) can never be reached"]),
    "rules not total": ("      R: {}\n", "      R: {orders: 9}\n", ["no conditions for the last class, R"]),
    "class after all": ("      P: {orders: 0}\n", "      P: {}\n", ["conditions for class P"]),
    "class twice": ("      F: {orders: 1}\n", "      P: {orders: 1}\n", ["the key 'P' twice"]),
    "two ways": ("    given:", "    at_least: {fact: churn, bounds: {2: 1, 1: -.inf}}\n    given:", ["exactly one of"]),
    "name missing": ("F: first purchase, ", "", ["a name for each of the classes"]),
    "code without a dimension": ("{churn}{segment}", "{churn}", ["'segment' is missing"]),
    "code with a dimension twice": ("{demand}\"", "{demand}{churn}\"", ["'churn' once"]),
    "code with another": ("{demand}\"", "{demands}\"", ["'demands'"]),
    "widths that differ": ("{3: 0.7, 2:", "{33: 0.7, 2:", ["classes of one width"]),
    "unknown key": ("replaces:", "replaced:", ["Did you mean 'replaces'"]),
    "class U": ("A: 0.05", "U: 0.05", ["no class U"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_scheme_says_where_and_how_to_mend(case: str, tmp_path: Path) -> None:
    """On loading, not when the first customer meets it."""
    old, new, wanted = BAD[case]
    text = scheme_text("2026-01")
    assert old in text
    path = tmp_path / "2026-01.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_scheme(str(path))
    for words in wanted:
        assert words in str(error.value), str(error.value)


def test_a_fact_nobody_computes_is_refused(
    tmp_path: Path, scoring: Callable[..., tuple[int, str]], sample: object
) -> None:
    """Before anything is trained."""
    path = tmp_path / "2026-01.yaml"
    path.write_text(scheme_text("2026-01").replace("fact: spend_365d", "fact: spend_366d"), encoding="utf-8")
    home = sample.workspace.home  # type: ignore[attr-defined]
    code, error = scoring("train", "--source", "sample", "--home", home, "--scheme", path)
    assert code == 2
    assert "'spend_366d'" in error and "dimensions.value" in error


widths = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(1, 2), min_size=1)


@given(widths, st.data())
def test_codes_read_back_without_loss(widths: dict[str, int], data: st.DataObject) -> None:
    """encode then decode is the identity, whatever the template."""
    parts = [f"{data.draw(st.sampled_from(['', '-', 'X', '1', '/']))}{{{name}}}" for name in widths]
    code = Code.from_template("".join(parts) + data.draw(st.sampled_from(["", "!"])), widths)
    classes = {n: data.draw(st.text("AB1-", min_size=w, max_size=w)) for n, w in widths.items()}
    assert code.decode(code.encode(classes)) == classes


def test_a_code_of_no_such_scheme_is_refused() -> None:
    """Too long, too short, another separator, a class that does not exist."""
    good = {"value": "A", "lifecycle": "L", "behaviour": "F", "churn": "1", "segment": "1"}
    good |= {"intent": "I", "demand": "H"}
    assert SCHEME.decode("AL-F11-IH") == good
    for bad in ("AL-F111-IH", "AL-F11-I", "AL_F11-IH", "ZL-F11-IH", "AL-F11", ""):
        with pytest.raises(ValueError):
            SCHEME.decode(bad)


def test_the_scheme_in_use_is_a_scheme() -> None:
    """The file in configs is what the releases carry."""
    assert isinstance(SCHEME, Scheme) and SCHEME.version == "2026-01"
