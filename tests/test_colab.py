"""The lessons as Colab opens them: alone, in an empty folder, without the course."""

import json
import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from utils import course

LESSON = course.NOTEBOOKS / "00_quickstart.ipynb"
NOT_CLONED = shutil.ignore_patterns(
    ".git", ".venv", "runs", "cache", "ham10000", "__pycache__", ".*_cache", ".ipynb_checkpoints"
)


@pytest.fixture
def cell():
    (found,) = [c.source for c in nbformat.read(LESSON, 4).cells if "# The whole" in c.source]
    return found


@pytest.fixture
def colab(tmp_path, monkeypatch):
    """An empty folder, where google.colab can be imported and nobody has the course.

    ``pip`` writes down what it was asked for. ``git clone`` of the course's address gets a copy
    of this very tree.
    """
    home, modules, tree = (tmp_path / name for name in ("content", "modules", "tree"))
    home.mkdir()
    for name in ("google/colab", "pip"):
        (modules / name).mkdir(parents=True)
        (modules / name / "__init__.py").touch()
    (modules / "pip" / "__main__.py").write_text(
        f"import sys; open({str(tmp_path / 'pip.txt')!r}, 'a').write(' '.join(sys.argv[1:]))"
    )
    shutil.copytree(course.ROOT, tree, ignore=NOT_CLONED)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        own = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *own, *words], cwd=tree, check=True)
    repository, _ = course.address()
    for name in course.FOLDERS:
        monkeypatch.delenv(name, raising=False)
    settings = {
        "PYTHONPATH": str(modules),
        "HAM10K_SOURCE": "synthetic",
        "KERAS_HOME": os.environ.get("KERAS_HOME", str(tmp_path / "keras")),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{tree.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{repository}",
        "CUDA_VISIBLE_DEVICES": "",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return home


def test_the_cell_is_short_enough_to_read(cell):
    assert len(cell.splitlines()) < 80


@pytest.mark.slow
def test_the_cell_alone_fetches_the_course_and_runs(cell, colab):
    after = "import google.colab, utils; print('from', utils.__file__)"
    cells = [nbformat.v4.new_code_cell(source) for source in (cell, after)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(
        notebook, kernel_name="python3", timeout=None, resources={"metadata": {"path": str(colab)}}
    ).execute()
    clone = colab / course.address()[0].split("/")[1]
    assert notebook.cells[1].outputs[0].text.strip() == f"from {clone / 'utils' / '__init__.py'}"
    kinds = [output.output_type for output in notebook.cells[0].outputs]
    assert kinds.count("display_data") == 4
    (result,) = (clone / "runs" / "results").glob("00_quickstart*.json")
    assert json.loads(result.read_text())["source"] == "synthetic"
    assert not (colab.parent / "pip.txt").exists()


def begin(cell, colab):
    """Run the cell only until the course is found."""
    code = cell[: cell.index("from utils import")]
    return subprocess.run([sys.executable, "-c", code], cwd=colab, capture_output=True, text=True)


def test_only_what_is_missing_is_installed(cell, colab):
    (colab.parent / "modules" / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'kagglehub' else find(name, *rest)\n"
    )
    done = begin(cell, colab)
    assert done.returncode == 0, done.stderr
    assert (colab.parent / "pip.txt").read_text() == "install -q kagglehub"


def test_a_course_that_cannot_be_fetched_is_said_in_a_sentence(cell, colab, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "url.file:///nowhere.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    done = begin(cell, colab)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "could not be fetched into" in last and "is there network?" in last


OTHERS = [p for p in sorted(course.NOTEBOOKS.glob("[0-9]*.ipynb")) if p != LESSON]


@pytest.mark.slow
@pytest.mark.parametrize("path", OTHERS, ids=lambda p: p.stem)
def test_every_setup_cell_alone_fetches_the_course(path, colab):
    (setup,) = [c.source for c in nbformat.read(path, 4).cells if "# @title Setup" in c.source]
    cells = [nbformat.v4.new_code_cell(source) for source in (setup, "print(splits.__file__)")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(
        notebook, kernel_name="python3", timeout=None, resources={"metadata": {"path": str(colab)}}
    ).execute()
    clone = colab / course.address()[0].split("/")[1]
    assert notebook.cells[1].outputs[0].text.strip() == str(clone / "utils" / "splits.py")
    assert notebook.cells[0].outputs == []
