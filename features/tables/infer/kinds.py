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
    """kind: the entry of that name, a guess or a list of them; drop: rows that are no event; negative: fields that
    the table gives with the wrong sign; returns: the codes of rows that give positive amounts back, which need a table
    of their own."""

    kind: Any
    drop: tuple[dict[str, Guess], ...] = ()
    negative: tuple[str, ...] = ()
    both_sides: bool = False
    returns: tuple[str, tuple[str, ...]] | None = None

    @property
    def names(self) -> set[str]:
        """The kinds that it gives."""
        rules = self.kind if isinstance(self.kind, list) else [self.kind]
        return {rule.value["is"] if isinstance(rule.value, dict) else rule.value for rule in rules}


def kinds(looked: Looked, parts: dict[str, Part], money: dict[str, Guess]) -> Kinds:
    """The kinds of a table's rows."""
    if (other := parts.get("counterparty")) and other.points > 8:
        return Kinds(Guess("transfer_out", other.why), both_sides=True)
    by_code = _by_code(parts["type"].column, parts) if "type" in parts else None
    if by_code is not None:
        return by_code
    if "due_day" in parts:
        return Kinds(Guess("invoice_due", "each row has a day on which it falls due"))
    called = first_that_fits(looked.name, KIND_WORDS)
    if called == "return":
        positive = tuple(field for field in ("amount", "cost", "quantity") if field in money)
        signed = _signed(parts, money)
        return Kinds(Guess("return", "the file's name says so"), negative=() if signed else positive)
    if called:
        return Kinds(Guess(called, "the file's name says so"))
    return _by_sign(looked, parts, money)


def _signed(parts: dict[str, Part], money: dict[str, Guess]) -> Column | None:
    """The column whose sign is the amount's, if it has negative numbers."""
    of = money["amount"].value if "amount" in money else None
    name = of["multiply"][0] if isinstance(of, dict) else of
    column = next((part.column for part in parts.values() if part.column.name == name), None)
    return column if column and column.number and column.number.negative > 0 else None


def _by_code(column: Column, parts: dict[str, Part]) -> Kinds | None:
    """The kinds that the codes of a column name; None where they name none."""
    said: dict[str, list[str]] = {}
    for code in column.codes:
        kind = code if code in KINDS else first_that_fits(code, CODE_WORDS) or first_that_fits(code, KIND_WORDS)
        said.setdefault(kind or "", []).append(code)
    if {"transfer_in", "transfer_out"} <= set(said) and "item" not in parts:
        return Kinds(_rules(column, said, "transfer_out"))
    if returned := said.get("return", []):
        if says(column.name, "status state zustand"):
            unsure = "rows that were cancelled or sent back count as if they had never been"
            return Kinds(
                Guess("purchase", "the usual kind"),
                drop=({"rule": Guess("not-sold", unsure=unsure), "when": Guess({column.name: {"any_of": returned}})},),
            )
        return Kinds(_rules(column, {"return": returned}, "purchase"), returns=(column.name, tuple(returned)))
    known = {kind: codes for kind, codes in said.items() if kind in KINDS and not kind.startswith("transfer")}
    many = sum(column.codes[code] for codes in known.values() for code in codes)
    if known and many >= ALMOST_ALL * column.filled:
        last = max(known, key=lambda kind: sum(column.codes[code] for code in known[kind]))
        return Kinds(_rules(column, known, last))
    return None


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


def _by_sign(looked: Looked, parts: dict[str, Part], money: dict[str, Guess]) -> Kinds:
    """Purchases; rows of a negative amount are returns, told by the letters of their order number if they can be."""
    signed = _signed(parts, money)
    if signed is None:
        certain = {"ref", "item", "amount"} & set(parts)
        return Kinds(Guess("purchase", "", "" if certain else "nothing but the time tells that a row is a purchase"))
    below = looked.numbers(signed) < 0
    rules, rest = _by_letters(looked, parts, below)
    written_off = rest & _unpriced(looked, parts, signed)
    if rest.sum() > written_off.sum() + 0.01 * below.sum():
        rules.append(Guess({"is": "return", "when": {signed.name: {"below": 0}}}, "negative rows give money back"))
    drop = (_write_off(signed, parts["unit_price"].column),) if written_off.any() else ()
    return Kinds([*rules, Guess({"is": "purchase"}, "all other rows")], drop)


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


def _write_off(quantity: Column, price: Column) -> dict[str, Guess]:
    zeros = list(price.number.texts_of_zero) if price.number else []
    when = {quantity.name: {"below": 0}, price.name: {"any_of": zeros}}
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
