"""Every feature computed again by plain SQL over the event table: one query per feature."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from features.company import Company
from features.spec import COUNTING, AnyFeature, Combined, Feature
from features.tables.events import KINDS
from features.tables.sql import file_text, ident, text

NOT_IN_SQL: tuple[tuple[str, str], ...] = ()
"""Features that SQL cannot express, each with the reason."""

EVENTS = {
    "count": "count(*)",
    "sum": "sum({column})",
    "complete_sum": "CASE WHEN count({column}) = count(*) THEN sum({column}) END",
    "mean": "avg({column})",
    "max": "max({column})",
    "min": "min({column})",
    "std": "stddev_pop({column})",
    "days_since_last": "min(as_of - day)",
    "days_since_first": "max(as_of - day)",
    "active_days": "count(DISTINCT day)",
    "active_months": "count(DISTINCT date_trunc('month', day))",
    "nunique": "count(DISTINCT {code})",
}
"""Op → aggregate of the chosen events."""

GAPS = {
    "gap_mean": "avg(gap)",
    "gap_std": "stddev_pop(gap)",
    "gap_median": "median(gap)",
    "gap_max": "max(gap)",
    "gap_cv": "CASE WHEN count(gap) > 1 THEN stddev_pop(gap) / avg(gap) END",
    "burstiness": "CASE WHEN count(gap) > 1 THEN (stddev_pop(gap) - avg(gap)) / (stddev_pop(gap) + avg(gap)) END",
}
"""Op → aggregate of the days between two days with an event."""

CODES = {
    "top_share": "max(weight) / sum(weight)",
    "entropy": "-sum(share * ln(share))",
}
"""Op → aggregate of the weights of the codes."""

CODE_OF = {
    "ref": "coalesce('number ' || ref, 'day ' || day)",
    "month": "month(day)",
    "quarter": "quarter(day)",
    "weekday": "isodow(day)",
}
"""What is counted, where it is not the column itself."""

INVOICES = {
    "days_late_mean": "avg(days_late)",
    "days_late_max": "max(days_late)",
    "late_share": "avg((days_late > 0)::INTEGER)",
    "overdue_balance": "coalesce(sum(greatest(owed, 0)) FILTER (open), 0)",
    "overdue_days_max": "coalesce(max(days_late) FILTER (open), 0)",
}
"""Op → aggregate of the invoices that fell due."""

COMBINATIONS = {
    "ratio": "CASE WHEN b > 0 THEN a / b END",
    "difference": "a - b",
    "overlap": "CASE WHEN a >= 0 AND b >= 0 AND a + b > 0 THEN least(a, b) / greatest(a, b) END",
}


def sql_table(tables: Path, company: Company, features: Sequence[AnyFeature], as_ofs: Sequence[date]) -> pa.Table:
    """The table of `features.batch.feature_table`, by SQL."""
    with duckdb.connect() as db:
        db.execute(_visible(tables, company, as_ofs))
        for feature in features:
            asked = _plain(feature) if isinstance(feature, Feature) else _combined(feature)
            db.execute(f"CREATE TABLE {ident(feature.name)} AS {asked}")
        found = db.sql("SELECT customer_id, as_of FROM snapshots ORDER BY snapshot").to_arrow_table()
        for feature in features:
            values = db.sql(f"SELECT value FROM {ident(feature.name)} ORDER BY snapshot").to_arrow_table()
            found = found.append_column(feature.name, values["value"])
        return found


def _visible(tables: Path, company: Company, as_ofs: Sequence[date]) -> str:
    """The events that each customer had at each date, with their conditions; and the customers known at each date."""
    dates = ", ".join(f"(DATE '{day}')" for day in as_ofs)
    zone = text(company.timezone)
    return f"""
        CREATE TABLE seen AS
        WITH dates (as_of) AS (VALUES {dates}),
        local AS (
            SELECT *, timezone({zone}, ts) AS shown, abs(amount) AS size,
                timezone({zone}, known_at)::DATE AS known_day, timezone({zone}, known_until)::DATE AS until_day
            FROM read_parquet({file_text(tables / "events.parquet")})
        )
        SELECT customer_id, as_of, day, kind, ref, item, channel, counterparty, country, code, due_day, amount, cost,
            floor(quantity * 1000 + 0.5) / 1000 AS quantity, floor(score * 1000 + 0.5) / 1000 AS score,
            {_night(company)} AS night, isodow(day) >= 6 AS weekend, {_just_below(company)} AS just_below,
            {_round(company)} AS round, {_high_risk(company)} AS high_risk
        FROM local, dates
        WHERE day < as_of AND known_day < as_of AND (until_day IS NULL OR until_day >= as_of);

        CREATE TABLE snapshots AS
        WITH dates (as_of) AS (VALUES {dates}),
        known AS (
            SELECT customer_id, as_of FROM seen
            UNION
            SELECT customer_id, as_of FROM read_parquet({file_text(tables / "customers.parquet")}), dates
            WHERE valid_from IS NULL OR valid_from < as_of
        )
        SELECT *, row_number() OVER (ORDER BY customer_id, as_of) AS snapshot FROM known;

        CREATE TABLE visible AS SELECT * FROM seen JOIN snapshots USING (customer_id, as_of)
    """


def _night(company: Company) -> str:
    begin, end = company.night
    both = "AND" if begin <= end else "OR"
    return f"CASE WHEN shown::TIME <> '00:00' THEN hour(shown) >= {begin} {both} hour(shown) < {end} END"


def _just_below(company: Company) -> str:
    if company.just_below is None:
        return "NULL::BOOLEAN"
    low, high = company.just_below
    return f"size >= {low} AND size < {high}"


def _round(company: Company) -> str:
    if company.round_to is None:
        return "NULL::BOOLEAN"
    return f"CASE WHEN size > 0 THEN size % {company.round_to} = 0 END"


def _high_risk(company: Company) -> str:
    if not company.high_risk_countries:
        return "NULL::BOOLEAN"
    return f"country IN ({', '.join(map(text, company.high_risk_countries))})"


def _plain(feature: Feature) -> str:
    """The query of a feature: what it chooses, what that answers, and what stands where nothing was chosen."""
    chosen = _due(feature) if feature.fold == "invoices" else _chosen(feature)
    nothing = 0 if feature.op in COUNTING else "NULL" if feature.empty is None else feature.empty
    return f"""
        WITH {chosen}, answered AS (SELECT snapshot FROM chosen), answer AS ({_answer(feature)})
        SELECT snapshot, CASE WHEN snapshot IN (FROM answered) THEN value ELSE {nothing} END::DOUBLE AS value
        FROM snapshots LEFT JOIN answer USING (snapshot)
    """


def _chosen(feature: Feature) -> str:
    """The events of the feature's kinds, and those of them in its window."""
    end = f"as_of - {feature.skip}"
    start = f"{end} - {feature.days}" if feature.days else "DATE '-infinity'"
    return f"""
        mine AS (FROM visible WHERE kind IN ({_kinds(feature)})),
        chosen AS (FROM mine WHERE day >= {start} AND day < {end}),
        earlier AS (FROM mine WHERE day < {start})
    """


