"""The steps of the main job, each from what the one before it left in the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from classification.gate_report import AGAINST_TAG, GATE_TAG
from classification.grade import FACTS, LiveSet, load_live_set, newest_snapshot
from classification.grade import classify as grade
from classification.promote import TASKS_TAG, Promotion, gate_verdict
from classification.promote import promote as pass_gate
from classification.scheme import check_facts, load_scheme, scheme_text
from features.company import Company
from features.errors import InputError
from features.progress import Progress, silent
from features.tables.ingest import data_end
from features.tables.ingest import ingest as read_tables
from features.tables.privacy import Pseudonyms, check_same_key, load_pseudonyms
from features.tables.release import Choice, discard
from features.tables.release import release as release_lines
from features.tables.run import Ingested
from features.tables.simulate import simulate
from features.tables.sources import Source
from features.tables.vault import Vault, open_vault
from features.workspace import Workspace, read_json
from serving import store
from training import registry
from training.backtest import plan_cuts
from training.candidate import train as fit_candidate
from training.evaluate import Verdict, judge
from training.needs import CLASSES, holdings, lacking
from training.recipes import TRAINING, load_settings
from training.release import Release
from training.review import publish
from training.snapshots import Origin, read_cuts, read_origin, read_snapshots, write_snapshots

SAMPLE = "sample"


@dataclass(frozen=True)
class Job:
    """One source in one workspace. scheme: version of the classification scheme that releases carry."""

    source: Source
    workspace: Workspace
    raw: Path | None = None
    scheme: str = "2026-01"
    progress: Progress = silent

    def ingest(self, customers: int = 2_000, afresh: bool = False) -> Ingested:
        """What is new in the raw tables → events; the sample company writes its raw tables first."""
        pseudonyms = load_pseudonyms()
        if (self.workspace.tables / "report.json").exists() and not afresh:
            check_same_key(pseudonyms, self.report()["key"], self.workspace.tables)
        raw = self.raw
        if raw is None and self.source.name == SAMPLE:
            self.progress("simulate the company", 0, 1)
            raw = self.workspace.simulated
            simulate(raw, customers)
            self.progress("simulate the company", 1, 1)
            afresh = True  # another number of customers is another company
        if raw is None:
            raise InputError("--raw", "nothing", f"the folder of the files of {self.source.name}")
        return read_tables(self.source, raw, self.workspace, pseudonyms, self.progress, afresh=afresh)

    def vault(self) -> Vault:
        """What only the key opens: names, private attributes, refused lines."""
        pseudonyms = load_pseudonyms()
        check_same_key(pseudonyms, self.report()["key"], self.workspace.tables)
        return open_vault(self.workspace.tables, pseudonyms)

    def release(self, choice: Choice, changes: dict[str, str]) -> Ingested:
        """Lines in quarantine → events, by the ordinary way."""
        self.vault()
        return release_lines(self.source, self.workspace, load_pseudonyms(), choice, changes, self.progress)

    def discard(self, choice: Choice) -> int:
        """Lines in quarantine, dropped."""
        self.vault()
        return discard(self.workspace, load_pseudonyms(), choice)

    def features(self, as_of: date | None = None, grade_as_of: date | None = None) -> None:
        """Events → feature rows and labels at every date of the run."""
        report, settings = self.report(), load_settings()
        first = date.fromisoformat(report["first_day"])
        cuts = plan_cuts(first, data_end(report), settings, as_of, grade_as_of)
        origin = Origin(self.source.name, report["key"], Company.from_json(report["company"]), settings.horizon_days)
        write_snapshots(self.workspace, origin, cuts, self.progress)

    def lacking(self) -> dict[str, str]:
        """Task → what the data lack for it; empty for one that they allow."""
        self.report()
        return lacking(holdings(self.workspace.tables), load_settings())

    def train(self) -> Release:
        """Feature rows → a candidate, judged on the test date and refitted.

        Raises InputError where the events are of kinds that neither a model nor the scheme looks at.
        """
        cuts, settings, origin = read_cuts(self.workspace), load_settings(), self._origin()
        if lacks := self.lacking()[CLASSES]:
            raise InputError(
                self.workspace.tables,
                lacks,
                "events that the models and the scheme look at",
                f"`scoring source check {self.source.name}` tells which tasks need what.",
            )
        if settings.horizon_days != origin.horizon_days:
            raise InputError(
                TRAINING,
                f"horizon_days {settings.horizon_days}",
                f"{origin.horizon_days}, the horizon of the labels at hand",
                "Run `scoring features` again.",
            )
        self.check()
        source = self.source
        about = {
            "source": source.name,
            "title": source.title,
            "currency": source.currency,
            "decimals": source.decimals,
        }
        return fit_candidate(self.workspace, cuts, settings, about, scheme_text(self.scheme), self.progress)

    def evaluate(self) -> tuple[int, list[Verdict]]:
        """The candidate beside the baselines, logged and registered; returns its version."""
        self.progress("compare with the baselines", 0, 1)
        verdicts = judge(self.workspace)
        self.progress("compare with the baselines", 1, 1)
        about = read_json(self.workspace.training / "release" / "release.json")
        self._check_source(about["source"], self.workspace.training)
        against = registry.champion_version(self.source.name)
        tags = {GATE_TAG: gate_verdict(verdicts), TASKS_TAG: " ".join(about["tasks"]), AGAINST_TAG: str(against or "")}
        return publish(self.workspace, self.source.name, verdicts, tags, self.progress), verdicts

    def promote(self, version: int | None = None, approve: str = "", by: str = "") -> Promotion:
        """A registered release → the champion, when it passed the gate or `approve` lets it."""
        return pass_gate(self.source.name, version, approve, by)

    def classify(self) -> tuple[LiveSet, Path]:
        """The champion grades the base at the grading date; the store gets the result."""
        self.progress("classify", 0, 1)
        release = registry.fetch(self.source.name)
        origin = self._origin()
        base = read_snapshots(self.workspace, [read_cuts(self.workspace).grade])[0]
        live, folder = grade(self.workspace, release, base, origin)
        self.progress("classify", 1, 1)
        store.publish(self.workspace, live, folder, self.progress)
        return live, folder

    def live(self) -> tuple[LiveSet, Pseudonyms, Path]:
        """What the service serves: the champion, the newest snapshot it graded, and the store's file."""
        release = registry.fetch(self.source.name)
        folder = newest_snapshot(self.workspace, release.version)
        live = load_live_set(folder, release)
        pseudonyms = load_pseudonyms()
        check_same_key(pseudonyms, live.snapshot.key, folder)
        path = store.store_path(self.workspace, live)
        return live, pseudonyms, self.workspace.needs(path, "scoring classify")

    def report(self) -> dict[str, Any]:
        """What ingest noted of itself; InputError when the workspace is another source's."""
        found: dict[str, Any] = read_json(self.workspace.needs(self.workspace.tables / "report.json", "scoring ingest"))
        self._check_source(found["source"], self.workspace.tables)
        return found

    def check(self) -> None:
        """Refuse a scheme or settings that cannot work, before anything is computed."""
        load_settings()
        check_facts(load_scheme(self.scheme), FACTS, self.scheme)

    def _origin(self) -> Origin:
        origin = read_origin(self.workspace)
        self._check_source(origin.source, self.workspace.features)
        return origin

    def _check_source(self, found: str, place: Path) -> None:
        check_source(found, self.source.name, place)


def check_source(found: str, wanted: str, place: Path) -> None:
    """One company's data never train, challenge or grade for another."""
    if found != wanted:
        raise InputError(place, f"the data of '{found}'", f"those of '{wanted}'", "Name the source, or another --home.")
