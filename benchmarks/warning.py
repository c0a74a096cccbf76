"""Early warning: how many of its alarms are false, and how many broken customers it finds.

Simulated companies of 20 seeds, in which some of the customers who order at least weekly break off (the truth is in
truth/breaks.csv; purchases are renewal processes with seasons, not drawn from BG/NBD). The realised false-discovery
rate is the mean over the seeds of false alarms / max(alarms, 1). An alarm is right when the customer broke off or
lapsed in the REACH days before the date: of who left shortly before the window the whole silence lies in it, and what
is older an earlier month has told. Lapsed customers count as changed: they stopped, and nothing but the simulator's own
notes tells them from broken ones. Recall is the share of the planted breaks of key customers found that began FRESH to
`window_days` days before. Online Retail has no truth: there the p-values of placebo months must be uniform.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.report import RESULTS, Target, machine, markdown, run_targets, say
from classification.purchase_days import read_purchase_days
from classification.warning import (
    ACTIVITY,
    Month,
    early_warnings,
    load_warning,
    p_values,
    placebo_dates,
    placebo_evidence,
    watch_month,
)
from features.company import Company
from features.tables.breaks import SHARE
from features.tables.merges import read_merges
from features.tables.privacy import load_pseudonyms
from features.tables.simulate import simulate
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.steps import Job

DATA = Path("../shared/data")
KEY = "benchmarks only: thirty-two characters or more"
SEEDS, CUSTOMERS, BREAKS = range(1, 21), 4_000, 0.8
"""Four in five of those who order weekly break: about three key customers of a hundred within 90 days."""

AS_OF = date(2026, 11, 1)
FRESH, REACH = 30, 180
PACES = ((0, 12), (12, 26), (26, 52), (52, 366))
"""Days with a purchase in the year before the window."""

RETAIL_MONTHS = tuple(date(2011, month, 10) for month in range(2, 13))


def changes(raw: Path, tables: Path) -> pd.DataFrame:
    """The simulator's truth under the names of the tables: customer_id, kind, ago (days before AS_OF)."""
    found, pseudonyms, merges = pd.read_csv(raw / "truth/breaks.csv"), load_pseudonyms(), read_merges(tables)
    ids = [pseudonyms.of(number) for number in found["customer_no"]]
    ago = [(AS_OF - date.fromisoformat(day)).days for day in found["broke_on"]]
    return pd.DataFrame({"customer_id": [merges.get(id_, id_) for id_ in ids], "kind": found["kind"], "ago": ago})


def simulated(seed: int, customers: int, breaks: float) -> pd.DataFrame:
    """The key customers of a company: alert, kind and ago of the latest change (null, ∞: none), pace, seed."""
    with tempfile.TemporaryDirectory() as home:
        raw, workspace = Path(home) / "raw", Workspace(Path(home) / "workspace")
        simulate(raw, customers, seed, breaks)
        job = Job(load_source("sample"), workspace, raw)
        job.ingest()
        company = Company.from_json(job.report()["company"])
        alerts = early_warnings(workspace.tables, company, AS_OF).to_pandas()
        purchases = read_purchase_days(workspace.tables, company, AS_OF)
        truth = changes(raw, workspace.tables)
    bought, end = purchases.bought(), int((np.datetime64(AS_OF) - np.datetime64(0, "D")).astype(int))
    start = end - load_warning().window_days
    pace = pd.Series(bought.between(start - 365, start).counts, index=list(purchases.ids))
    latest = truth.sort_values("ago").groupby("customer_id").first()
    key = alerts[alerts["kind"] == ACTIVITY].drop(columns="kind").join(latest, on="customer_id")
    return key.assign(ago=key["ago"].fillna(np.inf), pace=key["customer_id"].map(pace), seed=seed)


def false_share(key: pd.DataFrame, kinds: tuple[str, ...] = ("broke", "lapsed"), reach: int = REACH) -> float:
    """Mean over seeds of false alarms / max(alarms, 1)."""
    right = key["kind"].isin(kinds) & (key["ago"] <= reach)
    by_seed = key.assign(false=key["alert"] & ~right).groupby("seed")
    return float((by_seed["false"].sum() / by_seed["alert"].sum().clip(lower=1)).mean())


def found_of(key: pd.DataFrame, kind: str, since: int = FRESH) -> tuple[float, int]:
    """Share of the changes in the window, at least `since` days ago, that are alarms; and how many changes."""
    mine = key[(key["kind"] == kind) & key["ago"].between(since, load_warning().window_days)]
    return (float(mine["alert"].mean()) if len(mine) else float("nan")), len(mine)


@dataclass(frozen=True)
class Placebo:
    """The key customers of a month of Online Retail: how many were judged, and what share has p below .01, .05, .1."""

    as_of: date
    judged: int
    placebos: int
    below: tuple[float, float, float]


def retail() -> tuple[list[Placebo], float]:
    """Every month as if it were this one; and the seconds that the last one takes from the tables."""
    company = Company(timezone="Europe/London")
    with tempfile.TemporaryDirectory() as home:
        job = Job(load_source("online-retail"), Workspace(Path(home)), DATA / "online_retail")
        job.ingest()
        begin = time.perf_counter()
        early_warnings(job.workspace.tables, company, RETAIL_MONTHS[-1])
        seconds = time.perf_counter() - begin
        return placebo_months(job.workspace.tables, company), seconds


