"""`scoring scheme`: an administrator looks at the standard, checks it, renews it, and puts the new version to use."""

from __future__ import annotations

import contextlib
import io
import json
import math
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from classification.released import SCHEME_TAG
from classification.scheme import CURRENT, load_scheme
from features.errors import InputError
from features.tables.audit import read_lines
from features.workspace import Workspace, read_json
from serving.app import create_app
from serving.scheme_steps import ACTION
from serving.scorer import Scorer
from serving.service import Service
from serving.steps import Job
from serving.store.sqlite import SqliteStore
from tests.conftest import ROOT, Ran
from training import registry
from training.manifest import MANIFEST, MLFLOW_FILES
from training.release import SCHEME_FILE

NEXT, WHY = "2027-01", "the board wants a tenth"
Said = tuple[int, str, str]


def said(*words: object) -> Said:
    """Runs a command; its exit code, what it printed, and what it complained of."""
    from serving.cli import main

    printed, complained, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["scoring", *map(str, words)])
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complained):
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
    return code, printed.getvalue(), complained.getvalue()


@dataclass(frozen=True)
class Office:
    """The sample company with a standard, a workspace and a registry of its own, in the folder where commands run."""

    job: Job
    champion: int

    @property
    def home(self) -> Path:
        return self.job.workspace.home

    def scheme(self, version: str) -> Path:
        return Path("configs/schemes") / f"{version}.yaml"


