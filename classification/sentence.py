"""A change of class in plain words: the facts that its dimension looks at, as they were and as they are."""

from __future__ import annotations

from collections.abc import Mapping

from classification.facts import Facts
from classification.scheme import Dimension
from training.explain import told

Cutoffs = Mapping[str, float]

MOST_FACTS = 3


def change_sentence(
    dimension: Dimension, facts: tuple[Facts, Facts], i: int, cutoffs: tuple[Cutoffs, Cutoffs], kind: str, decimals: int
) -> str:
    """Why customer `i` is in another class, the old and the new facts and cut-offs side by side.

    As in `Net spend of the last 365 days: 310.00, was 1,204.00; A begins at 905.00, was 880.00`. decimals: of the
    currency. Facts that did not change are left out, unless none did.
    """
    if dimension.given is not None and dimension.given.fact is None:
        return _text(dimension, facts, i)
    old, new = facts
    names = sorted(name for name in dimension.rule.facts if name in old.numbers and name in new.numbers)
    moved = [n for n in names if _other(old.numbers[n][i], new.numbers[n][i])]
    said = [
        told(n, float(new.numbers[n][i]), float(old.numbers[n][i]), decimals) for n in (moved or names)[:MOST_FACTS]
    ]
    fact = dimension.share.fact if dimension.share else ""
    verb = "ends" if dimension.share and dimension.share.first == "lowest" else "begins"
    for class_, cut in cutoffs[1].items():
        before = cutoffs[0].get(class_, cut)
        if _other(before, cut):
            _, _, bounds = told(fact, float(cut), float(before), decimals).rpartition(": ")
            said.append(f"{class_} {verb} at {bounds}")
    return "; ".join(said)


def _text(dimension: Dimension, facts: tuple[Facts, Facts], i: int) -> str:
    given = dimension.given
    key = (given.attribute or given.trait or "") if given else ""
    before, after = (_name(each, key, i) for each in facts)
    return f"{dimension.title}: {after}, was {before}"


def _name(facts: Facts, key: str, i: int) -> str:
    texts = facts.texts.get(key)
    code = int(texts.codes[i]) if texts is not None else -1
    return texts.names[code] if texts is not None and code >= 0 else "not known"


def _other(a: float, b: float) -> bool:
    return not (a == b or (a != a and b != b))
