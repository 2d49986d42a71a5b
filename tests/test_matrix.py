"""The lessons in other environments: what is run, what is kept, and what the page says of it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from course import lessons
from course.build import proof
from course.build.render import render, render_file
from course.errors import CourseError, Refused
from course.run import chromium, colab, environments, matrix
from utils import settings

RELEASE = lessons.release()
GIVEN = nbformat.v4.new_code_cell("EPOCHS = 20\nSEED = 7", metadata={"tags": ["parameters"]})


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of four lessons of one line and no environment but this one."""
    monkeypatch.setattr(lessons, "NOTEBOOKS", tmp_path / "course" / "notebooks")
    monkeypatch.setattr(matrix, "RECORDS", tmp_path / "course" / "docs" / "matrix")
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    monkeypatch.setattr(colab, "install", lambda folder, listed: Path(sys.executable))
    monkeypatch.setattr(environments, "install", lambda *words: Path(sys.executable))
    lessons.NOTEBOOKS.mkdir(parents=True)
    (lessons.NOTEBOOKS.parent / "pyproject.toml").write_text(
        '[project]\nversion = "1"\n[tool.course]\nrepository = "someone/skin"\nbranch = "v1"\n'
        'lessons = ["one", "two", "three", "four"]\n'
    )
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}

    def write(name, source):
        cells = [GIVEN, nbformat.v4.new_code_cell(source)]
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, lessons.NOTEBOOKS / f"{name}.ipynb")

    write("00_one", "import os, google.colab, google.protobuf; (os.listdir('.'), EPOCHS, SEED)")
    write("01_two", "raise ValueError('no')")
    write("02_three", "'pip install'")
    write("03_four", "'not wanted'")
    return write


def outcomes(name):
    record = json.loads((matrix.RECORDS / f"{name}.json").read_text())
    return {lesson: one["result"] for lesson, one in record["lessons"].items()}


@pytest.mark.slow
def test_each_lesson_runs_alone_and_its_outcome_is_kept(course, tmp_path, monkeypatch, capsys):
    packages = iter(["before", "before", "before", "before", "after"])
    monkeypatch.setattr(matrix, "_packages", lambda python: next(packages))
    assert matrix.test_matrix(["ROWS=colab", "LESSONS=00-02"]) == 1
    assert outcomes("colab") == {
        "one": "ran",
        "two": "ValueError: no",
        "three": "changed the installed packages",
    }
    assert "02_three" in capsys.readouterr().out
    notebook = nbformat.read(tmp_path / "runs" / "matrix" / "colab" / "00_one.ipynb", 4)
    assert notebook.cells[-1].outputs[0].data["text/plain"] == "(['00_one.ipynb'], 2, 7)"
    one = matrix.read("colab")["lessons"]["one"]
    assert one["date"] == matrix.today() and one["python"].startswith("3.")

    # The next time those run that did not pass, and those whose code changed.
    course("00_one", "import google.colab; 'another'")
    course("01_two", "'right now'")
    monkeypatch.setattr(matrix, "_packages", lambda python: "as before")
    assert matrix.test_matrix(["ROWS=colab"]) == 0
    assert "colab: 4 lessons to run" in capsys.readouterr().out
    assert set(outcomes("colab").values()) == {"ran"} and len(outcomes("colab")) == 4
    assert matrix.test_matrix(["ROWS=colab"]) == 0
    assert "colab: 0 lessons to run" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["offline", "kaggle"])
def test_without_network_there_is_none_and_kaggles_input_cannot_be_written(course, tmp_path, name):
    try:
        matrix._without_network()
    except CourseError as error:
        pytest.skip(str(error))
    setup = (settings.ROOT / "notebooks" / "src" / "_setup.py").read_text(encoding="utf-8")
    names = {"repository": "someone/skin", "branch": "main", "release": RELEASE}
    course(
        "00_one",
        render(setup, **names) + "\nimport os, shutil, socket, sys\n"
        "try:\n    socket.create_connection(('192.0.2.1', 80), 5)\n"
        "except OSError as error:\n    print(error.strerror)\n"
        "if 'the-course' in sys.path[0]:\n"
        "    try:\n        open(sys.path[0] + '/x', 'w')\n"
        "    except OSError as error:\n        print(error.strerror, shutil.which('git'))\n"
        "print(os.environ.get('HAM10K_SOURCE'), os.listdir(os.environ['COURSE_WORK_DIR']))",
    )
    assert matrix.test_matrix([f"ROWS={name}", "LESSONS=00"]) == 0
    (cell,) = nbformat.read(tmp_path / "runs" / "matrix" / name / "00_one.ipynb", 4).cells[-1:]
    network, *kaggle, source = cell.outputs[0].text.splitlines()
    assert network == "Network is unreachable" and source.startswith("None ['")
    assert kaggle == ["Read-only file system None"] * (name == "kaggle")


