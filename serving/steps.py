"""The steps of the main job, each from what the one before it left in the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from classification.challenge import SETTINGS_TAG, Challenge, challenge
from classification.comparison import Bases
from classification.decisions import decisions_for
from classification.grade import FACTS, TRAIT_NAMES, LiveSet, Scored
from classification.monthly import MonthlyRun, covered_month
from classification.monthly import reclassify as grade_month
from classification.months import Month, month_before
from classification.past import VALUE_DIMENSION, past_standings
from classification.promote import Promotion, note
from classification.promote import promote as pass_gate
from classification.promote import rollback as go_back
from classification.released import SCHEME_TAG, check_released
from classification.scheme import CURRENT, check_facts, load_scheme, scheme_text
from classification.snapshots import classify as grade
from classification.snapshots import load_live_set, newest_snapshot
from features.company import Company
from features.engine import Engine, spark_session
from features.errors import InputError
from features.progress import Progress, silent
from features.tables.audit import open_audit
from features.tables.breaks import SHARE
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
from serving.intake import take_arrivals
from serving.reporting import report_month
from serving.store.place import Place, place_of
from serving.store.sqlite import store_path
from training import registry
from training.backtest import plan_cuts
from training.candidate import Order
from training.candidate import train as fit_candidate
from training.drift.report import drift_report
from training.ledger import read_ledger
from training.needs import CLASSES, holdings, lacking
from training.recipes import SEGMENTS, TRAINING, Settings, load_settings
from training.release import Release
from training.review import publish
from training.segments import SegmentModel
from training.snapshots import Origin, Snapshot, base_at, read_cuts, read_origin, read_snapshots, write_snapshots
from training.window import churn_window

SAMPLE = "sample"
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Job:
    """One source in one workspace. scheme: version of the classification scheme that the next candidate carries; None
    keeps that of the champion, for another one is a person's decision (`scoring scheme use`)."""

    source: Source
    workspace: Workspace
    raw: Path | None = None
    scheme: str | None = None
    progress: Progress = silent
    horizon_days: int | None = None

    def ingest(self, customers: int = 2_000, afresh: bool = False) -> Ingested:
        """What is new in the raw tables → events; the sample company writes its raw tables first."""
        pseudonyms = load_pseudonyms()
        if (self.workspace.tables / "report.json").exists() and not afresh:
            check_same_key(pseudonyms, self.report()["key"], self.workspace.tables)
        raw = self.raw
        if raw is None and self.source.name == SAMPLE:
            self.progress("simulate the company", 0, 1)
            raw = self.workspace.simulated
            simulate(raw, customers, breaks=SHARE)
            self.progress("simulate the company", 1, 1)
            afresh = True  # another number of customers is another company
        with self.place.inboxes() as inboxes:
            for inbox in inboxes:
                take_arrivals(self.source, self.workspace, pseudonyms, inbox)
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
        report, settings = self.report(), self.settings()
        first = date.fromisoformat(report["first_day"])
        cuts = plan_cuts(first, data_end(report), settings, as_of, grade_as_of)
        days = settings.horizon_days
        known = min((cuts.grade, *cuts.tests(days)))  # nothing that a test date has yet to see
        company = Company.from_json(report["company"])
        active_days = churn_window(self.workspace.tables, known, company.timezone, days, settings.fewest_returns)
        origin = Origin(self.source.name, report["key"], company, days, active_days)
        write_snapshots(self.workspace, origin, cuts, settings.potential_days, self.progress)

    def settings(self) -> Settings:
        """configs/training.yaml, with the horizon that was asked for instead of its own."""
        found = load_settings()
        return found if self.horizon_days is None else found.model_copy(update={"horizon_days": self.horizon_days})

    def lacking(self) -> dict[str, str]:
        """Task → what the data lack for it; empty for one that they allow."""
        self.report()
        return lacking(holdings(self.workspace.tables), self.settings())

    def train(self) -> Release:
        """Feature rows → a candidate, judged on the test date and refitted.

        Raises InputError where the events are of kinds that neither a model nor the scheme looks at.
        """
        cuts, origin, settings = read_cuts(self.workspace), self._origin(), self.settings()
        if lacks := self.lacking()[CLASSES]:
            raise InputError(
                self.workspace.tables,
                lacks,
                "events that the models and the scheme look at",
                f"`scoring source check {self.source.name}` tells which tasks need what.",
            )
        if settings.looks != cuts.looks:
            raise InputError(
                TRAINING,
                f"horizons of {_days(settings.looks)} days",
                f"{_days(cuts.looks)}, those of the labels at hand",
                "Run `scoring features` again, or name the same --horizon.",
            )
        self.check()
        source = self.source
        about = {
            "source": source.name,
            "title": source.title,
            "currency": source.currency,
            "decimals": source.decimals,
        }
        scheme = self.next_scheme()
        dimension = load_scheme(scheme).dimensions.get(VALUE_DIMENSION)
        days = settings.potential_days
        standings = past_standings(self.workspace, cuts, dimension, days) if dimension else {}
        rivals = self._rivals(settings)
        champion = self._champion()
        segments = champion.models.get(SEGMENTS.name) if champion else None
        order = Order(
            about,
            scheme_text(scheme),
            settings,
            origin.active_days,
            standings,
            rivals,
            segments if isinstance(segments, SegmentModel) else None,
        )
        return fit_candidate(self.workspace, cuts, order, self.progress)

    def evaluate(self) -> tuple[int, Challenge]:
        """The candidate beside the baselines and the champion, logged and registered; returns its version."""
        about = read_json(self.workspace.needs(self.workspace.training / "release", "scoring train") / "release.json")
        self._check_source(about["source"], self.workspace.training)
        self.progress("compare with the baselines", 0, 1)
        base = read_snapshots(self.workspace, [read_cuts(self.workspace).grade])[0]
        found = challenge(self.workspace, self._champion(), base, self._origin())
        self.progress("compare with the baselines", 1, 1)
        version = publish(self.workspace, self.source.name, found.verdicts, found.extras(), self.progress)
        return version, found

    def _champion(self) -> Release | None:
        """The release that is live; None when there is none, or when it was made with other feature definitions, so
        that it cannot answer for this base."""
        version = registry.champion_version(self.source.name)
        if version is None or not registry.answers_here(self.source.name, version):
            return None
        return registry.fetch(self.source.name, version)

    def _rivals(self, settings: Settings) -> dict[str, Settings]:
        """The recipes of the champion and of what was live in the last twelve months, where they are other ones than
        the candidate's and look as far ahead: v<version> → settings."""
        name, found = self.source.name, {}
        champion = registry.champion_version(name)
        lately = read_ledger(name).released_since(datetime.now(UTC) - YEAR)
        for version in sorted({*lately, *([champion] if champion else [])}):
            said = registry.tags_of(name, version).get(SETTINGS_TAG)
            recipe = Settings.model_validate_json(said) if said else settings
            if recipe.boosting != settings.boosting and recipe.looks == settings.looks:
                found[f"v{version}"] = recipe
        return found

    def promote(self, version: int | None = None, approve: str = "", by: str = "") -> Promotion:
        """A registered release → the champion, when it passed the gate or `approve` lets it."""
        done = pass_gate(self.source.name, version, approve, by)
        note(open_audit(self.workspace.home, by), "promote", done)
        return done

    def rollback(self, to: int | None = None, approve: str = "", by: str = "") -> Promotion:
        """An earlier release → the champion."""
        done = go_back(self.source.name, to, approve, by)
        note(open_audit(self.workspace.home, by), "rollback", done)
        return done

    def classify(self) -> tuple[LiveSet, Path]:
        """The champion grades the base at the grading date; the store gets the result."""
        self.progress("classify", 0, 1)
        release = registry.fetch(self.source.name)
        origin = self._origin()
        base = read_snapshots(self.workspace, [read_cuts(self.workspace).grade])[0]
        decisions = decisions_for(self.workspace, release, base)
        live, folder = grade(self.workspace, release, base, origin, decisions, self.progress)
        self.progress("classify", 1, 1)
        self.place.publish(live, folder, base, self.progress)
        drift_report(self.workspace, release, base.as_of, folder, self.progress)
        return live, folder

    def reclassify(
        self, month: str | None = None, version: int | None = None, restate: str = "", engine: Engine = Engine.LOCAL
    ) -> MonthlyRun:
        """A month graded beside the one before, by the champion or another version; the store gets the result, and the
        report is written.

        month: by default the last that the data cover whole; restate: why one that was graded is graded again; engine:
        what computes and scores the base, with the same result.
        """
        report = self.report()
        name, as_of = covered_month(month, data_end(report))
        release = registry.fetch(self.source.name, version)
        company = Company.from_json(report["company"])
        before = month_before(self.workspace, as_of)
        old = self._release_of(before, release)
        dates = [as_of, before.as_of] if before and old and old.digest != release.digest else [as_of]
        origin = Origin(
            self.source.name, report["key"], company, release.about["horizon_days"], release.about["active_days"]
        )
        found, scored = self._bases(engine, release, origin, dates)
        bases = Bases(*found)
        decisions = decisions_for(self.workspace, release, bases.now)
        done = grade_month(
            self.workspace,
            name,
            (old, release),
            bases,
            origin,
            decisions,
            bool(restate),
            self.progress,
            scored=scored,
        )
        if restate and done.written:
            audit = open_audit(self.workspace.home, None)
            audit.append("restate", None, restate, month=name, release=release.version)
        self.place.publish(done.live, done.month.folder, bases.now, self.progress)
        drift_report(self.workspace, release, as_of, done.month.folder, self.progress)
        report_month(self, done.month.name, live=done.live)
        return done

    def _bases(
        self, engine: Engine, release: Release, origin: Origin, dates: list[date]
    ) -> tuple[list[Snapshot], Scored | None]:
        """The bases of some dates, the first of them scored where the engine does so."""
        if engine == Engine.LOCAL:
            return base_at(self.workspace, origin.company, dates, self.progress), None
        from classification.spark import grade_base

        with spark_session() as session:
            return grade_base(session, self.workspace, release, origin, dates, self.progress)

    def _release_of(self, month: Month | None, release: Release) -> Release | None:
        """The release that graded a month, None where it is not at hand or looks at other features."""
        if month is None or month.release == release.version:
            return release if month else None
        if not registry.answers_here(self.source.name, month.release):
            return None
        return registry.fetch(self.source.name, month.release)

    @property
    def place(self) -> Place:
        """Where its online store lies."""
        return place_of(self.workspace, self.source.name)

    def live(self) -> tuple[LiveSet, Pseudonyms, Path]:
        """What the service serves: the champion and the newest snapshot it graded; and that one's file of the store."""
        live, pseudonyms = self.graded()
        path = store_path(self.workspace, live.snapshot.id)
        return live, pseudonyms, self.workspace.needs(path, "scoring classify")

    def graded(self, release: Release | None = None) -> tuple[LiveSet, Pseudonyms]:
        """A release, by default the champion, and the newest snapshot it graded."""
        release = release or registry.fetch(self.source.name)
        folder = newest_snapshot(self.workspace, release.version)
        live = load_live_set(folder, release)
        pseudonyms = load_pseudonyms()
        check_same_key(pseudonyms, live.snapshot.key, folder)
        return live, pseudonyms

    def report(self) -> dict[str, Any]:
        """What ingest noted of itself; InputError when the workspace is another source's."""
        found: dict[str, Any] = read_json(self.workspace.needs(self.workspace.tables / "report.json", "scoring ingest"))
        self._check_source(found["source"], self.workspace.tables)
        return found

    def check(self) -> None:
        """Refuse a scheme or settings that cannot work, before anything is computed."""
        load_settings()
        version = self.next_scheme()
        scheme = load_scheme(version)
        check_facts(scheme, FACTS, TRAIT_NAMES, version)
        check_released(scheme, version)

    def next_scheme(self) -> str:
        """The scheme that was named; else that of the champion; else the current one."""
        if self.scheme is not None:
            return self.scheme
        champion = registry.champion_version(self.source.name)
        tags = registry.tags_of(self.source.name, champion) if champion is not None else {}
        return tags.get(SCHEME_TAG, CURRENT)

    def _origin(self) -> Origin:
        origin = read_origin(self.workspace)
        self._check_source(origin.source, self.workspace.features)
        return origin

    def _check_source(self, found: str, place: Path) -> None:
        check_source(found, self.source.name, place)


def _days(looks: tuple[tuple[int, ...], ...]) -> str:
    return ", ".join(map(str, sorted({days for look in looks for days in look})))


def check_source(found: str, wanted: str, place: Path) -> None:
    """One company's data never train, challenge or grade for another."""
    if found != wanted:
        raise InputError(place, f"the data of '{found}'", f"those of '{wanted}'", "Name the source, or another --home.")
