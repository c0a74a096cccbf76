"""What Prometheus reads: how requests go, which classes are given, how old what is live is. Nothing of any customer.

With several worker processes each keeps its numbers in the folder PROMETHEUS_MULTIPROC_DIR, and whichever is asked adds
them up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from calendar import timegm
from collections import Counter as Counts
from collections.abc import Iterator, MutableMapping
from datetime import date
from functools import cache
from itertools import chain
from threading import Lock
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from classification.grade import LiveSet
from serving.drift import LABELS, Drift
from serving.records import Answer
from training.drift.reference import Reference

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
FLUSH = 256
"""Requests, and answers, that are kept before they are added to the meters: few, for others wait meanwhile."""
FLUSH_SECONDS = 2.0
"""And so long: another process that is asked must not wait for more."""

BINS = "customer_scoring_scores_by_bin"

NOWHERE = "none"
"""The route of a path that is none; paths themselves are never told."""


class Meters:
    """The meters of one process."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"namespace": "customer_scoring", "registry": self.registry}
        latest: dict[str, Any] = own | {"multiprocess_mode": "mostrecent"}
        self.seconds = Histogram(
            "request_seconds", "Time to answer.", ("route", "method", "status"), buckets=BUCKETS, **own
        )
        self.classes = Counter("answers", "Answers by class.", ("dimension", "class"), **own)
        self.version = Gauge("release_version", "Version of the release that is live.", **latest)
        self.since = Gauge("live_since_seconds", "When what is live went live, seconds since 1970.", **latest)
        self.trained = Gauge("release_seconds", "Day up to which the release has learnt, seconds since 1970.", **latest)
        self.graded = Gauge("snapshot_seconds", "Date of the grading snapshot, seconds since 1970.", **latest)
        self.stale = Gauge("stale", "1 while something newer cannot be taken.", **latest)
        self.store = Gauge("store_up", "1 while the online store answers.", **latest)
        self.failures = Counter("watch_failures", "Times that the registry or a release could not be used.", **own)
        self._bins = Counter("scores_by_bin", "What score_drift is computed from.", LABELS, **own)  # is not told itself
        self._drift: Drift | None = None
        self._seconds, self._class = cache(self.seconds.labels), cache(self.classes.labels)
        self._took: list[tuple[str, str, int, float]] = []
        self._answers: list[Answer] = []
        self._lock = Lock()

    def answered(self, scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
        """A request was answered."""
        with self._lock:
            self._took.append((scope.get("template", NOWHERE), scope["method"], status, seconds))
        if len(self._took) >= FLUSH:
            self.flush()

    def scored(self, answer: Answer) -> None:
        """A customer was answered its scores and classes."""
        with self._lock:
            self._answers.append(Answer(b"", *answer[1:]))
        if len(self._answers) >= FLUSH:
            self.flush()

    def flush(self) -> None:
        """Add what was answered to the meters."""
        with self._lock:
            drift, answers, self._answers = self._drift, self._answers, []
            took, self._took = self._took, []
        for route, method, status, seconds in took:
            self._seconds(route, method, status).observe(seconds)
        for key, count in Counts(chain.from_iterable(answer.classes.items() for answer in answers)).items():
            self._class(*key).inc(count)
        if drift:
            drift.add(answers)

    async def keep_flushing(self) -> None:
        """Do so as long as the process serves."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            with contextlib.suppress(OSError):  # of a full disk: the next time there may be room
                self.flush()

    def went_live(self, live: LiveSet, graded: Reference | None = None) -> None:
        """Another release or snapshot is live. graded: the scores of its grading, beside which those that are answered
        are held from now on."""
        self.flush()
        self.version.set(live.release.version)
        self.since.set(time.time())
        self.trained.set(_seconds(date.fromisoformat(live.release.about["trained_through"])))
        self.graded.set(_seconds(live.snapshot.as_of))
        if self._drift and self._drift.snapshot == live.snapshot.id:
            return
        with self._lock:
            self._drift = Drift(live.snapshot.id, graded, self._bins) if graded else None
        if not os.environ.get(FOLDER):  # files of several processes keep what they have, each snapshot's by itself
            self._bins.clear()

    def page(self) -> bytes:
        """What Prometheus asks for, of all processes."""
        self.flush()
        return generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """The same, as metrics."""
        everyone = self.registry
        if os.environ.get(FOLDER):
            everyone = CollectorRegistry()
            MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        drift, samples = self._drift, []
        for metric in everyone.collect():
            if metric.name == BINS:
                samples = metric.samples
            else:
                yield metric
        if drift:
            yield from drift.metrics(samples)


def _seconds(day: date) -> int:
    """Since 1970."""
    return timegm(day.timetuple())
