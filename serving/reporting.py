"""The report of a month: what it must know beside the months' folders, where it goes, and when it names customers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from classification.grade import LiveSet, class_name
from classification.months import Month, find_month
from classification.report.base import Naming, handles
from classification.report.files import report_folder, write_report
from classification.report.report import Report, make_report
from classification.report.setting import Setting
from classification.scheme import load_scheme
from classification.snapshots import load_live_set
from features.errors import InputError
from features.tables.audit import open_audit
from features.tables.person import own_ids
from features.workspace import read_parquet
from training import registry
from training.recipes import load_settings

if TYPE_CHECKING:
    from serving.steps import Job


def report_month(
    job: Job,
    name: str | None = None,
    against: str | None = None,
    within: Mapping[str, str] | None = None,
    to: Path | None = None,
    ids: bool = False,
    live: LiveSet | None = None,
) -> tuple[Report, Path]:
    """Write the report of a month, by default the last, and return it with its page; the same bytes every time.

    against: an earlier month, by default the one before; within: dimension → class; to: a folder outside the
    workspace, by default one in it; ids: whether customers are told by the company's own ids, which the audit log
    notes; live: what graded the month, where it is at hand. Raises InputError for months that were not graded, and for
    ids that would stay in the workspace.
    """
    home = job.workspace.home.resolve()
    if to is not None and to.resolve().is_relative_to(home):
        raise InputError("--out", f"{to}, in the workspace", "a folder outside it", "Its own is by default in there.")
    if ids and to is None:
        raise InputError("--ids", "no --out", "a folder outside the workspace, which holds no ids of the company's own")
    month = find_month(job.workspace, name)
    naming = _own_naming(job, month) if ids else handles
    job.progress("report", 0, 1)
    report = make_report(job.workspace, setting_of(job, month, live), month.name, against, within, naming)
    page = write_report(report, to or report_folder(job.workspace, report, named=against is not None))
    job.progress("report", 1, 1)
    return report, page


def setting_of(job: Job, month: Month, live: LiveSet | None = None) -> Setting:
    """What the source, the month's scheme and its release say. Learned segments have the names that the release gave
    them, or numbers where it is not at hand."""
    source, names = job.source, {}
    days = load_settings().potential_days
    with suppress(InputError):
        live = live or load_live_set(month.folder, registry.fetch(source.name, month.release))
        days = int(live.release.about["potential_days"])
        names = {n: {c: class_name(live, n, c) for c in d.all} for n, d in live.scheme.dimensions.items()}
    return Setting(source.title, source.currency, source.decimals, load_scheme(month.scheme), days, names)


def _own_naming(job: Job, month: Month) -> Naming:
    """Pseudonyms of a month → the company's own ids, or a few digits where nobody knows them any more."""
    everyone = read_parquet(month.folder / "grades.parquet", columns=["customer_id"])["customer_id"]
    known = own_ids(job.vault(), everyone.to_pylist())
    open_audit(job.workspace.home).append("names", None, list=f"report of {month.name}", customers=len(known))
    pseudonyms, names = pa.array(known, pa.string()), pa.array(known.values(), pa.string())

    def named(ids: pa.Array) -> pa.Array:
        return pc.coalesce(names.take(pc.index_in(ids, pseudonyms)), handles(ids))

    return named
