"""What a table says of customers: attributes with their families, what tells persons apart, who objected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from features.tables.events import CONSENTS
from features.tables.infer.guess import Guess
from features.tables.infer.profile import Column
from features.tables.infer.roles import is_time
from features.tables.infer.words import (
    FAMILY_WORDS,
    IDENTITY_WORDS,
    NO,
    NOT_A_NAME,
    WORDS,
    YES,
    first_that_fits,
    says,
    tokens,
)


@dataclass
class Known:
    """Guesses of a customer table's keys. unused: column → why it is left out."""

    attributes: dict[str, Guess] = field(default_factory=dict)
    identity: dict[str, Guess] = field(default_factory=dict)
    consents: dict[str, Guess] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)

    def entries(self) -> dict[str, object]:
        """The keys that there are."""
        return {
            **({"attributes": self.attributes} if self.attributes else {}),
            **({"identity": self.identity} if self.identity else {}),
            **self.consents,
        }


def known_of_customers(columns: Sequence[Column]) -> Known:
    """What the columns, those of customer and time not among them, say of a customer."""
    found = Known()
    born = [column for column in columns if says(column.name, WORDS["birth_date"]) and is_time(column)]
    for column in columns:
        if not column.filled:
            found.unused[column.name] = "empty"
        elif consent := _consent(column):
            found.consents.setdefault(consent[0], consent[1])
        elif says(column.name, WORDS["outcome"]):
            found.unused[column.name] = "an outcome: known of nobody yet whom a model is asked about"
        elif says(column.name, WORDS["private"]):
            _add(found, column, Guess({"column": column.name, "family": "private"}, "stays in the vault"))
        elif identity := _identity(column):
            found.identity.setdefault(identity, Guess(column.name, "stays in the vault"))
        else:
            _attribute(found, column)
    if born and found.identity:
        found.identity["birth_date"] = Guess(born[0].name, "tells persons of one name apart")
    return found


def _identity(column: Column) -> str | None:
    if column.mail:
        return "email"
    kind = first_that_fits(column.name, IDENTITY_WORDS)
    if kind == "name" and (says(column.name, NOT_A_NAME) or column.repeats > 20):
        return None
    if kind == "city" and column.repeats > 200:
        return None
    return kind if not is_time(column) else None


def _consent(column: Column) -> tuple[str, Guess] | None:
    """Who said no, by a column of yes and no."""
    kind = next((consent for consent in CONSENTS if says(column.name, WORDS[consent])), None)
    codes = list(column.codes)
    yes, no = set(YES.split()), set(NO.split())
    if kind is None or not codes or not {code.lower() for code in codes} <= yes | no:
        return None
    objects = yes if says(column.name, WORDS["says_no"]) else no
    refused = [code for code in codes if code.lower() in objects]
    if not refused:
        return None
    unsure = f"whether {' or '.join(refused)} means that the customer said no"
    return kind, Guess({"column": column.name, "any_of": refused}, unsure=unsure)


def _attribute(found: Known, column: Column) -> None:
    if column.constant:
        found.unused[column.name] = "the same in every row"
    elif is_time(column) or column.clock:
        found.unused[column.name] = "a date"
    elif column.number is None and not column.codes and column.repeats < 2:
        found.unused[column.name] = "nearly every row has its own: it may name a customer"
    elif column.unique or (column.whole and column.repeats < 1.5 and says(column.name, WORDS["identifier"])):
        found.unused[column.name] = "every row has its own: an id"
    else:
        family = first_that_fits(column.name, FAMILY_WORDS)
        unsure = "" if family else "the family"
        _add(found, column, Guess({"column": column.name, "family": family or "social"}, unsure=unsure))


def _add(found: Known, column: Column, guess: Guess) -> None:
    name = (
        "_".join(token for token in tokens(column.name) if token.isascii()) or f"attribute_{len(found.attributes) + 1}"
    )
    while name in found.attributes or name in CONSENTS:
        name += "_2"
    found.attributes[name] = guess
