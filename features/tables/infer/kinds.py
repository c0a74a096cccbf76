"""What kind of event a row is: by the table's columns, its codes, its signs, or the name of its file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.tables.events import KINDS
from features.tables.infer.guess import Guess
from features.tables.infer.looked import Looked
from features.tables.infer.profile import Column
from features.tables.infer.roles import Part
from features.tables.infer.words import CODE_WORDS, KIND_WORDS, WORDS, first_that_fits, says

ALMOST_ALL = 0.99

Flags = NDArray[np.bool_]
"""One per row."""


@dataclass(frozen=True)
class Kinds:
    """kind: the entry of that name, a guess or a list of them; drop, require: rules of these names; negative: fields
    that the table gives with the wrong sign; other: another table over the same rows, called so."""

    kind: Any
    drop: tuple[dict[str, Guess], ...] = ()
    require: tuple[dict[str, Guess], ...] = ()
    negative: tuple[str, ...] = ()
    both_sides: bool = False
    called: str = ""
    other: Kinds | None = None

    @property
    def names(self) -> set[str]:
        """The kinds that it gives."""
        rules = self.kind if isinstance(self.kind, list) else [self.kind]
        return {rule.value["is"] if isinstance(rule.value, dict) else rule.value for rule in rules}


def kinds(looked: Looked, parts: dict[str, Part], money: dict[str, Guess]) -> Kinds:
    """The kinds of a table's rows."""
    if (other := parts.get("counterparty")) and other.points > 8:
        return Kinds(Guess("transfer_out", other.why), both_sides=True)
    signed = _signed(parts, money)
    by_code = _by_code(parts["type"].column, parts, money, signed) if "type" in parts else None
    if by_code is not None:
        return by_code
    if "due_day" in parts:
        return Kinds(Guess("invoice_due", "each row has a day on which it falls due"))
    called = first_that_fits(looked.name, KIND_WORDS)
    if called == "return":
        return Kinds(Guess("return", "the file's name says so"), negative=() if signed else _given(money))
    if called:
        return Kinds(Guess(called, "the file's name says so"))
    if signed and "item" not in parts and any(says(column.name, "balance saldo") for column in looked.columns):
        return _ledger(looked, signed)
    return _by_sign(looked, parts, signed)


def _given(money: dict[str, Guess]) -> tuple[str, ...]:
    return tuple(field for field in ("amount", "cost", "quantity") if field in money)


def _signed(parts: dict[str, Part], money: dict[str, Guess]) -> Column | None:
    """The column whose sign is the amount's, if it has negative numbers."""
    of = money["amount"].value if "amount" in money else None
    name = of["multiply"][0] if isinstance(of, dict) else of
    column = next((part.column for part in parts.values() if part.column.name == name), None)
    return column if column and column.number and column.number.negative > 0 else None


def _below_0(looked: Looked, column: Column) -> dict[str, Any]:
    """The condition of a negative number, in whatever way the column writes it."""
    plain = looked.decimal == "." and not (column.number and column.number.currency)
    return {column.name: {"below": 0} if plain else {"starts_with": ["-", "("]}}


def _ledger(looked: Looked, signed: Column) -> Kinds:
    """An account's statement: what comes in, and in a table of its own with the sign turned what goes out."""
    out = _below_0(looked, signed)
    outgoing = Kinds(
        Guess("transfer_out", "negative rows"),
        require=({"rule": Guess("outgoing"), "that": Guess(out), "otherwise": Guess("drop")},),
        negative=("amount",),
        called="out",
    )
    why = "amounts with a sign beside a balance: an account's statement"
    return Kinds(
        Guess("transfer_in", why), drop=({"rule": Guess("incoming"), "when": Guess(out)},), called="in", other=outgoing
    )


def _by_code(column: Column, parts: dict[str, Part], money: dict[str, Guess], signed: Column | None) -> Kinds | None:
    """The kinds that the codes of a column name; None where they name none."""
    said: dict[str, list[str]] = {}
    for code in column.codes:
        kind = code if code in KINDS else first_that_fits(code, CODE_WORDS) or first_that_fits(code, KIND_WORDS)
        said.setdefault(kind or "", []).append(code)
    if {"transfer_in", "transfer_out"} <= set(said) and "item" not in parts:
        return Kinds(_rules(column, said, "transfer_out"))
    known = {kind: codes for kind, codes in said.items() if kind in KINDS and not kind.startswith("transfer")}
    if returned := known.pop("return", []):
        return _given_back(column, returned, () if signed else _given(money))
    if len(known) > 1 or "purchase" in known:
        return _log(column, known, [code for kind, codes in said.items() if kind not in known for code in codes])
    return None


def _given_back(column: Column, codes: list[str], positive: tuple[str, ...]) -> Kinds:
    """Sales and what came back, told apart by a code."""
    when = {column.name: {"any_of": codes}}
    if says(column.name, "status state zustand"):
        unsure = "rows that were cancelled or sent back count as if they had never been"
        return Kinds(Guess("purchase"), drop=({"rule": Guess("not-sold", unsure=unsure), "when": Guess(when)},))
    why = f"what the codes of {column.name} say"
    if not positive:
        rules = [Guess({"is": "return", "when": when}, why), Guess({"is": "purchase"}, "all other rows")]
        return Kinds(rules)
    returns = Kinds(
        Guess("return", why),
        require=({"rule": Guess("given-back"), "that": Guess(when), "otherwise": Guess("drop")},),
        negative=positive,
        called="returned",
    )
    return Kinds(Guess("purchase"), drop=({"rule": Guess("given-back"), "when": Guess(when)},), other=returns)


