"""Golden answers: a release that answers otherwise than when it was made is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from features.catalogue import POSITION
from features.catalogue.confidential import CONFIDENTIAL
from features.errors import InputError
from tests.conftest import Ran
from training.golden import FILE, ROWS, check_golden, golden_rows
from training.manifest import write_manifest
from training.release import load_release
from training.snapshots import read_cuts, read_snapshots


def test_a_release_that_answers_otherwise_is_refused(sample: Ran, tmp_path: Path) -> None:
    """Were a library, or a compiled loop, another: the files are as they were, and their digests too."""
    folder = tmp_path / "release"
    shutil.copytree(sample.workspace.training / "release", folder)
    with np.load(folder / FILE) as found:
        arrays = {name: found[name].copy() for name in found.files}
    assert len(arrays["rows"]) == ROWS and np.isfinite(arrays["churn"]).sum() > 5
    load_release(folder, write_manifest(folder))
    place = int(np.flatnonzero(np.isfinite(arrays["churn"]))[0])
    arrays["churn"][place] *= 1 + 1e-6
    np.savez(folder / FILE, **arrays)
    with pytest.raises(InputError, match="other answers for churn"):
        load_release(folder, write_manifest(folder))


def test_any_changed_byte_of_a_release_is_refused(sample: Ran, tmp_path: Path) -> None:
    """One byte of each file in turn, the golden answers among them."""
    folder = tmp_path / "release"
    shutil.copytree(sample.workspace.training / "release", folder)
    digest = write_manifest(folder)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".npz", ".txt", ".yaml"}
    for path in files:
        was = path.read_bytes()
        path.write_bytes(was[:-2] + bytes([was[-2] ^ 1]) + was[-1:])
        with pytest.raises(InputError):
            load_release(folder, digest)
        path.write_bytes(was)
    load_release(folder, digest)


def test_golden_rows_are_nobodys(sample: Ran) -> None:
    """No row is a customer's, and nothing stands in them that a customer must not learn of."""
    base = read_snapshots(sample.workspace, [read_cuts(sample.workspace).grade])[0].rows
    rows = golden_rows(base, 7)
    known = {row.tobytes() for row in base}
    assert not any(row.tobytes() in known for row in rows)
    assert np.isnan(rows[:, [POSITION[name] for name in CONFIDENTIAL]]).all()
    assert np.array_equal(rows, golden_rows(base, 7), equal_nan=True)


def test_a_release_of_before_has_none(tmp_path: Path) -> None:
    """Nothing is asked then."""
    check_golden(tmp_path, lambda rows: {}, "old")
