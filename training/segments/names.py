"""What a segment is called: words for where its median customer stands among all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SLACK = 0.05
"""How far a segment may move past the bound of a word before a retrain takes another: the best of two words near a
bound would change back and forth."""

BOUNDS = (0.0, 0.15, 1 / 3, 2 / 3, 0.85, 1.0)
"""Where the five words of a feature begin and end among all customers. The outer two are only used to tell segments
apart that would have the same name: else the second stands for the first too, and the fourth for the fifth."""

RECENCY, ORDERS = "recency_days", "orders"
LATELY = ("very recent", "recent", "quiet", "silent", "long-silent")
OFTEN = ("rare", "occasional", "repeat", "frequent", "very frequent")
ORDER_SIZE = tuple(f"buyers of {size} orders" for size in ("very small", "small", "medium", "large", "very large"))
SPENDING = tuple(f"{size} spenders" for size in ("very low", "low", "medium", "high", "very high"))
MUCH = {"spend_per_order": ORDER_SIZE, "spend": SPENDING, "spend_365d": SPENDING}
"""What is said of money, by the feature of the space that tells it."""

NAMED_BY = (RECENCY, ORDERS, *MUCH)


@dataclass(frozen=True)
class Word:
    """A word holds for a segment whose standing in `column` is between low and high; with `exact`, whose median is."""

    text: str
    column: str = ""
    low: float = 0.0
    high: float = 1.0
    exact: bool = False

    def holds(self, medians: Mapping[str, float], standing: Mapping[str, float]) -> bool:
        """Whether a segment may still be called so. A feature that nothing is known of contradicts no word."""
        if self.exact:
            return self.low <= medians.get(self.column, self.low) <= self.high
        return self.low - SLACK <= standing.get(self.column, self.low) <= self.high + SLACK


Words = tuple[Word, ...]
BUYERS = Word("buyers")
ONE_TIME = Word("one-time", ORDERS, 1.0, 1.0, exact=True)


def words_for(
    space: Sequence[str], medians: Mapping[str, float], standing: Mapping[str, float], fine: bool = False
) -> Words:
    """Lately, often, much: one word each. fine: of five degrees, else of three."""
    money = next((column for column in MUCH if column in space), None)
    return (
        _word(RECENCY, LATELY, standing[RECENCY], fine),
        ONE_TIME if medians[ORDERS] == 1 else _word(ORDERS, OFTEN, standing[ORDERS], fine),
        BUYERS if money is None else _word(money, MUCH[money], standing[money], fine),
    )


def phrase(words: Iterable[Word]) -> str:
    """The words as a name."""
    return " ".join(word.text for word in words)


def unique_names(
    coarse: Mapping[int, Words], fine: Mapping[int, Words], kept: Mapping[int, tuple[str, Words]]
) -> dict[int, tuple[str, Words]]:
    """Number → name and its words, no name twice.

    coarse, fine: words by number; kept: names that still hold. A segment whose coarse name another would have too
    takes fine words where theirs differ, and where that does not help, a letter. A kept name stays, unless it would
    fit another as well.
    """
    shared = {number: [each for each in coarse if phrase(coarse[each]) == phrase(coarse[number])] for number in coarse}
    found: dict[int, tuple[str, Words]] = {}
    for number, (name, words) in kept.items():
        others = {phrase(coarse[each]) for each in coarse if each != number}
        if phrase(words) not in others and name not in {said for said, _ in found.values()}:
            found[number] = name, words
    for number in sorted(set(coarse) - set(found)):
        words = _told_apart(number, shared[number], coarse, fine)
        found[number] = _unless_taken(phrase(words), {said for said, _ in found.values()}), words
    return found


def _told_apart(number: int, group: Sequence[int], coarse: Mapping[int, Words], fine: Mapping[int, Words]) -> Words:
    """Coarse words, but fine ones where a group with the same coarse words differs: in one place if that will do."""
    if len(group) == 1:
        return coarse[number]
    places = range(len(coarse[number]))
    degrees = {place: {fine[each][place].text for each in group} for place in places}
    differ = [place for place in places if len(degrees[place]) > 1]
    enough = [place for place in differ if len(degrees[place]) == len(group)][-1:] or differ
    return tuple(fine[number][place] if place in enough else coarse[number][place] for place in places)


def _unless_taken(name: str, taken: set[str]) -> str:
    tries = (name, *(f"{name}, group {letter}" for letter in "BCDEFGHIJ"))
    return next(each for each in tries if each not in taken)


def _word(column: str, texts: Sequence[str], standing: float, fine: bool) -> Word:
    place = sum(standing >= bound for bound in BOUNDS[1:-1])
    if fine:
        return Word(texts[place], column, BOUNDS[place], BOUNDS[place + 1])
    low, middle, high = (0, 2), (2, 3), (3, 5)
    first, last = low if place < 2 else middle if place == 2 else high
    return Word(texts[min(max(place, 1), 3)], column, BOUNDS[first], BOUNDS[last])
