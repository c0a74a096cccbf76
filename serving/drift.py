"""How far the scores that are answered lie from those of the grading: the PSI of the monthly drift report.

What is counted is the bin that a score falls into, and nothing of whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import prometheus_client
import pyarrow as pa
import pyarrow.parquet as pq
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.samples import Sample

from classification.grade import LiveSet
from features.catalogue import FINGERPRINT
from features.workspace import damaged
from serving.records import Answer
from training.drift.bins import NumberBins, number_bins, psi
from training.drift.months import MOST_CUSTOMERS
from training.drift.reference import Column, Reference
from training.recipes import OUTPUTS

FEWEST_ANSWERS = 500
"""Of fewer nothing is told: by chance alone they lie apart."""

LABELS = ("snapshot", "output", "bin")


def graded_scores(folder: Path, live: LiveSet) -> Reference:
    """The scores in a grading's folder, counted into tenths: output → its bins, those of null among them.

    As in the monthly report at most MOST_CUSTOMERS count, those of the smallest pseudonyms, which are keyed digests.
    An output that nobody has is left out. Raises InputError when the file is damaged.
    """
    path = folder / "grades.parquet"
    try:
        with pq.ParquetFile(path) as file:
            names = [f"score_{output}" for output in OUTPUTS]
            rows = next(file.iter_batches(MOST_CUSTOMERS, columns=names), None)
            scores = {} if rows is None else {name: rows[f"score_{name}"].to_numpy(False) for name in OUTPUTS}
    except (pa.ArrowException, OSError, KeyError) as error:
        raise damaged(path, error) from None
    known = {name: column for name, column in scores.items() if not np.isnan(column).all()}
    bins = {name: number_bins(column) for name, column in known.items()}
    columns = {name: Column(bins[name], bins[name].count(column)) for name, column in known.items()}
    return Reference(live.snapshot.as_of, live.release.digest, FINGERPRINT, columns)


class Drift:
    """The scores that were answered with one live set, counted.

    snapshot: the id of its grading; graded: the scores of that; meter: the bins, those of all processes.
    """

    def __init__(self, snapshot: str, graded: Reference, meter: prometheus_client.Counter) -> None:
        self.snapshot, self.graded, self._bin = snapshot, graded, cache(meter.labels)
        columns = ((name, column.bins) for name, column in graded.columns.items())
        self._bins = {name: bins for name, bins in columns if isinstance(bins, NumberBins)}

    def add(self, answers: Iterable[Answer]) -> None:
        """Count answers; those of another live set, which were begun before this one took over, do not count."""
        scores = [answer.scores for answer in answers if answer.snapshot == self.snapshot]
        for name, bins in self._bins.items():
            counts = bins.count(np.array([each[name] for each in scores], float))
            for place in np.flatnonzero(counts).tolist():
                self._bin(self.snapshot, name, place).inc(int(counts[place]))

    def metrics(self, samples: Iterable[Sample]) -> Iterator[Metric]:
        """What is told of the meter's samples: how many answers count, and the PSI of each output once those are
        FEWEST_ANSWERS."""
        found = {name: np.zeros_like(column.counts) for name, column in self.graded.columns.items()}
        for each in samples:
            if each.labels["snapshot"] == self.snapshot and each.name.endswith("_total"):
                found[each.labels["output"]][int(each.labels["bin"])] += int(each.value)
        answers = max((int(counts.sum()) for counts in found.values()), default=0)
        yield GaugeMetricFamily("customer_scoring_score_drift_answers", "Answers that score_drift is of.", answers)
        drift = GaugeMetricFamily(
            "customer_scoring_score_drift", "PSI of the scores answered beside those of the grading.", labels=["output"]
        )
        for name, column in self.graded.columns.items():
            if answers >= FEWEST_ANSWERS:
                drift.add_metric([name], psi(column.counts, found[name]))
        yield drift
