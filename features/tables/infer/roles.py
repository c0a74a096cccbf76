"""Which column plays which part in a table, by its name and by what its cells look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from features.tables.infer.dates import Reading
from features.tables.infer.guess import Guess
from features.tables.infer.profile import Column
from features.tables.infer.words import PAIRS, WORDS, says, tokens

Fits = Callable[[Column], bool]


def is_time(column: Column) -> bool:
    """Whether its cells read as times; a number that may be one must also be called so."""
    return reading(column) is not None


def reading(column: Column) -> Reading | None:
    """The way to read a column as a time."""
    best = column.when[0] if column.when else None
    return best if best and (not best.weak or says(column.name, _TIMES)) else None


_TIMES = " ".join(WORDS[each] for each in ("time", "time_other", "due", "settled", "valid_from", "signed_up"))


def is_step(column: Column) -> bool:
    """Whether it may be a clock that only counts."""
    number = column.number
    return column.whole and number is not None and 0 <= number.low < number.high < 100_000


def _number(column: Column) -> bool:
    return column.number is not None and not is_time(column)


def _count(column: Column) -> bool:
    return _number(column) and column.number is not None and column.number.whole > 0.95


def _name(column: Column) -> bool:
    """Whether its cells may be names of things: codes, numbers, texts; no measures and no times."""
    return not is_time(column) and not column.clock and (column.number is None or column.number.whole > 0.99)


def _code(column: Column) -> bool:
    return _name(column) and column.longest <= 60 and (bool(column.codes) or column.repeats > 3)


@dataclass(frozen=True)
class Clue:
    """What speaks for a role, or with negative points against it. said: the reason as it is told."""

    points: float
    holds: Fits
    said: str = ""


def named(words: str) -> Fits:
    """Whether a column's name has one of the words of a list in `words.WORDS`."""
    return lambda column: says(column.name, WORDS[words])


def calls(words: str) -> Fits:
    """Whether a column's name has one of these words."""
    return lambda column: says(column.name, words)


@dataclass(frozen=True)
class Role:
    """A part that a column may play: only if it `fits`, and better the more of the clues hold."""

    field: str
    fits: Fits
    clues: tuple[Clue, ...]
    least: float = 3.0


NAME = 5.0
"""What a name of a role's own is worth; another's name costs as much."""

ROLES = (
    Role("customer", lambda c: (_name(c) or c.mail) and not c.constant and c.full > 0.2, (
        Clue(NAME, named("customer"), "its name says so"),
        Clue(3.5, lambda c: c.mail, "an e-mail address, in want of an id"),
        Clue(2.5, named("customer_weak"), "its name may say so"),
        Clue(1, named("identifier"), ""),
        Clue(1, lambda c: c.repeats > 1.2, ""),
        Clue(-4, calls("name country city street address type group segment class status since state region"), ""),
        Clue(-2, lambda c: c.distinct < 20, ""),
    )),
    Role("time", lambda c: is_time(c) or (is_step(c) and says(c.name, WORDS["step"])), (
        Clue(3, is_time, "its cells read as times"),
        Clue(2, lambda c: not is_time(c) and tokens(c.name)[0] in WORDS["step"].split(), ""),
        Clue(2, named("time"), ""),
        Clue(1.5, named("time_event"), ""),
        Clue(-3, named("time_other"), ""),
        Clue(-6, named("birth_date"), ""),
        Clue(-2, lambda c: c.full < 0.9, ""),
        Clue(0.5, lambda c: c.full == 1, ""),
    ), least=1.0),
    Role("due_day", is_time, (Clue(NAME, named("due"), "its name says so"),)),
    Role("settled", is_time, (Clue(NAME, named("settled"), "its name says so"),)),
    Role("ref", _name, (
        Clue(NAME, named("ref"), "its name says so"),
        Clue(1, named("identifier"), ""),
        Clue(1, lambda c: c.distinct > 0.01 * c.filled, ""),
        Clue(-4, named("amount"), ""),
        Clue(-4, calls("type status name qty quantity line lines source channel method priority position"), ""),
        Clue(-3, lambda c: c.distinct < 20, ""),
    ), least=3.5),
    Role("event_id", lambda c: c.unique and _name(c), (
        Clue(3, named("identifier"), "no two rows have the same"),
        Clue(1.5, named("event"), ""),
        Clue(-2, named("customer"), ""),
    )),
    Role("quantity", _count, (
        Clue(NAME, named("quantity"), "its name says so"),
        Clue(-3, calls("price amount total value"), ""),
    )),
    Role("unit_price", _number, (
        Clue(NAME, named("unit_price"), "its name says so"),
        Clue(1.5, calls("unit einzel stuck stueck per each"), ""),
        Clue(-3, calls("total sum gesamt line"), ""),
    )),
    Role("amount", _number, (
        Clue(NAME, named("amount"), "its name says so"),
        Clue(1, lambda c: not c.whole, "it has decimals"),
        Clue(1, calls("total amount betrag sum montant importe importo gesamt line"), ""),
        Clue(-3, named("amount_other"), ""),
    ), least=2.5),
    Role("cost", _number, (
        Clue(NAME, named("cost"), "its name says so"),
        Clue(-3, calls("shipping versand center centre kostenstelle"), ""),
    )),
    Role("item", _name, (
        Clue(NAME, named("item"), "its name says so"),
        Clue(1, named("identifier"), ""),
        Clue(1, calls("sku code"), ""),
        Clue(-2, calls("name description desc bezeichnung title"), ""),
        Clue(-4, calls("category group gruppe kategorie class type quantity count price department"), ""),
    )),
    Role("category", _code, (Clue(NAME, named("category"), "its name says so"),)),
    Role("country", _code, (
        Clue(NAME, named("country"), "its name says so"),
        Clue(-2, calls("phone birth origin"), ""),
    )),
    Role("channel", _code, (Clue(NAME, named("channel"), "its name says so"), Clue(-3, calls("payment"), ""))),
    Role("type", _code, (Clue(NAME, named("type"), ""), Clue(-2, calls("payment product item customer card"), ""))),
    Role("code", _code, (Clue(NAME, named("code"), "its name says so"),)),
    Role("score", _number, (Clue(NAME, named("score"), "its name says so"),)),
    Role("counterparty", _name, (
        Clue(NAME, named("counterparty"), "its name says so"),
        Clue(3.5, named("counterparty_weak"), "another account than the customer's"),
        Clue(-1, lambda c: c.full > 0.95 and c.distinct < 20, ""),
    )),
    Role("currency", _code, (Clue(NAME, named("currency"), ""),)),
    Role("valid_from", is_time, (Clue(NAME, named("valid_from"), "its name says so"),)),
    Role("signed_up", is_time, (
        Clue(NAME, named("signed_up"), "its name says so"),
        Clue(-4, named("birth_date"), ""),
        Clue(-1, named("valid_from"), ""),
    )),
)  # fmt: skip