def _due(feature: Feature) -> str:
    """The invoices that fell due in the feature's window."""
    start = f"as_of - {feature.days}" if feature.days else "DATE '-infinity'"
    return f"""
        bills AS (
            SELECT snapshot, as_of, ref, max(due_day) AS due, sum(amount) AS billed
            FROM visible WHERE kind = 'invoice_due' AND ref IS NOT NULL AND due_day IS NOT NULL GROUP BY ALL
        ),
        payments AS (
            SELECT snapshot, ref, day, sum(coalesce(sum(amount), 0)) OVER (
                PARTITION BY snapshot, ref ORDER BY day ROWS UNBOUNDED PRECEDING) AS paid
            FROM visible WHERE kind = 'payment' AND ref IS NOT NULL GROUP BY snapshot, ref, day
        ),
        short AS (
            SELECT snapshot, ref, any_value(billed) AS billed, arg_max(paid, day) AS paid, max(day) AS last,
                max(day) FILTER (paid < billed) AS short
            FROM bills JOIN payments USING (snapshot, ref) GROUP BY ALL
        ),
        settling AS (
            SELECT snapshot, ref, any_value(s.paid) AS paid, CASE WHEN any_value(s.billed) IS NULL THEN any_value(last)
                WHEN any_value(s.billed) <= 0 AND any_value(short) IS NULL THEN NULL
                ELSE min(day) FILTER (short IS NULL OR day > short) END AS paid_on
            FROM short s JOIN payments USING (snapshot, ref) GROUP BY ALL
        ),
        invoices AS (
            SELECT *, coalesce(billed, 0) - coalesce(paid, 0) AS owed,
                owed > 0 OR (billed IS NULL AND paid_on IS NULL) AS open
            FROM bills LEFT JOIN settling USING (snapshot, ref)
        ),
        chosen AS (
            SELECT *, greatest(0, coalesce(CASE WHEN open THEN as_of ELSE paid_on END, due) - due) AS days_late
            FROM invoices WHERE due >= {start} AND due < as_of
        )
    """


