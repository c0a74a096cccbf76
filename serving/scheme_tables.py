"""What the commands about schemes print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from classification.amendment import Amendment
from classification.effect import Effect
from classification.scheme import WAYS, Dimension, Scheme
from classification.swap import FEWEST_TOLD, Move
from classification.wording import Money, cutoff_words, hold_words, move_words, rule_words

MOST_MOVES = 12
"""Changes of class that are listed; the others are summed up."""

Cutoffs = Mapping[str, Mapping[str, float]]


def dimension(name: str, found: Dimension, cutoffs: Mapping[str, float], money: Money) -> Iterator[Table | str]:
    """Its classes with name and rule, where shares begin, what can follow, and when a change counts."""
    rules, follows = rule_words(found, money), move_words(found)
    columns = ["", "class", "who", *(["cut-off"] if cutoffs else []), *(["then"] if follows else [])]
    table = _table(f"{name}: {found.title}", *columns)
    for class_ in (*found.rule.classes, *(each for each in rules if each == found.unknown)):
        begins = [cutoff_words(found, class_, cutoffs, money)] if cutoffs else []
        cells = [class_, found.name_of(class_), rules[class_], *begins, *([follows.get(class_, "")] if follows else [])]
        table.add_row(*map(escape, cells))
    yield table
    if found.first_match:
        yield "The first that fits counts."
    if found.hold:
        yield hold_words(found, money)


def dimensions(scheme: Scheme) -> Table:
    """What each dimension is."""
    table = _table(f"Scheme {scheme.version} holds", "dimension", "by", "looks at", "classes")
    for name, found in scheme.dimensions.items():
        looks = sorted(found.rule.facts) or [str(found.given and (found.given.attribute or found.given.trait))]
        way = next(way for way in WAYS if getattr(found, way) is not None)
        table.add_row(*map(escape, (name, way, ", ".join(looks), " ".join(found.rule.classes))))
    return table


def levels(scheme: Scheme) -> str:
    """How the code is made up."""
    example = scheme.coding.encode({name: d.rule.classes[0] for name, d in scheme.dimensions.items()})
    ends = scheme.coding.ends
    lines = [f"  {example[:end]:<{len(example)}}  {level}" for end, level in zip(ends, scheme.levels, strict=True)]
    return "\n".join(["\nThe code, level by level, as in:", *lines])


def differences(old: Scheme, new: Scheme, found: Mapping[str, Sequence[str]]) -> str:
    """A line for each difference."""
    head = f"{new.version} against {old.version}:"
    return "\n".join([head, *(f"- {name}: {line}" for name, lines in found.items() for line in lines)])


def effect(found: Effect, month: str) -> Iterator[Table | str]:
    """How many customers of a month would change class."""
    share = found.changed / max(found.customers, 1)
    yield f"\nIn {month}, {found.changed:,} of {found.customers:,} customers ({share:.1%}) would change class."
    table = _table("", "dimension", "from → to", "customers")
    for name, moves in found.moves.items():
        if not moves:
            table.add_row(name, "nobody", "0")
        for (before, after), count in list(moves.items())[:MOST_MOVES]:
            table.add_row(name, f"{before} → {after}", f"{count:,}")
        if rest := list(moves.values())[MOST_MOVES:]:
            table.add_row(name, f"{len(rest)} others", f"{sum(rest):,}")
    yield table
    for name, facts in found.lacking.items():
        yield f"{name}: not known, the month does not keep {', '.join(facts)}."


def amendment(done: Amendment, source: str, currency: str) -> Iterator[Table | str]:
    """What a release with another scheme changes, and how it goes live."""
    yield differences(done.old, done.new, done.differences)
    swap = done.swap
    yield f"\nWho would change class today, of {swap.customers:,} customers:"
    table = _table("", "dimension", "from → to", "customers", "share", f"spend of 365 days ({currency})")
    moves = sorted((move for move in swap.moves if move.before != move.after), key=lambda move: -move.customers)
    for move in moves[:MOST_MOVES]:
        table.add_row(*map(escape, (move.dimension, _named(done, move), *_size(move))))
    yield table
    if rest := moves[MOST_MOVES:]:
        yield f"and {len(rest)} smaller changes: swap/swap.md of the run."
    if done.caution:
        yield f"\n{done.caution}"
    yield (
        f"\nRegistered as version {done.version}: the models of version {done.champion} with scheme {done.new.version}."
        f"\nA person decides: scoring promote --source {source} --version {done.version} --approve NAME"
        f"\nThen: scoring reclassify --source {source}"
    )


def classes(found: Mapping[str, str], scheme: Scheme, title: str) -> Table:
    """What a code says."""
    table = _table(title, "dimension", "class", "")
    for name, class_ in found.items():
        table.add_row(*map(escape, (name, class_, scheme.dimensions[name].name_of(class_))))
    return table


def _named(done: Amendment, move: Move) -> str:
    return " → ".join(done.swap.named(move.dimension, each) for each in (move.before, move.after))


def _size(move: Move) -> tuple[str, str, str]:
    told = f"fewer than {FEWEST_TOLD} customers" if move.revenue is None else f"{move.revenue:,.0f}"
    return f"{move.customers:,}", f"{move.share:.1%}", told


def _table(title: str, *columns: str) -> Table:
    head = f"\n{escape(title)}" if title else None
    table = Table(title=head, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        numbers = column.startswith(("customers", "share", "spend"))
        table.add_column(column, justify="right" if numbers else "left", overflow="fold", no_wrap=i == 0)
    return table