UNNAMED = (
    Role("time", is_time, (Clue(3, is_time, "its cells read as times"),), least=1.0),
    Role("customer", lambda c: _name(c) and not c.constant, (
        Clue(2, lambda c: c.repeats > 1.2 and c.distinct > 20, "its cells come again and again"),
        Clue(1, lambda c: c.number is None or c.number.high > 9_999, ""),
        Clue(-1, lambda c: c.distinct < 20, ""),
    ), least=1.0),
    Role("amount", _number, (
        Clue(2, lambda c: not c.whole, "a number with decimals"),
        Clue(1, lambda c: c.number is not None and c.number.zero < 0.5, "a number"),
    ), least=1.0),
    Role("quantity", _count, (Clue(1.5, lambda c: c.number is not None and c.number.high < 1_000, "small numbers"),),
         least=1.0),
)  # fmt: skip
"""The roles of columns that have no names."""


@dataclass(frozen=True)
class Part:
    """The column that plays a role, why, and by how many points."""

    column: Column
    why: str
    points: float

    def guess(self) -> Guess:
        """The entry of the part's field."""
        often = f"{self.column.distinct:,} different in {self.column.filled:,} rows"
        return Guess(self.column.name, "; ".join(filter(None, (self.why, often))))


Parts = dict[str, Part]
"""Field → the column that plays it."""


def cast(columns: Sequence[Column], roles: tuple[Role, ...] = ROLES) -> dict[str, Part]:
    """Field → the column that suits it best; a column has one part, where several fit the one it suits best."""
    ranked: list[tuple[float, int, int, Role, Part]] = []
    for i, role in enumerate(roles):
        for j, column in enumerate(columns):
            if column.filled and role.fits(column):
                held = [clue for clue in role.clues if clue.holds(column)]
                points = sum(clue.points for clue in held)
                why = "; ".join(clue.said for clue in held if clue.said)
                if points >= role.least:
                    ranked.append((-points, i, j, role, Part(column, why, points)))
    parts = _sides(columns)
    for _, _, _, role, part in sorted(ranked, key=lambda each: each[:3]):
        if role.field not in parts and all(part.column is not other.column for other in parts.values()):
            parts[role.field] = part
    return parts


def _sides(columns: Sequence[Column]) -> dict[str, Part]:
    """The two sides of a transfer: columns of equal names but for `source` and `target`, or another such pair."""
    by_words: Mapping[tuple[str, ...], Column] = {tuple(tokens(c.name)): c for c in columns if _name(c)}
    for words, column in by_words.items():
        for one, other in PAIRS:
            opposite = by_words.get(tuple(other if word == one else word for word in words))
            if one in words and opposite is not None and opposite is not column and column.distinct > 20:
                why = f"'{one}' and '{other}' are the two sides of a transfer"
                return {"customer": Part(column, why, 9), "counterparty": Part(opposite, why, 9)}
    return {}