@pytest.fixture(scope="module")
def office(sample: Ran, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    shutil.copytree(ROOT / "configs", folder / "configs")
    shutil.copytree(sample.workspace.home, folder / "home")
    store = registry.store_file()
    assert store is not None
    shutil.copy(store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.chdir(folder)
        yield Office(Job(sample.job.source, Workspace(folder / "home")), sample.version)


@dataclass(frozen=True)
class Renewed:
    """What the commands said on the way from one version to the next."""

    diff: str
    use: str
    refused: Said
    release: int


@pytest.fixture(scope="module")
def renewed(office: Office) -> Renewed:
    """A month by the old version; the new one written, compared, put to use, approved; the next month by it."""
    home = ("--home", office.home)
    assert said("reclassify", *home, "--month", "2026-09")[0] == 0
    code, _, error = said("scheme", "new", NEXT, *home, "--set", "dimensions.value.share.top.A=0.10")
    assert code == 0, error
    _, diff, _ = said("scheme", "diff", CURRENT, NEXT, *home)
    code, use, error = said("scheme", "use", NEXT, *home, "--reason", WHY, "--by", "anna")
    assert code == 0, error
    release = registry.latest_version("sample")
    assert release is not None
    refused = said("promote", *home, "--version", release)
    assert said("promote", *home, "--version", release, "--approve", "berta", "--by", "anna")[0] == 0
    assert said("reclassify", *home, "--month", "2026-10")[0] == 0
    return Renewed(diff, use, refused, release)


def test_a03_another_share_regrades_without_code_and_is_logged(office: Office, renewed: Renewed) -> None:
    """A is the top tenth from then on, whoever changes because of it is told so, and the log has who and why."""
    months = office.job.workspace.months
    before, after = (pq.read_table(months / month / "grades.parquet").to_pandas() for month in ("2026-09", "2026-10"))
    assert (before.class_value == "A").sum() == math.ceil(0.05 * len(before))
    assert (after.class_value == "A").sum() == math.ceil(0.10 * len(after))
    changes = pq.read_table(months / "2026-10" / "changes.parquet").to_pandas()
    risen = changes[(changes.dimension == "value") & (changes.before == "B") & (changes.after == "A")]
    assert len(risen) > 0.8 * (math.ceil(0.10 * len(after)) - math.ceil(0.05 * len(after)))
    assert risen.share_scheme.mean() > 0.7 and (risen.share_model == 0).all() and (risen.share_cutoff == 0).all()
    (line,) = read_lines(office.home / "audit.jsonl", action=ACTION)
    wanted = {"by": "anna", "reason": WHY, "person": [], "was": CURRENT, "scheme": NEXT, "version": renewed.release}
    assert wanted.items() <= line.items()


def test_a03_a_person_decides(office: Office, renewed: Renewed) -> None:
    """Without somebody's approval the old version stays live; whose class changes is told before."""
    code, printed, _ = renewed.refused
    assert code == 1 and "a person decides" in printed and WHY in printed
    assert "value      B major customer → A key customer" in renewed.use
    assert f"scoring promote --source sample --version {renewed.release} --approve NAME" in renewed.use
    assert registry.champion_version("sample") == renewed.release
    swap = pq.read_table(office.job.workspace.training / "swap.parquet").to_pandas()
    assert set(zip(swap.value_before, swap.value_after, strict=True)) == {("B", "A")}


def test_a46_the_new_release_has_the_very_same_models(office: Office, renewed: Renewed) -> None:
    """Byte for byte, but for the scheme; its run tells whose they are, and the next candidate keeps its scheme."""
    files = []
    for version in (office.champion, renewed.release):
        with registry.downloaded("sample", registry.SCORER, version) as (folder, tags):
            paths = (
                path for path in folder.rglob("*") if path.is_file() and path.name not in (MANIFEST, *MLFLOW_FILES)
            )
            files.append({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})
    assert files[0].keys() == files[1].keys()
    assert [name for name in files[0] if files[0][name] != files[1][name]] == [SCHEME_FILE]
    assert tags["models_of"] == str(office.champion) and tags[SCHEME_TAG] == NEXT
    old, new = (registry.metrics_of("sample", version) for version in (office.champion, renewed.release))
    tests = {name: number for name, number in old.items() if name.startswith("test_")}
    assert tests and tests.items() <= new.items() and new["gate_passed"] == 0
    assert registry.trained_through("sample")[renewed.release] == registry.trained_through("sample")[office.champion]
    assert office.job.next_scheme() == NEXT


def test_a44_a_version_that_was_released_cannot_change(office: Office, renewed: Renewed) -> None:
    """The check fails, and so does the next training, until the file is as it was."""
    path = office.scheme(NEXT)
    text = path.read_text()
    assert said("scheme", "check")[0] == 0
    path.write_text(text.replace("A: 0.10", "A: 0.12"))
    try:
        code, _, error = said("scheme", "check", NEXT)
        assert code == 2 and f"sample.customer-scorer version {renewed.release}" in error and "scheme new" in error
        with pytest.raises(InputError):
            office.job.check()
    finally:
        path.write_text(text)
    office.job.check()


def test_a_scheme_is_checked_without_a_registry_too(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong in the file is told all the same, and that nothing was compared."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "foo://x")
    code, printed, error = said("scheme", "check", CURRENT)
    assert code == 0 and f"Scheme {CURRENT} holds" in printed and "Not compared" in error


def test_a47_the_standard_is_shown_with_its_cutoffs(office: Office, renewed: Renewed) -> None:
    """In words, as the last grading has them, and the difference from the version before as customers."""
    code, printed, _ = said("scheme", "show", "--dimension", "value", "--home", office.home)
    folder = office.job.workspace.months / "2026-10"
    cut = read_json(folder / "snapshot.json")["cutoffs"]["value"]["A"]
    assert code == 0 and "top 10 % of the customers by net spend of the last 365 days" in printed
    assert f"A begins at {cut / 100:,.2f} EUR" in printed and str(folder) in printed
    spend = pq.read_table(office.job.workspace.months / "2026-09" / "grades.parquet")["spend_365d"].to_pandas()
    more = math.ceil(0.10 * len(spend)) - math.ceil(0.05 * len(spend))
    assert f"In 2026-09, {more:,} of {len(spend):,} customers" in renewed.diff
    assert "- value: A: top 10 % of the customers" in renewed.diff and "B → A" in renewed.diff


def test_what_cannot_be_used_is_refused(office: Office, renewed: Renewed) -> None:
    """The scheme that is live, a version that is there, a scheme that does not hold, a code of nobody."""
    home = ("--home", office.home)
    for words, wanted in (
        (("use", NEXT, *home, "--reason", "again"), f"scheme {NEXT} already"),
        (("use", CURRENT, *home, "--reason", " "), "why the scheme changes"),
        (("use", "2031-01", *home, "--reason", "x"), "no such file"),
        (("new", NEXT, *home), "A scheme never changes"),
        (("new", "2027-02", *home, "--set", "dimensions.value.share.top.A=0.3"), "B (0.2) can never be reached"),
        (("new", "2027-13", *home), "2027-13"),
        (("show", "--dimension", "volume", *home), "one of value, lifecycle"),
        (("decode", "AQ", *home), "one of P, X, W, F, L, R for lifecycle"),
    ):
        code, _, error = said("scheme", *words)
        assert code == 2 and wanted in error, (words, error)
    assert not office.scheme("2027-02").exists() and registry.latest_version("sample") == renewed.release


@pytest.fixture(scope="module")
def client(office: Office, renewed: Renewed) -> Iterator[TestClient]:
    live, pseudonyms, path = office.job.live()
    with TestClient(create_app(Service(Scorer(live, pseudonyms), SqliteStore(path), office.job.workspace))) as found:
        yield found


def test_a39_the_service_says_what_a_code_means(office: Office, client: TestClient) -> None:
    """The classes of a real code, whole and coarse; one of an older version, mapped forward."""
    row = pq.read_table(office.job.workspace.months / "2026-10" / "grades.parquet").to_pylist()[0]
    found = client.get(f"/v1/scheme/decode/{row['code']}").json()
    assert {name: each["code"] for name, each in found["classes"].items()} == {
        name: row[f"class_{name}"] for name in load_scheme(NEXT).dimensions
    }
    assert client.get("/v1/scheme/decode/AL").json()["classes"] == {
        "value": {"code": "A", "name": "key customer"},
        "lifecycle": {"code": "L", "name": "loyal"},
    }
    older = client.get("/v1/scheme/decode/AL-F11-IH?version=2026-01").json()
    assert (older["code"], older["scheme"], older["read_as"]) == ("AL-FU11-IHUUU-UUUUU-UUUU", NEXT, "2026-01")
    for path, status in (("SECRET-4711", 422), ("AL?version=2031-01", 404), ("AL?version=../x", 422), ("A" * 300, 422)):
        answer = client.get(f"/v1/scheme/decode/{path}")
        assert answer.status_code == status and "SECRET" not in answer.text and "x" * 3 not in answer.text


def test_the_service_shows_the_live_scheme(office: Office, client: TestClient) -> None:
    """Every dimension with its classes, their names and rules, where shares begin, and the levels of the code."""
    found = client.get("/v1/scheme").json()
    scheme = load_scheme(NEXT)
    assert found["version"] == NEXT == found["live"]["scheme"] and found["replaces"] == CURRENT
    assert found["code"] == scheme.levels
    assert [each["name"] for each in found["dimensions"]] == list(scheme.dimensions)
    value = found["dimensions"][0]
    cuts = read_json(office.job.workspace.months / "2026-10" / "snapshot.json")["cutoffs"]["value"]
    assert [each["at_least"] for each in value["classes"]] == [cuts["A"], cuts["B"], None]
    assert value["unknown"] == "U" and value["classes"][0]["name"] == "key customer"


def test_the_schema_in_the_repository_is_that_of_schemes() -> None:
    """Editors complete what the program accepts, and the file in use says where it is."""
    code, printed, _ = said("scheme", "schema")
    assert code == 0 and (ROOT / "configs/schemas/scheme.schema.json").read_text() == printed
    assert json.loads(printed)["additionalProperties"] is False
    assert (
        "$schema=../schemas/scheme.schema.json"
        in (ROOT / f"configs/schemes/{CURRENT}.yaml").read_text().splitlines()[0]
    )