@pytest.mark.slow
@pytest.mark.skipif(not chromium.BROWSER, reason="there is no Chromium: JupyterLab was not tried")
def test_in_jupyterlab_all_cells_run_and_an_error_is_told(course, tmp_path):
    course("00_one", "import time; time.sleep(2); print('slow')")
    assert matrix.test_matrix(["ROWS=jupyterlab", "LESSONS=00,01"]) == 1
    assert outcomes("jupyterlab") == {"one": "ran", "two": "ValueError: no"}
    notebook = nbformat.read(tmp_path / "runs" / "matrix" / "jupyterlab" / "00_one.ipynb", 4)
    assert notebook.cells[-1].outputs[0].text == "slow\n"


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script as a program")
def test_a_lesson_that_does_not_end_is_stopped_and_named(tmp_path, monkeypatch):
    """Also where its kernel, here the shell's ``sleep``, keeps the pipes open."""
    (tmp_path / "jupyter-execute").write_text("#!/bin/sh\nsleep 20\n")
    (tmp_path / "jupyter-execute").chmod(0o755)
    monkeypatch.setattr(matrix, "MINUTES", 0.01)
    monkeypatch.setattr(matrix, "_packages", lambda python: "as before")
    begun = time.monotonic()
    command = [tmp_path / "jupyter-execute"]
    said = matrix._execute(command, tmp_path / "03_four.ipynb", dict(os.environ))
    assert said == "lesson 03_four did not end, twice within 0.01 minutes"
    assert time.monotonic() - begun < 15


def test_what_the_command_does_not_know_is_refused():
    with pytest.raises(Refused, match="takes ROWS, LESSONS and PACKAGES, not SOURCE"):
        matrix.test_matrix(["LESSONS=00", "SOURCE=folder"])
    with pytest.raises(Refused, match=r"there is no python2; there are python3\.11, "):
        matrix.test_matrix(["ROWS=colab,python2"])


def test_a_row_without_its_interpreter_says_so_and_the_others_run(course, monkeypatch, capsys):
    def install(*words):
        raise CourseError("There is no Python 3.12 here: install it.")

    done = []
    monkeypatch.setattr(environments, "install", install)
    run_row = matrix._run_row
    monkeypatch.setattr(
        matrix,
        "_run_row",
        lambda name, *rest: done.append(name) or name == "colab" or run_row(name, *rest),
    )
    assert matrix.test_matrix(["ROWS=python3.12,colab"]) == 1
    assert done == ["python3.12", "colab"]
    assert capsys.readouterr().err == "There is no Python 3.12 here: install it.\n"
    why = matrix.read("python3.12")["why"]
    assert why == f"{matrix.today()}: There is no Python 3.12 here: install it."
    assert why in page()


def page():
    return render_file("proof.md", matrix=matrix.table(), faults=[])


def test_the_page_tells_passed_from_failed_and_changed_from_not_run(course):
    def one(lesson, result, date):
        code = matrix.code_of(lessons.notebook(lesson))
        rest = {"seconds": 20, "python": "3.12.1", "tensorflow": "2.21.0", "keras": "3.15.1"}
        return {"result": result, "date": date, "code": code} | rest

    found = {"one": one("one", "ran", "2026-11-02"), "two": one("two", "KeyError: 1", "2026-10-01")}
    found["three"] = one("three", "ran", "2026-01-01") | {"code": "another"}
    settings.make_folder(matrix.RECORDS)
    settings.write_json(matrix.RECORDS / "offline.json", {"lessons": found})
    text = page()
    row = next(line for line in text.splitlines() if line.startswith("| `offline` "))
    cells = " | 4 | 1 | **1** | 2 | 40 | 2026-10-01 | 3.12.1 | 2.21.0 | 3.15.1 |"
    assert row.endswith(cells)
    assert "- **`offline`, lesson 01 failed:** KeyError: 1\n" in text
    assert "- `offline`, not run: 02, 03.\n" in text
    row = next(line for line in text.splitlines() if line.startswith("| `colab` "))
    assert row.endswith("| 4 | not run | not run | 4 | - | - | - | - | - |")


def test_the_oldest_packages_are_those_that_pyproject_allows():
    pins = colab.pins(matrix.OLDEST)
    extras = lessons.pyproject()["project"]["optional-dependencies"]
    for requirement in map(Requirement, (r for e in ("learn", "serve", "lab") for r in extras[e])):
        (bound,) = requirement.specifier
        version = pins[canonicalize_name(requirement.name)]
        assert bound.operator == ">=" and version.startswith(bound.version), requirement.name
    head = matrix.OLDEST.read_text(encoding="utf-8").splitlines()[1]
    assert "--resolution lowest-direct --python-version 3.11 --extra learn" in head


def test_a_fault_names_tests_that_are_there(monkeypatch):
    assert len(proof.faults()) == len(proof.FAULTS)
    monkeypatch.setattr(proof, "FAULTS", [("a", "b", "c", ["faults::test_nothing"])])
    with pytest.raises(CourseError, match=r"names the test test_nothing: test_faults\.py has none"):
        proof.faults()


def test_a_python_is_taken_from_where_it_is_said_to_be(tmp_path, monkeypatch):
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    monkeypatch.setenv("PYTHON", sys.executable)
    assert environments.interpreter(own) == sys.executable
    with pytest.raises(CourseError, match=r"no Python 2\.7 here: .* PYTHON=/path/to/python2\.7"):
        environments.interpreter("2.7")


def test_an_environment_that_cannot_be_made_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "interpreter", lambda version: sys.executable)
    monkeypatch.setattr(subprocess, "call", lambda words, **_: 1)
    with pytest.raises(CourseError, match=r"^not today$"):
        environments.install(tmp_path / "venv", "3.11", [], "", "not today")
    assert not (tmp_path / "venv" / "installed").exists()
