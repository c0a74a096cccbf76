"""Which customers are one person or firm under several ids.

Two ids are compared where they share an e-mail address, a telephone, a tax number, a name or a home. Strong keys decide
alone: one tax number, e-mail address or birth date with the same name, and the like. For the rest, Fellegi & Sunter
(1969) weigh what agrees against how often it agrees by chance; Splink learns the weights from the customers themselves
by expectation maximisation. Such pairs are for a person to judge. What is missing speaks neither for nor against.
"""

from __future__ import annotations

import logging
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from features.tables.groups import Groups
from features.tables.likeness import COMPARISONS, MACROS, Comparison, described
from features.tables.plain import plain

if TYPE_CHECKING:
    from splink import Linker

LIKELY = 0.9
"""Pairs at least so likely are proposed."""

ENOUGH = 1_000
"""People from which on weights are learnt; below, they stay as given in COMPARISONS."""

PAIRS = 1_000_000
"""So many pairs are enough to learn from."""

RAREST = 0.01
"""No difference between two ids of one person is taken to be rarer, however few pairs were seen."""

EXPECTED = 0.03
"""The share of customers that is taken to have a second id before anything is known."""

BLOCKS = (("email",), ("phone",), ("tax_id",), ("name",), ("address", "postcode"), ("address", "city"))
"""Pairs are compared that agree in all columns of one of these."""

LEARN_FROM = (("name",), ("phone",), ("email",), ("address", "postcode"))
"""Pairs that agree in these teach how the other columns of one person differ."""

STRONG = """(name >= 2 AND (tax_id = 2 OR email = 2))
    OR (name = 3 AND (phone = 2 OR birth_date = 2 OR (home = 4 AND email != 0)))"""
"""Two ids are one customer. Levels count down to 0 for different; −1: not known. The same telephone, or the same home
and another e-mail address, are no proof with a name that is only similar: families share them."""

APART = "tax_id = 0 OR birth_date = 0"
"""Two tax numbers, or two birth dates, are two customers."""

POSSIBLE = "name >= 2 OR (name != 0 AND (email = 2 OR birth_date = 2))"
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
        probability_two_random_records_match=2 * EXPECTED / max(people, ENOUGH),
        comparisons=[described(c, people >= ENOUGH) for c in used],
        blocking_rules_to_generate_predictions=[block_on(*block) for block in blocks],
        retain_matching_columns=True,  # and with them the levels
    )
    table = DuckDBAPI(connection=db).register("people")
    linker = Linker(table, settings, log_level=logging.ERROR, validate_settings=False)
    if people >= ENOUGH and len(used) > 1:
        model = _learnt(linker, [block for block in LEARN_FROM if block in blocks], seed)
        linker = Linker(table, model, log_level=logging.ERROR, validate_settings=False)
    return str(linker.inference.predict().physical_name)


def _learnt(linker: Linker, blocks: list[tuple[str, ...]], seed: int) -> dict[str, Any]:
    """The model with the odds of these people: u of random pairs, m by expectation maximisation.

    Pairs from which nothing can be learnt, too few or too much alike, leave the odds as they were.
    """
    from splink import block_on
    from splink.internals.exceptions import EMTrainingException

    linker.training.estimate_u_using_random_sampling(max_pairs=PAIRS, seed=seed)
    for block in blocks:
        copy = deepcopy(linker)
        try:
            copy.training.estimate_parameters_using_expectation_maximisation(
                block_on(*block), estimate_without_term_frequencies=True, max_pairs=PAIRS
            )
            linker = copy
        except (EMTrainingException, ValueError):  # no pairs; odds that vanish
            continue
    model: dict[str, Any] = linker.misc.save_model_to_json()
    for comparison in model["comparisons"]:
        for level in comparison["comparison_levels"]:
            if not level.get("is_null_level"):
                level["m_probability"] = max(level["m_probability"], RAREST)
    return model


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
    groups, told = Groups(), []
    for name in ("tax_id", "birth_date"):
        cells = zip(known["customer_id"].to_pylist(), known[name].to_pylist(), strict=True)
        told.append({customer: {value} - {None} for customer, value in cells})
    judged = []
    for m in sorted(found, key=lambda m: (-m.probability, m)):
        one, other = groups.of(m.one), groups.of(m.other)
        together = [values[one] | values[other] for values in told]
        strong = m.strong and all(len(values) <= 1 for values in together)
        if strong:
            groups.join((one, other))
            for values, joined in zip(told, together, strict=True):
                values[groups.of(one)] = joined
        judged.append(replace(m, strong=strong))
    return sorted(judged)
