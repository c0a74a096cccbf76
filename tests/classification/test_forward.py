"""Codes read back without loss, at every level, and what an older scheme wrote still says something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from classification.draft import draft
from classification.forward import forward_code, forward_flaws
from classification.grade import Graded, take_snapshot
from classification.scheme import CURRENT, Scheme, load_scheme, read_scheme, scheme_text
from features.errors import InputError
from tests.conftest import Ran
from training import registry
from training.snapshots import read_cuts, read_origin, read_snapshots

OLD, NOW = load_scheme("2026-01"), load_scheme(CURRENT)
NEXT = read_scheme(
    draft(
        scheme_text(CURRENT),
        "2027-01",
        [
            "dimensions.worth.share.top={H: 0.20, L: 1.00}",
            "dimensions.worth.names={H: high value, L: not high}",
            "forward.worth.M=L",
        ],
    ),
    "2027-01",
)


def load(version: str) -> Scheme:
    """A scheme by its version."""
    return {each.version: each for each in (OLD, NOW, NEXT)}[version]


def graded(ran: Ran, scheme: str) -> Graded:
    """The sample's customers by another scheme."""
    origin = read_origin(ran.workspace)
    (base,) = read_snapshots(ran.workspace, [read_cuts(ran.workspace).grade])
    release = replace(registry.fetch(ran.job.source.name, ran.version), scheme=scheme)
    return take_snapshot(release, base, origin).grade(base.rows, base.texts)


def test_a39_real_codes_decode_and_encode_without_loss(sample: Ran) -> None:
    """Every code of the graded base says its row's classes, whole and cut off after each level, and is written anew the
    same; so under the older scheme."""
    rows = pq.read_table(sample.folder / "grades.parquet").to_pylist()
    written = [(row["code"], {name: row[f"class_{name}"] for name in NOW.dimensions}) for row in rows]
    was = graded(sample, scheme_text(OLD.version))
    older = [(str(code), {n: str(c[i]) for n, c in was.classes.items()}) for i, code in enumerate(was.codes)]
    for scheme, codes in ((NOW, written), (OLD, older)):
        assert len({code for code, _ in codes}) > 10
        for code, classes in codes:
            assert scheme.decode(code) == classes
            assert scheme.coding.encode(classes) == code
            for end in scheme.coding.ends:
                coarse = scheme.decode(code[:end])
                assert coarse.items() <= classes.items() and coarse


def test_a46_codes_of_an_older_version_map_forward(sample: Ran) -> None:
    """`AL-F11-IH` of 2026-01 says the same in 2026-12, real codes do, and through two versions."""
    assert forward_code("AL-F11-IH", "2026-01", NOW) == "AL-FU11-IHUUU-UUUUU-UUUU"
    was = graded(sample, scheme_text(OLD.version))
    for i in np.unique(was.codes, return_index=True)[1]:
        later = NOW.decode(forward_code(str(was.codes[i]), "2026-01", NOW))
        assert all(later[name] == was.classes[name][i] for name in OLD.dimensions)
        assert all(
            later[name] == NOW.dimensions[name].unknown for name in NOW.dimensions.keys() - OLD.dimensions.keys()
        )
        assert NEXT.decode(forward_code(str(was.codes[i]), "2026-01", NEXT, load))["value"] == later["value"]


def test_a46_a_class_that_was_given_up_becomes_what_the_map_says(sample: Ran) -> None:
    """M of `worth` is L from then on; nobody else is another."""
    codes = pq.read_table(sample.folder / "grades.parquet", columns=["code"])["code"].unique().to_pylist()
    for code in codes:
        was, now = NOW.decode(code), NEXT.decode(forward_code(code, CURRENT, NEXT, load))
        assert now == was | {"worth": "L" if was["worth"] == "M" else was["worth"]}


def test_a46_a_map_that_leaves_a_class_without_a_meaning_is_refused() -> None:
    """Each class of the version before is one of the new version, by its letter or by the map; and nothing else is
    mapped."""
    assert not list(forward_flaws(OLD, NOW, "x")) and not list(forward_flaws(NOW, NEXT, "x"))
    text = draft(scheme_text(CURRENT), "2027-01", [
        "dimensions.settlement.given.values={C: [urban]}", "dimensions.settlement.names={C: urban}",
        "forward.industry.Z=O", "forward.value.U=C",
    ])  # fmt: skip
    said = {flaw.place: flaw for flaw in forward_flaws(NOW, read_scheme(text, "x"), "x")}
    assert set(said) == {"x: forward.industry", "x: forward.value", "x: forward.settlement"}
    assert said["x: forward.settlement"].found == f"no meaning for R (rural) of {CURRENT}"
    assert "forward: {settlement: {R: C}}" in said["x: forward.settlement"].cure


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        (["replaces=2027-01"], "replaces"),
        (["replaces=2027-05"], "replaces"),
        (["forward.value.A=Q"], "forward.value"),
        (["forward.volume.A=B"], "forward.volume"),
    ],
)
def test_a_scheme_descends_from_earlier_ones_only(changes: list[str], place: str) -> None:
    """So that the way back ends; and maps to classes of its own."""
    with pytest.raises(InputError) as error:
        read_scheme(draft(scheme_text(CURRENT), "2027-01", changes), "x")
    assert error.value.place == f"x: {place}"


def test_a07_other_standards_are_a_selection_of_dimensions(sample: Ran) -> None:
    """Consumption type, purchase method, scale and loyalty alone are a scheme too, and grade everybody."""
    chosen = ("consumption", "channel", "scale", "engagement")
    dimensions = yaml.safe_load(scheme_text(CURRENT))["dimensions"]
    said = {"version": "2027-02", "code": [f"{{{name}}}" for name in chosen]}
    text = yaml.safe_dump(said | {"dimensions": {name: dimensions[name] for name in chosen}}, sort_keys=False)
    everybody, full = graded(sample, text), graded(sample, scheme_text(CURRENT))
    assert set(everybody.classes) == set(chosen)
    for name in chosen:
        assert (everybody.classes[name] == full.classes[name]).all()
        assert len(set(everybody.classes[name].tolist()) - {"U"}) > 1, name
    assert everybody.codes[0] == "-".join(str(everybody.classes[name][0]) for name in chosen)


def test_a14_worth_is_high_middle_or_low_by_the_value_to_expect(sample: Ran) -> None:
    """The upper fifth, the next three tenths, the rest, of those of whom the model expects a value; and the model looks
    at amounts, frequency and rhythm."""
    grades = pq.read_table(sample.folder / "grades.parquet").to_pandas()
    known = grades[grades.score_value.notna()]
    assert (grades.class_worth[grades.score_value.isna()] == "U").all()
    shares = known.class_worth.value_counts(normalize=True)
    assert abs(shares["H"] - 0.2) < 0.02 and abs(shares["M"] - 0.3) < 0.04
    assert known[known.class_worth == "H"].score_value.min() > known[known.class_worth == "M"].score_value.max()
    assert known[known.class_worth == "M"].score_value.min() > known[known.class_worth == "L"].score_value.max()
    reasons = pq.read_table(sample.folder / "reasons.parquet").to_pandas()
    looked_at = " ".join(reasons[reasons.task == "value"].feature.unique())
    for what in ("spend", "order", "recency"):
        assert what in looked_at
