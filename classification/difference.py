"""What differs between two schemes, in words, dimension by dimension."""

from __future__ import annotations

from collections.abc import Iterator

from classification.scheme import Dimension, Scheme
from classification.wording import PLAIN, Money, hold_words, move_words, rule_words

CODE = "code"


def differences(old: Scheme, new: Scheme, money: Money = PLAIN) -> dict[str, list[str]]:
    """Dimension → what is different in it, a sentence each, in the order of `new`; last the layout of the code.
    Empty where both say the same."""
    found = {}
    for name, dimension in new.dimensions.items():
        before = old.dimensions.get(name)
        if before is None:
            found[name] = [f"new: {dimension.title} ({', '.join(dimension.rule.classes)})"]
        elif lines := [*_of_rule(before, dimension, money), *_of_change(before, dimension, money)]:
            found[name] = lines
    found |= {name: [f"given up: {d.title}"] for name, d in old.dimensions.items() if name not in new.dimensions}
    was, now = (" ".join(scheme.levels) for scheme in (old, new))
    return found | ({CODE: [f"{now}, was {was}"]} if now != was else {})


def _of_rule(old: Dimension, new: Dimension, money: Money) -> Iterator[str]:
    """Who belongs to which class, and what they are called."""
    if old.title != new.title:
        yield f"title: {new.title}, was {old.title}"
    before, after = rule_words(old, money), rule_words(new, money)
    for class_, words in after.items():
        if class_ not in before:
            yield f"{class_} ({new.name_of(class_)}) is new: {words}"
        elif words != before[class_] and not _same_conditions(old, new, class_):
            yield f"{class_}: {words}; was {before[class_]}"
        if class_ in before and new.name_of(class_) != old.name_of(class_):
            yield f"{class_} is called {new.name_of(class_)}, was {old.name_of(class_)}"
    yield from (f"{class_} ({old.name_of(class_)}) is gone" for class_ in before if class_ not in after)
    order = [[each for each in d.rule.classes if each in before and each in after] for d in (old, new)]
    if order[0] != order[1]:
        yield f"order: {', '.join(order[1])}; was {', '.join(order[0])}"


def _same_conditions(old: Dimension, new: Dimension, class_: str) -> bool:
    """Whether a class of a list has the same conditions, in another order at most."""
    was, now = (each.first_match.get(class_) if each.first_match else None for each in (old, new))
    return was is not None and was == now


def _of_change(old: Dimension, new: Dimension, money: Money) -> Iterator[str]:
    """When a change of class counts, and what can follow what."""
    was, now = hold_words(old, money), hold_words(new, money)
    if was != now:
        yield f"{now} Was: {was}"
    before, after = move_words(old), move_words(new)
    for class_ in [*after, *(each for each in before if each not in after)]:
        if before.get(class_) != after.get(class_):
            was, now = (each.get(class_, "anything") for each in (before, after))
            yield f"after {class_} can come {now}; was {was}"