def _answer(feature: Feature) -> str:
    """The aggregate of what was chosen, by customer and date."""
    op, column, code = feature.op, feature.column, CODE_OF.get(str(feature.by), feature.by)
    if op in EVENTS:
        value = EVENTS[op].format(column=column, code=code)
        return f"SELECT snapshot, {value} AS value FROM chosen GROUP BY snapshot"
    if op in GAPS:
        return f"""
            WITH days AS (SELECT DISTINCT snapshot, day FROM chosen),
            gaps AS (SELECT snapshot, day - lag(day) OVER (PARTITION BY snapshot ORDER BY day) AS gap FROM days)
            SELECT snapshot, {GAPS[op]} AS value FROM gaps GROUP BY snapshot
        """
    if op == "recurring_months":
        return """
            WITH months AS (
                SELECT snapshot, month(day) AS month, count(DISTINCT year(day)) AS years FROM chosen GROUP BY ALL
            )
            SELECT snapshot, count(*) FILTER (years >= 2) AS value FROM months GROUP BY snapshot
        """
    if op == "silence_before":
        return """
            WITH first AS (SELECT snapshot, min(day) AS first_day FROM chosen GROUP BY snapshot),
            last AS (SELECT snapshot, max(day) AS last_day FROM earlier GROUP BY snapshot)
            SELECT snapshot, first_day - last_day AS value FROM first JOIN last USING (snapshot)
        """
    if op in CODES:
        return f"""
            WITH codes AS (SELECT snapshot, {code} AS code, {column or 1} AS value FROM chosen),
            weights AS (
                SELECT snapshot, code, sum(value) AS weight FROM codes
                WHERE code IS NOT NULL AND value > 0 GROUP BY ALL
            ),
            shares AS (SELECT *, weight / sum(weight) OVER (PARTITION BY snapshot) AS share FROM weights)
            SELECT snapshot, {CODES[op]} AS value FROM shares GROUP BY snapshot
        """
    if op == "share":
        return f"""
            WITH held AS (
                SELECT snapshot, abs({column or 1}) AS weight, {feature.by} AS holds FROM chosen
                WHERE holds IS NOT NULL
            )
            SELECT snapshot, sum(weight * holds::INTEGER) / nullif(sum(weight), 0) AS value FROM held GROUP BY snapshot
        """
    return f"SELECT snapshot, {INVOICES[op]} AS value FROM chosen GROUP BY snapshot"


def _combined(feature: Combined) -> str:
    a, b = map(ident, feature.of)
    nothing = "NULL" if feature.empty is None else feature.empty
    return f"""
        WITH pair AS (
            SELECT snapshot, {a}.value AS a, {b}.value AS b FROM {a} JOIN {b} USING (snapshot)
        )
        SELECT snapshot, coalesce({COMBINATIONS[feature.op]}, {nothing}) AS value FROM pair
    """


def _kinds(feature: Feature) -> str:
    return ", ".join(text(kind) for i, kind in enumerate(KINDS) if feature.kinds >> i & 1)
