"""The notebooks: each runs on the sample company, and git keeps none of what it showed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT, Ran
from training import registry

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LONGEST_FUNCTION = 4
SECONDS = 120

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def two_versions(sample: Ran) -> Ran:
    """The sample company with a second registered version, so that there is something to compare."""
    if len(registry.versions(sample.job.source.name)) < 2:
        sample.job.evaluate()
    return sample


@pytest.fixture
def jupyter(two_versions: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels of this interpreter that import this project, with nothing of the user's own settings."""
    monkeypatch.setenv("SCORING_HOME", str(two_versions.workspace.home.resolve()))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("MPLBACKEND", raising=False)


def test_the_three_notebooks_are_there() -> None:
    """Exploring, comparing, and bringing one's own recipe."""
    stems = [path.stem for path in NOTEBOOKS]
    assert stems == ["01-explore-customers", "02-compare-model-versions", "03-bring-your-own-recipe"]


@each_notebook
@pytest.mark.usefixtures("jupyter")
def test_runs_from_top_to_bottom_on_the_sample_company(path: Path) -> None:
    """Opened as Jupyter opens it, in its own folder, a notebook ends without an error or a warning, with pictures."""
    notebook = nbformat.read(path, as_version=4)
    check = "import sys, features; print(sys.executable, features.__file__)"
    notebook.cells.append(nbformat.v4.new_code_cell(check))
    where = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=where).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [each.text for each in shown if each.output_type == "stream" and each.name == "stderr"] == []
    assert any("image/png" in each.get("data", {}) for each in shown)
    assert shown[-1].text.split() == [sys.executable, str(ROOT / "features" / "__init__.py")]


@each_notebook
def test_without_data_its_first_cell_says_what_to_run(path: Path, tmp_path: Path) -> None:
    """A reader who has not run the demo is told to."""
    code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    environment = {**os.environ, "SCORING_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    ran = subprocess.run(
        [sys.executable, "-c", code[0]], cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert ran.returncode == 1
    assert ran.stderr.rstrip().endswith("Run `make demo` first.")


@each_notebook
def test_nothing_it_showed_is_in_git(path: Path) -> None:
    """Committed without outputs and counters: what a notebook shows of a company stays with the company."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert not any(cell.metadata or cell.get("attachments") for cell in notebook.cells)


@each_notebook
def test_imports_from_the_packages_and_defines_almost_nothing(path: Path) -> None:
    """What is worth defining is worth testing, and belongs into a package."""
    cells = nbformat.read(path, as_version=4).cells
    tree = ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    defined = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [node.name for node in defined if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION] == []
    assert not any(isinstance(node, ast.ClassDef) for node in ast.walk(tree))
