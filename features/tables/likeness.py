"""How the details of two people are compared: levels from the same down to different, written in SQL.

Each level has the odds that a pair of one person (m) and a pair of two (u) is of it, as Fellegi & Sunter (1969) call
them; given here, and learnt from the customers where there are enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MACROS = """
CREATE MACRO near(a, b) AS left(a, 1) = left(b, 1)
    AND (least(length(a), length(b)) = 1
        OR (least(length(a), length(b)) >= 4 AND left(a, -1) != left(b, -1) AND a != left(b, -1) AND b != left(a, -1)
            AND damerau_levenshtein(a, b) <= if(least(length(a), length(b)) >= 8, 2, 1)));
CREATE MACRO without(a, b) AS list_filter(a, lambda x: NOT list_contains(b, x));
CREATE MACRO all_near(a, b) AS
    len(a) = len(b) AND len(list_filter(list_zip(a, b), lambda x: NOT near(x[1], x[2]))) = 0;
CREATE MACRO alike(a, b) AS CASE
    WHEN list_has_any(a, b) OR jaro_similarity(a[1], b[1]) > 0.8
        THEN all_near(without(a, b), without(b, a)) ELSE false END;
CREATE MACRO longer(a, b) AS len(list_intersect(a, b)) >= 2 AND least(len(without(a, b)), len(without(b, a))) = 0;
CREATE MACRO half(a, b) AS least(length(a), length(b)) // 2 - 1;
CREATE MACRO slip(a, b) AS CASE
    WHEN abs(length(a) - length(b)) <= 1
        AND (left(a, half(a, b)) = left(b, half(a, b)) OR right(a, half(a, b)) = right(b, half(a, b)))
        THEN damerau_levenshtein(a, b) <= 1 ELSE false END;
CREATE MACRO same_number(a, b) AS regexp_extract_all(a, '[0-9]+') = regexp_extract_all(b, '[0-9]+');
"""
"""`near`: two words one of which may be the other mistyped, or its initial. A different last letter alone is no slip:
it tells Julia from Julian. `alike`: the words that two names do not share are near. `longer`: one has words more.
`slip`: one letter is wrong, missing or swapped with its neighbour, so that one half at least is whole."""

Level = tuple[str, str, float, float]


@dataclass(frozen=True)
class Comparison:
    """How two values may agree, best first, each level with its words, condition, m and u; the last is any other.

    m and u: how often it is so for one person and for two, before anything is learnt.
    """

    column: str
    unknown: str
    levels: tuple[Level, ...]


def _known(column: str) -> str:
    return f"{column}_l IS NULL OR {column}_r IS NULL"


def _slip(column: str) -> str:
    return f"slip({column}_l, {column}_r)"


def _same_number(column: str) -> str:
    """A number is no slip: house 5 is not house 6, and anna2@ not anna3@."""
    return f"{_slip(column)} AND same_number({column}_l, {column}_r)"


def _key(column: str, words: str, near: str, slip: float = 0.03) -> Comparison:
    levels = (
        (f"same {words}", f"{column}_l = {column}_r", 0.7, 1e-6),
        (f"nearly the same {words}", near, slip, 1e-5),
        (f"another {words}", "ELSE", 0.3 - slip, 1.0),
    )
    return Comparison(column, _known(column), levels)


_FORM = "coalesce(form_l = form_r, true)"
_MORE = "form_l IS NULL AND form_r IS NULL AND longer(words_l, words_r)"
_TOWN = "coalesce(postcode_l = postcode_r, city_l = city_r, true)"

COMPARISONS = (
    Comparison(
        "name",
        _known("name"),
        (
            ("same name", f"name_l = name_r AND {_FORM}", 0.65, 1e-4),
            ("similar name", f"(alike(words_l, words_r) AND {_FORM}) OR ({_MORE})", 0.25, 3e-4),
            ("part of the name in common", "list_has_any(words_l, words_r)", 0.07, 2e-2),
            ("another name", "ELSE", 0.03, 0.98),
        ),
    ),
    Comparison(
        "home",
        f"({_known('address')}) AND ({_known('postcode')}) AND ({_known('city')})",
        (
            ("same address", f"address_l = address_r AND {_TOWN}", 0.6, 1e-5),
            (
                "nearly the same address",
                f"{_same_number('address')} AND {_TOWN}",
                0.08,
                1e-5,
            ),
            ("same postcode", "postcode_l = postcode_r", 0.1, 5e-3),
            ("same town", "city_l = city_r", 0.07, 2e-2),
            ("another address", "ELSE", 0.15, 0.97),
        ),
    ),
    _key("email", "e-mail", _same_number("email")),
    _key("phone", "telephone", _slip("phone")),
    _key("tax_id", "tax number", _slip("tax_id")),
    _key("birth_date", "birth date", _slip("birth_date"), 0.1),
)


def described(comparison: Comparison, learns: bool) -> dict[str, Any]:
    """A comparison as Splink wants it. A name counts the more the rarer it is, once there are enough to tell."""
    null = {"sql_condition": comparison.unknown, "is_null_level": True}
    levels = [
        {"sql_condition": condition, "label_for_charts": words, "m_probability": m, "u_probability": u}
        for words, condition, m, u in comparison.levels
    ]
    if comparison.column == "name" and learns:
        levels[0] |= {"tf_adjustment_column": "name", "disable_tf_exact_match_detection": True}
    return {"output_column_name": comparison.column, "comparison_levels": [null, *levels]}
