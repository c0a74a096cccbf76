"""Numbers as people and programs write them, in SQL: read as declared, else mended where only one reading is left.

A cell such as `£1,234.50`, `(12.50)` or, where points are declared, `12,50` has one meaning; it is read so and counted
under the fix it needed. What could mean two things, or nothing, stays null.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.tables.sql import text

WIDE = {0xFF01 + i: chr(0x21 + i) for i in range(94)} | {0x3000: " ", 0x2212: "-"}
"""Full-width signs and the typographic minus → ASCII."""

THIN = "\u00a0\u202f\u2007\u2009"
"""Blanks that part thousands."""

SIGNS = {
    "AUD": r"A?\$",
    "BRL": r"R\$",
    "CAD": r"C?\$",
    "CHF": r"S?Fr\.?",
    "CNY": "¥|元|RMB",
    "CZK": "Kč",
    "DKK": r"kr\.?",
    "EUR": "€",
    "GBP": "£",
    "ILS": "₪",
    "INR": r"₹|Rs\.?",
    "JPY": "¥|円",
    "KRW": "₩",
    "MXN": r"\$",
    "NOK": r"kr\.?",
    "PLN": "zł",
    "RUB": "₽",
    "SEK": r"kr\.?",
    "THB": "฿",
    "TRY": "₺",
    "UAH": "₴",
    "USD": r"(?:US)?\$",
    "VND": "₫",
}
"""ISO 4217 code → the signs by which its amounts are known. Another currency's sign makes a cell unreadable."""


@dataclass(frozen=True)
class Reading:
    """value: SQL of the number, null when there is none; fix: SQL of the fix it needed, null when none."""

    value: str
    fix: str


def read_number(cell: str, decimal: str, type_: str, currency: str) -> Reading:
    """The number in `cell` (SQL, null when empty) as `type_`, its decimals after the sign `decimal`.

    currency: the ISO code of the company's currency; it, or its sign, may stand before or after the number.
    """
    plain = f"CASE WHEN contains({cell}, '_') THEN NULL ELSE TRY_CAST({cell} AS {type_}) END"
    if decimal == ",":
        alone = f"regexp_full_match({cell}, '[-+]?[0-9]+(,[0-9]+)?')"
        plain = f"CASE WHEN {alone} THEN TRY_CAST(replace({cell}, ',', '.') AS {type_}) END"
    narrow = narrowed(cell, THIN)
    code = "|".join(filter(None, [SIGNS.get(currency), currency]))
    code = f"({code})"
    bare = _replace(_replace(narrow, rf"^([-+(]?)\s*{code}\s*", r"\1"), rf"\s*{code}\s*([-)]?)$", r"\2")
    signed = _replace(_replace(bare, r"^\((.*)\)$", r"-\1"), r"^([0-9].*)-$", r"-\1")
    other = "." if decimal == "," else ","
    point, comma = (f"[{sign}]" for sign in (decimal, other))
    grouped = rf"regexp_full_match({signed}, '[-+]?[1-9][0-9]{{0,2}}({comma}[0-9]{{3}})+({point}[0-9]+)?') OR " + (
        rf"regexp_full_match({signed}, '[-+]?[1-9][0-9]{{0,2}}([ ''’][0-9]{{3}})+({point}[0-9]+)?')"
    )
    swapped = rf"regexp_full_match({signed}, '[-+]?([0-9]+|[1-9][0-9]{{0,2}}({point}[0-9]{{3}})+){comma}[0-9]+')"
    simple = rf"regexp_full_match({signed}, '[-+]?[0-9]+({point}[0-9]+)?')"
    as_grouped = _point(f"translate({signed}, {text(other + chr(32) + chr(39) + '’')}, '')", decimal)
    as_swapped = _point(f"replace({signed}, {text(decimal)}, '')", other)
    mended = (
        f"CASE WHEN {simple} THEN {_point(signed, decimal)} WHEN {grouped} THEN {as_grouped} "
        f"WHEN {swapped} THEN {as_swapped} END"
    )
    fix = (
        f"CASE WHEN {narrow} <> {cell} THEN 'unicode-form' WHEN {bare} <> {narrow} THEN 'currency-sign' "
        f"WHEN {signed} <> {bare} THEN 'accounting-negative' WHEN {grouped} THEN 'thousands' "
        f"ELSE {text('decimal-comma' if decimal == '.' else 'decimal-point')} END"
    )
    return Reading(
        f"coalesce({plain}, CASE WHEN {cell} IS NOT NULL THEN TRY_CAST({mended} AS {type_}) END)",
        f"CASE WHEN {cell} IS NOT NULL AND ({plain}) IS NULL AND ({mended}) IS NOT NULL THEN {fix} END",
    )


def narrowed(cell: str, without: str = "") -> str:
    """SQL of a cell whose full-width signs are ASCII; the signs of `without` are left out."""
    return f"translate({cell}, {text(''.join(map(chr, WIDE)) + without)}, {text(''.join(WIDE.values()))})"


def _point(number: str, decimal: str) -> str:
    return number if decimal == "." else f"replace({number}, {text(decimal)}, '.')"


def _replace(value: str, pattern: str, by: str) -> str:
    return f"regexp_replace({value}, {text(pattern)}, {text(by)})"