def _log(column: Column, known: dict[str, list[str]], others: list[str]) -> Kinds:
    """A log of events of several kinds; those of no kind that we know are dropped."""
    last = max(known, key=lambda kind: sum(column.codes[code] for code in known[kind]))
    if not others:
        return Kinds(_rules(column, known, last))
    unsure = f"what {', '.join(others[:5])} stands for; it is left out"
    drop = {"rule": Guess("other-kind", unsure=unsure), "when": Guess({column.name: {"any_of": others}})}
    return Kinds(_rules(column, known, last), drop=(drop,))


def _rules(column: Column, said: dict[str, list[str]], last: str) -> list[Guess]:
    """A rule per kind, by the codes that say it; the last is for all other rows."""
    rules = [
        Guess({"is": kind, "when": {column.name: {"any_of": codes}}}, f"what the codes of {column.name} say")
        for kind, codes in said.items()
        if kind not in (last, "")
    ]
    others = [code for kind, codes in said.items() if kind == "" for code in codes]
    unsure = f"what {', '.join(others[:5])} stands for" if others else ""
    return [*rules, Guess({"is": last}, "all other rows", unsure)]


def _by_sign(looked: Looked, parts: dict[str, Part], signed: Column | None) -> Kinds:
    """Purchases; rows of a negative amount are returns, told by the letters of their order number if they can be."""
    if signed is None:
        certain = {"ref", "item", "amount"} & set(parts)
        return Kinds(Guess("purchase", "", "" if certain else "nothing but the time tells that a row is a purchase"))
    below = looked.numbers(signed) < 0
    rules, rest = _by_letters(looked, parts, below)
    written_off = rest & _unpriced(looked, parts, signed)
    if rest.sum() > written_off.sum() + 0.01 * below.sum():
        rules.append(Guess({"is": "return", "when": _below_0(looked, signed)}, "negative rows give money back"))
    drop = (_write_off(_below_0(looked, signed), parts["unit_price"].column),) if written_off.any() else ()
    unsure = "nearly half of the rows are negative: are these sales?" if below.mean() > 0.3 else ""
    return Kinds([*rules, Guess({"is": "purchase"}, "all other rows", unsure)], drop)


def _by_letters(looked: Looked, parts: dict[str, Part], below: Flags) -> tuple[list[Guess], Flags]:
    """The rule that tells negative rows by their order numbers, if there is one, and the rows that it does not tell."""
    ref = parts.get("ref")
    refs = looked.texts(ref.column) if ref else None
    letters = _letters(refs, below) if ref else ""
    if ref is None or not letters:
        return [], below
    when = {ref.column.name: {"starts_with": [letters]}}
    told = pc.fill_null(pc.starts_with(refs, letters), False).to_numpy(zero_copy_only=False)
    return [Guess({"is": "return", "when": when}, f"negative rows have numbers that begin with {letters}")], (
        below & ~told
    )


def _unpriced(looked: Looked, parts: dict[str, Part], signed: Column) -> Flags:
    """The rows whose price is 0."""
    price = parts.get("unit_price")
    if price is None or price.column is signed:
        return np.zeros(looked.sample.num_rows, bool)
    return np.asarray(looked.numbers(price.column) == 0)


def _write_off(below_0: dict[str, Any], price: Column) -> dict[str, Guess]:
    zeros = list(price.number.texts_of_zero) if price.number else []
    when = {**below_0, price.name: {"any_of": zeros}}
    return {"rule": Guess("stock-write-off", "less stock, and no price"), "when": Guess(when)}


def _letters(refs: pa.Array, below: Flags) -> str:
    """The letters with which the order numbers of negative rows, and of no others, begin; empty: there are none."""
    heads = pc.replace_substring_regex(pc.filter(refs, pa.array(below)), r"[^A-Za-z].*$", "")
    counted = pc.value_counts(heads)
    pairs = zip(counted.field("counts").to_pylist(), counted.field("values").to_pylist(), strict=True)
    count, letters = max(pairs, default=(0, ""))
    if not re.fullmatch(r"[A-Za-z]{1,4}", letters) or count < 0.5 * len(heads):
        return ""
    alike = pc.starts_with(refs, letters).to_numpy(zero_copy_only=False)
    return letters if (alike & below).sum() >= ALMOST_ALL * alike.sum() else ""


def not_sales(item: Column, codes: Sequence[str]) -> Guess | None:
    """A proposal, in a comment, of item codes that are fees, corrections or tests and no sales."""
    found = sorted(code for code in codes if says(code, WORDS["not_a_sale"]) and len(code) <= 30)[:12]
    if not found:
        return None
    unsure = "fees, corrections or tests? Then drop them"
    return Guess({"rule": "not-a-sale", "when": {item.name: {"any_of": found}}}, unsure=unsure, off=True)