def placebo_months(tables: Path, company: Company, months: tuple[date, ...] = RETAIL_MONTHS) -> list[Placebo]:
    """The p-values of each month, calibrated on the months before it, as `early_warnings` gives them."""
    settings, purchases = load_warning(), read_purchase_days(tables, company, months[-1])
    industry, seen = np.zeros(len(purchases.ids), np.int64), dict[date, Month | None]()

    def month(day: date) -> Month | None:
        if day not in seen:
            seen[day] = watch_month(purchases, industry, day, settings)
        return seen[day]

    found = []
    for as_of in months:
        earlier = [month(day) for day in placebo_dates(purchases, as_of, settings)]
        placebos = placebo_evidence([each for each in earlier if each], purchases.at(as_of).bought(), settings)
        now = month(as_of)
        if now is None or placebos.size < settings.fewest_placebos:
            continue
        p = p_values(now.watched.evidence[now.watched.alive >= settings.fewest_alive], placebos)
        below = tuple(float((p < level).mean()) for level in (0.01, 0.05, 0.1))
        found.append(Placebo(as_of, p.size, placebos.size, below))
    return found


def share_below(found: list[Placebo], level: int = 1) -> float:
    """Over the customers of all months: p below .01, .05 or .1."""
    return float(np.average([each.below[level] for each in found], weights=[each.judged for each in found]))


def targets(key: pd.DataFrame, usual: pd.DataFrame | None, months: list[Placebo], seconds: float) -> list[Target]:
    """What is promised; usual: the sample company as it is, months: of Online Retail, both only in full size."""
    seeds = key["seed"].nunique()
    found = [
        Target(f"false alarms among all alarms, {seeds} seeds", "≤0.1", false_share(key), "share"),
        Target(f"breaks found, {FRESH} to 90 days old", "≥0.6", found_of(key, "broke")[0], "share"),
    ]
    if usual is not None:
        found += [
            Target("false alarms, sample company as it is", "≤0.1", false_share(usual), "share"),
            Target("Online Retail: p < .05, at least", "≥0.03", share_below(months), "share"),
            Target("Online Retail: p < .05, at most", "≤0.07", share_below(months), "share"),
            Target("Online Retail: seconds for a month", "≤20", seconds, "s"),
        ]
    return found


def page(key: pd.DataFrame, usual: pd.DataFrame, months: list[Placebo], found: list[Target]) -> str:
    """The results as a page."""
    verdicts: list[dict[str, object]] = [
        {"target": f.name, "wanted": f.target, "measured": f.measured, "unit": f.unit, "holds": f.holds} for f in found
    ]
    placebo: list[dict[str, object]] = [
        {"month": each.as_of, "judged": each.judged, "placebos": each.placebos}
        | dict(zip(("p < .01", "p < .05", "p < .1"), each.below, strict=True))
        for each in months
    ]
    parts = ["# Early warning", "Made by `make bench-warning`. " + machine(("scipy", "numpy")), markdown(verdicts)]
    parts += ["## Simulated companies", (__doc__ or "").split("\n\n", 1)[1].strip(), markdown(_counted(key, usual))]
    parts += [
        "Changes of key customers found, by the days with a purchase in the year before:",
        markdown(_by_pace(key)),
    ]
    parts += ["## Online Retail", "Too short to learn a season of more than one year.", markdown(placebo)]
    return "\n\n".join(parts)


def _counted(key: pd.DataFrame, usual: pd.DataFrame) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name, each in ((f"{CUSTOMERS:,} customers, {BREAKS:.0%} of the strong break", key), ("as it is", usual)):
        seeds, window = each["seed"].nunique(), load_warning().window_days
        rows.append(
            {
                "company": name,
                "key customers": len(each) / seeds,
                "alarms": each["alert"].sum() / seeds,
                "false": false_share(each),
                f"false, changes of the last {window} days only": false_share(each, reach=window),
                "false, if lapsed were none": false_share(each, ("broke",)),
                f"breaks found, {FRESH}+ days": "{:.2f} of {}".format(*found_of(each, "broke")),
                "all breaks": "{:.2f} of {}".format(*found_of(each, "broke", 0)),
                f"lapsed found, {FRESH}+ days": "{:.2f} of {}".format(*found_of(each, "lapsed")),
            }
        )
    return rows


def _by_pace(key: pd.DataFrame) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for low, high in PACES:
        mine = key[(key["pace"] >= low) & (key["pace"] < high)]
        said = {kind: "{:.2f} of {}".format(*found_of(mine, kind)) for kind in ("broke", "lapsed")}
        rows.append({"days with a purchase": f"{low} to {high - 1}", **said})
    return rows


def companies(seeds: range, customers: int, breaks: float) -> pd.DataFrame:
    """The key customers of the companies of all seeds."""
    found = []
    for seed in seeds:
        found.append(simulated(seed, customers, breaks))
        say(f"seed {seed}: {found[-1]['alert'].sum()} alarms of {len(found[-1])} key customers")
    return pd.concat(found, ignore_index=True)


def measured(quick: bool) -> list[Target]:
    """All of it; quick: two small companies. In full size the page is written."""
    if quick:
        return targets(companies(range(1, 3), 1_000, 1.0), None, [], 0.0)
    key, usual = companies(SEEDS, CUSTOMERS, BREAKS), companies(SEEDS, 2_000, SHARE)
    months, seconds = retail()
    found = targets(key, usual, months, seconds)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "warning.md").write_text(page(key, usual, months, found) + "\n", encoding="utf-8")
    return found


if __name__ == "__main__":
    os.environ["CUSTOMER_SCORING_KEY"] = KEY
    run_targets(measured)
