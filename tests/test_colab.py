"""The lessons as Colab opens them: alone, in an empty folder, without the course."""

import json
import os
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from course import lessons
from course.build.render import render
from course.errors import CourseError, Refused
from course.run import colab
from utils import settings

LESSONS = lessons.choose_lessons()
REPOSITORY, BRANCH = lessons.address()


SETUP = render(
    (lessons.NOTEBOOKS / "src" / "_setup.py").read_text(encoding="utf-8"),
    repository=REPOSITORY,
    branch=BRANCH,
    release=lessons.release(),
).strip()


def cells(lesson):
    return [c.source for c in nbformat.read(lesson, 4).cells if c.cell_type == "code"]


def test_every_lesson_has_the_same_setup():
    for lesson in LESSONS:
        assert [SETUP in cell for cell in cells(lesson)].count(True) == 1, lesson


@pytest.mark.slow
def test_the_classifier_pasted_into_an_empty_notebook_fetches_the_course_and_runs(
    tmp_path, monkeypatch
):
    """A clone of anything but the badge's branch would be empty: see ``surroundings``."""
    cell = (settings.ROOT / "skin_cancer_classifier.py").read_text(encoding="utf-8")
    for name, value in (("EPOCHS", 25), ("FINE_TUNE_EPOCHS", 10)):
        assert cell.count(f"\n{name} = {value}\n") == 1
        cell = cell.replace(f"\n{name} = {value}\n", f"\n{name} = 1\n")
    data = settings.make_folder(tmp_path / "work" / "data")
    (data / "cache").symlink_to(settings.make_folder(settings.cache()))  # what was drawn once
    for name in set(settings.FOLDERS) - {"KERAS_HOME"}:
        monkeypatch.delenv(name, raising=False)
    for name, value in colab.surroundings(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HAM10K_SOURCE", "synthetic")
    monkeypatch.setenv("COURSE_WORK_DIR", str(data.parent))
    pip = tmp_path / "modules" / "pip"
    pip.mkdir()
    (pip / "__main__.py").write_text("raise SystemExit('a package would be installed')")
    after = "import google.colab, google.protobuf, utils; print('from', utils.__file__)"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (cell, after)]
    )
    content = tmp_path / "content"
    content.mkdir()
    where = {"metadata": {"path": str(content)}}
    NotebookClient(notebook, kernel_name="python3", timeout=None, resources=where).execute()
    clone = content / REPOSITORY.split("/")[1]
    assert notebook.cells[1].outputs[0].text.strip() == f"from {clone / 'utils' / '__init__.py'}"
    shown = [o for o in notebook.cells[0].outputs if "image/png" in o.get("data", {})]
    assert len(shown) == 1  # the curves
    facts = json.loads((settings.results() / "melanoma_mobilenetv2.json").read_text())
    assert facts["source"] == "synthetic"


@pytest.mark.slow
def test_the_command_runs_each_lesson_alone_and_says_which_failed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lessons, "NOTEBOOKS", tmp_path / "course" / "notebooks")
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    monkeypatch.setattr(colab, "install", lambda folder, listed: Path(sys.executable))
    packages = iter(["before", "before", "after"])
    monkeypatch.setattr(colab, "_packages", lambda python: next(packages))
    lessons.NOTEBOOKS.mkdir(parents=True)
    (lessons.NOTEBOOKS.parent / "pyproject.toml").write_text(
        '[project]\nversion = "1"\n[tool.course]\nrepository = "someone/skin"\nbranch = "v1"\n'
        'lessons = ["one", "two", "three", "four"]\n'
    )
    for name, source in {
        "00_one": "import os, google.colab, google.protobuf; os.listdir('.')",
        "01_two": "raise ValueError('no')",
        "02_three": "'pip install'",
        "03_four": "'not wanted'",
    }.items():
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        nbformat.write(notebook, lessons.NOTEBOOKS / f"{name}.ipynb")
    assert colab.test_colab(["LESSONS=00-02"]) == 1
    table = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()[-4:]]
    assert [(row[0], row[2]) for row in table] == [
        ("lesson", "result"),
        ("00_one", "ran"),
        ("01_two", "ValueError: no"),
        ("02_three", "changed the installed packages"),
    ]
    (cell,) = nbformat.read(tmp_path / "runs" / "colab" / "00_one.ipynb", 4).cells
    assert cell.outputs[0].data["text/plain"] == "['00_one.ipynb']"


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script as a program")
def test_a_lesson_that_does_not_end_is_stopped_and_named(tmp_path, monkeypatch):
    """Also where its kernel, here the shell's ``sleep``, keeps the pipes open."""
    (tmp_path / "jupyter-execute").write_text("#!/bin/sh\nsleep 20\n")
    (tmp_path / "jupyter-execute").chmod(0o755)
    monkeypatch.setattr(colab, "MINUTES", 0.01)
    begun = time.monotonic()
    said = colab._execute(tmp_path / "python", tmp_path / "03_four.ipynb", dict(os.environ))
    assert said == "lesson 03_four did not end, twice within 0.01 minutes"
    assert time.monotonic() - begun < 15


def test_what_the_command_does_not_know_is_refused():
    with pytest.raises(Refused, match="LESSONS and PACKAGES only, not SOURCE"):
        colab.test_colab(["LESSONS=00", "SOURCE=folder"])


def test_without_python_313_a_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHON", str(tmp_path / "python3.13"))
    with pytest.raises(CourseError, match=r"Python 3\.13, .* PYTHON=/path/to/python3\.13"):
        colab.install(tmp_path / "venv")


def test_what_is_installed_is_installed_once_for_each_list(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setenv("PYTHON", sys.executable)
    monkeypatch.setattr(colab.subprocess, "call", lambda words, **_: calls.append(words))
    tmp_path.joinpath("bin").mkdir()
    assert colab.install(tmp_path) == tmp_path / "bin" / "python"
    *_, pip = calls
    assert "keras>=3.8" in pip and "nbclient>=0.10" in pip and "jupyterlab>=4.2" not in pip
    constraints = pip[pip.index("-c") + 1]
    assert colab.pins(constraints) == colab.pins(colab.VERSIONS)
    calls.clear()
    assert colab.install(tmp_path) and not calls
    today = tmp_path / "pip-freeze.gpu.txt"
    text = colab.VERSIONS.read_text(encoding="utf-8")
    today.write_text(text.replace("keras==3.13.2", "keras==3.14.0") + "x @ file:///x.whl\n")
    colab.install(tmp_path, today)
    assert calls and colab.pins(constraints)["keras"] == "3.14.0"
    assert "file:" not in constraints.read_text()


def test_a_list_of_colab_that_lacks_what_lessons_need_is_refused_in_one_sentence(tmp_path):
    today = tmp_path / "pip-freeze.gpu.txt"
    text = colab.VERSIONS.read_text(encoding="utf-8")
    today.write_text(
        text.replace("seaborn==", "seaborn @ file:///").replace("scikit-learn", "Sci_Kit.learn")
    )
    with pytest.raises(
        CourseError, match=r"^Colab moved: its list has no scikit-learn, seaborn, which"
    ):
        colab.install(tmp_path, today)
    (tmp_path / "empty.txt").write_text("404: Not Found")
    for name, what in (("no.txt", "cannot be read"), ("empty.txt", "no line NAME")):
        with pytest.raises(CourseError, match=what):
            colab.install(tmp_path, tmp_path / name)
