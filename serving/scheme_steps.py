"""What is done with schemes in a workspace: another one for the models that are live, with a line in the audit log."""

from __future__ import annotations

from pathlib import Path

from classification.amendment import Amendment, amend
from classification.released import released_schemes, scheme_tags
from classification.scheme import CURRENT, load_scheme, scheme_path, scheme_text
from classification.soundness import file_flaws
from features.company import Company
from features.errors import InputError
from features.tables.audit import open_audit
from features.tables.ingest import data_end
from features.workspace import Workspace, read_json
from serving.steps import Job
from training import registry
from training.snapshots import Origin, base_at

ACTION = "scheme"
"""What the audit log calls a change of scheme."""


def use(job: Job, version: str, reason: str, by: str = "") -> Amendment:
    """The champion's models with another scheme, registered; who changes class is told of the customers of today.

    Raises InputError for a scheme that does not hold, one whose version was released with other content, and one that
    the champion has already.
    """
    report, source = job.report(), job.source.name
    if not reason.strip():
        raise InputError("--reason", "nothing", "why the scheme changes", "It goes into the audit log.")
    for flaw in file_flaws(scheme_path(version), released_schemes()):
        raise flaw
    champion = registry.fetch(source)
    audit = open_audit(job.workspace.home, by)
    company = Company.from_json(report["company"])
    (base,) = base_at(job.workspace, company, [data_end(report)], job.progress)
    about = champion.about
    origin = Origin(source, report["key"], company, about["horizon_days"], about["active_days"])
    done = amend(champion, scheme_text(version), base, origin, reason, audit.by, job.progress)
    done.swap.write(job.workspace)
    said = {"version": done.version, "models_of": done.champion, "was": done.old.version}
    audit.append(ACTION, None, reason, source=source, **said, **scheme_tags(load_scheme(version)))
    return done


def newest_graded(workspace: Workspace, scheme: str | None = None) -> Path | None:
    """The folder of the last grading, monthly or between, by a version of the scheme or by any; None without one."""
    folders = [*workspace.grades.glob("????-??-??-v*"), *workspace.months.glob("????-??")]
    found = [(read_json(folder / "snapshot.json"), folder) for folder in folders]
    mine = [(said["as_of"], folder) for said, folder in found if scheme in (None, said["scheme"])]
    return max(mine)[1] if mine else None


def in_use(workspace: Workspace) -> str:
    """The version of the scheme that the last grading was by; without one the current version."""
    folder = newest_graded(workspace)
    return str(read_json(folder / "snapshot.json")["scheme"]) if folder else CURRENT
