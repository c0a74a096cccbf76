"""Which customers are one person or firm under several ids.

Two ids are compared where they share an e-mail address, a telephone, a tax number, a name or a home. Strong keys decide
alone: one tax number, e-mail address or birth date with the same name, and the like. For the rest, Fellegi & Sunter
(1969) weigh what agrees against how often it agrees by chance; Splink learns the weights from the customers themselves
by expectation maximisation. Such pairs are for a person to judge. What is missing speaks neither for nor against.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa

from features.tables.plain import plain

LIKELY = 0.9
"""Pairs at least so likely are proposed."""

ENOUGH = 1_000
"""People from which on weights are learnt; below, they stay as given in COMPARISONS."""

PAIRS = 1_000_000
"""So many pairs are enough to learn from."""

EXPECTED = 0.03
"""The share of customers that is taken to have a second id before anything is known."""

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


def _key(column: str, words: str, slip: float = 0.03) -> Comparison:
    same, near = f"{column}_l = {column}_r", f"slip({column}_l, {column}_r)"
    levels = (
        (f"same {words}", same, 0.7, 1e-6),
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
                f"slip(address_l, address_r) AND same_number(address_l, address_r) AND {_TOWN}",
                0.08,
                1e-5,
            ),
            ("same postcode", "postcode_l = postcode_r", 0.1, 5e-3),
            ("same town", "city_l = city_r", 0.07, 2e-2),
            ("another address", "ELSE", 0.15, 0.97),
        ),
    ),
    _key("email", "e-mail"),
    _key("phone", "telephone"),
    _key("tax_id", "tax number"),
    _key("birth_date", "birth date", 0.1),
)

BLOCKS = (("email",), ("phone",), ("tax_id",), ("name",), ("address", "postcode"), ("address", "city"))
"""Pairs are compared that agree in all columns of one of these."""

LEARN_FROM = (("name",), ("phone",), ("email",), ("address", "postcode"))
"""Pairs that agree in these teach how the other columns of one person differ."""

STRONG = """tax_id = 2 AND name >= 2 OR email = 2 AND name >= 2 OR phone = 2 AND name = 3
    OR birth_date = 2 AND name = 3 OR home = 4 AND name = 3 AND email != 0"""
"""Two ids are one customer. Levels count down to 0 for different; −1: not known. The same telephone, or the same home
and another e-mail address, are no proof with a name that is only similar: families share them."""

APART = "tax_id = 0 OR birth_date = 0"
"""Two tax numbers, or two birth dates, are two customers."""

POSSIBLE = "name >= 2 OR name = -1 OR email = 2 OR birth_date = 2 AND name = 1"
"""Without it, a shared home and telephone are a family's or an office's, however rare they are."""


@dataclass(frozen=True, order=True)
class Match:
    """Two ids that are one customer (`strong`), or may be, in alphabetical order; the reasons hold no value."""

    one: str
    other: str
    strong: bool
    probability: float
    reasons: tuple[str, ...]


def match(people: pa.Table, seed: int = 1) -> list[Match]:
    """The pairs of people who are the same or may be, in order; a function of the rows, in whatever order they come.

    people: customer_id, each once, and any of the columns IDENTITY of `features.tables.sources`, text or null.
    """
    known = plain(people)
    told = [c for c in known.column_names[1:] if known[c].null_count < known.num_rows]
    with duckdb.connect() as db:
        db.execute("SET threads = 1; SET enable_progress_bar = false")  # sums in one order
        db.execute(MACROS)
        db.register("people", known)
        used = tuple(c for c in COMPARISONS if c.column in (*told, *(("home",) if _has_home(told) else ())))
        if not used or known.num_rows < 2:
            return []
        scored = _scores(db, known.num_rows, used, [b for b in BLOCKS if set(b) <= set(told)], seed)
        found = _judge(db, scored, used) if scored else []
    return _without_contradiction(found, known)


def _has_home(told: list[str]) -> bool:
    return any(column in told for column in ("address", "postcode", "city"))


def _scores(
    db: duckdb.DuckDBPyConnection, people: int, used: tuple[Comparison, ...], blocks: list[tuple[str, ...]], seed: int
) -> str | None:
    """The table of compared pairs, with the level of each comparison and the probability; None: nothing to compare."""
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    if not blocks:
        return None
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="customer_id",
        probability_two_random_records_match=2 * EXPECTED / people,
        comparisons=[_described(c, people >= ENOUGH) for c in used],
        blocking_rules_to_generate_predictions=[block_on(*block) for block in blocks],
        retain_matching_columns=True,  # and with them the levels
    )
    api = DuckDBAPI(connection=db)
    linker = Linker(api.register("people"), settings, log_level=logging.ERROR, validate_settings=False)
    if people >= ENOUGH:
        linker.training.estimate_u_using_random_sampling(max_pairs=PAIRS, seed=seed)
        for block in LEARN_FROM:
            if block in blocks:
                _learn(linker, block)
    return str(linker.inference.predict().physical_name)


def _described(comparison: Comparison, learns: bool) -> dict[str, Any]:
    """A comparison as Splink wants it. A name counts the more the rarer it is, once there are enough to tell."""
    null = {"sql_condition": comparison.unknown, "is_null_level": True}
    levels = [
        {"sql_condition": condition, "label_for_charts": words, "m_probability": m, "u_probability": u}
        for words, condition, m, u in comparison.levels
    ]
    if comparison.column == "name" and learns:
        levels[0] |= {"tf_adjustment_column": "name", "disable_tf_exact_match_detection": True}
    return {"output_column_name": comparison.column, "comparison_levels": [null, *levels]}


def _learn(linker: Any, block: tuple[str, ...]) -> None:
    """Expectation maximisation over the pairs that agree in `block`; without such pairs all stays as it was."""
    from splink import block_on
    from splink.internals.exceptions import EMTrainingException

    try:
        linker.training.estimate_parameters_using_expectation_maximisation(
            block_on(*block), estimate_without_term_frequencies=True, max_pairs=PAIRS
        )
    except EMTrainingException:
        return


def _judge(db: duckdb.DuckDBPyConnection, scored: str, used: tuple[Comparison, ...]) -> list[Match]:
    """The compared pairs that are strong or likely."""
    levels = ", ".join(f"gamma_{c.column} AS {c.column}" for c in used)
    absent = "".join(f", -1 AS {c.column}" for c in COMPARISONS if c not in used)
    names = ", ".join(c.column for c in used)
    rows = db.sql(
        f"""
        WITH pairs AS (
            SELECT least(customer_id_l, customer_id_r) AS a, greatest(customer_id_l, customer_id_r) AS b,
                match_probability AS p, {levels}{absent} FROM {scored}),
        judged AS (SELECT *, ({STRONG}) AS same, ({APART}) AS apart, ({POSSIBLE}) AS possible FROM pairs)
        SELECT a, b, same AND NOT apart, p, {names} FROM judged
        WHERE tax_id = 2 OR (NOT apart AND (same OR (possible AND p >= {LIKELY}))) ORDER BY a, b
        """
    ).fetchall()
    return [Match(a, b, strong, round(p, 4), _reasons(used, found)) for a, b, strong, p, *found in rows]


def _reasons(used: tuple[Comparison, ...], found: list[int]) -> tuple[str, ...]:
    """What agrees and what does not, in words. A level counts from the last one, which is 0."""
    return tuple(c.levels[-1 - level][0] for c, level in zip(used, found, strict=True) if level >= 0)


def _without_contradiction(found: list[Match], known: pa.Table) -> list[Match]:
    """Strong pairs, most probable first, as long as no two tax numbers or birth dates come together over a third id."""
    ids, names = known["customer_id"].to_pylist(), ("tax_id", "birth_date")
    facts = [{i: {v} - {None} for i, v in zip(ids, known[name].to_pylist(), strict=True)} for name in names]
    group = {i: i for m in found for i in (m.one, m.other)}

    def root(i: str) -> str:
        while group[i] != i:
            i = group[i]
        return i

    judged = []
    for m in sorted(found, key=lambda m: (-m.probability, m)):
        one, other = sorted((root(m.one), root(m.other)))
        joined = [fact[one] | fact[other] for fact in facts]
        if m.strong and all(len(values) <= 1 for values in joined):
            group[other] = one
            for fact, values in zip(facts, joined, strict=True):
                fact[one] = values
            judged.append(m)
        else:
            judged.append(replace(m, strong=False))
    return sorted(judged)
