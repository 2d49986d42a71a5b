"""The lessons as Colab opens them: alone, in an empty folder, without the course."""

import json
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from course import lessons
from course.build.render import render
from course.errors import CourseError
from course.run import colab, environments
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


def test_without_python_313_a_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHON", str(tmp_path / "python3.13"))
    with pytest.raises(CourseError, match=r"no Python 3\.13 here: .* PYTHON=/path/to/python3\.13"):
        colab.install(tmp_path / "venv")


def test_what_is_installed_is_installed_once_for_each_list(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setenv("PYTHON", sys.executable)
    monkeypatch.setattr(environments.subprocess, "call", lambda words, **_: calls.append(words))
    monkeypatch.setattr(colab, "PYTHON", f"{sys.version_info.major}.{sys.version_info.minor}")
    place = settings.make_folder(tmp_path / "venv")
    assert colab.install(place) == place / "bin" / "python"
    *_, pip = calls
    assert "keras>=3.8" in pip and "nbclient>=0.10" in pip and "jupyterlab>=4.2" not in pip
    constraints = pip[pip.index("-c") + 1]
    assert colab.pins(constraints) == colab.pins(colab.VERSIONS)
    calls.clear()
    assert colab.install(place) and not calls
    today = tmp_path / "pip-freeze.gpu.txt"
    text = colab.VERSIONS.read_text(encoding="utf-8")
    today.write_text(text.replace("keras==3.13.2", "keras==3.14.0") + "x @ file:///x.whl\n")
    colab.install(place, today)
    assert colab.moved(today) == ["Colab moved: keras 3.13.2 -> 3.14.0"]
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
