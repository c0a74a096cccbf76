"""What Prometheus reads: how requests go, which classes are given, how old what is live is. Nothing of any customer.

With several worker processes each keeps its numbers in the folder PROMETHEUS_MULTIPROC_DIR, and whichever is asked adds
them up.
"""

from __future__ import annotations

import os
import time
from collections import Counter as Counts
from collections.abc import Mapping, MutableMapping
from datetime import date
from threading import Lock
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
FLUSH = 256
"""Answers whose classes are counted before they are added to the meters."""

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
        self.graded = Gauge("snapshot_seconds", "Date of the grading snapshot, seconds since 1970.", **latest)
        self.stale = Gauge("stale", "1 while something newer cannot be taken.", **latest)
        self.store = Gauge("store_up", "1 while the online store answers.", **latest)
        self.failures = Counter("watch_failures", "Times that the registry or a release could not be used.", **own)
        self._given: Counts[tuple[str, str]] = Counts()
        self._answers, self._lock = 0, Lock()

    def answered(self, scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
        """A request was answered."""
        route = scope.get("template", NOWHERE)
        self.seconds.labels(route, scope["method"], status).observe(seconds)

    def scored(self, classes: Mapping[str, str]) -> None:
        """A customer got these classes, dimension → class."""
        with self._lock:
            self._given.update(classes.items())
            self._answers += 1
        if self._answers >= FLUSH:
            self.flush()

    def flush(self) -> None:
        """Add the classes that were counted to the meters."""
        with self._lock:
            given, self._given, self._answers = self._given, Counts(), 0
        for key, count in given.items():
            self.classes.labels(*key).inc(count)

    def went_live(self, version: int, graded_at: date) -> None:
        """Another release or snapshot is live."""
        self.version.set(version)
        self.since.set(time.time())
        self.graded.set(time.mktime(graded_at.timetuple()))

    def page(self) -> bytes:
        """What Prometheus asks for, of all processes."""
        self.flush()
        if not os.environ.get(FOLDER):
            return generate_latest(self.registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)
