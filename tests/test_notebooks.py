"""The committed notebooks: agree with their sources, hold clean outputs, and run."""

import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import papermill
import pytest

from utils import course

LESSONS = sorted(course.NOTEBOOKS.glob("*.ipynb"))
SOURCES = sorted((course.NOTEBOOKS / "src").glob("[0-9]*.py"))
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)


def problems(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    return course.source_problems(notebook, path) + course.output_problems(notebook)


def test_every_source_has_its_notebook():
    assert SOURCES and [p.stem for p in LESSONS] == [p.stem for p in SOURCES]


def test_the_readme_lists_every_lesson_in_order():
    text = (course.ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\d\d)\]\(notebooks/(\w+)\.ipynb\) \|", text, re.MULTILINE)
    assert listed == [(p.stem[:2], p.stem) for p in LESSONS]


@each_lesson
def test_notebook_agrees_with_its_source_and_its_outputs_are_clean(path):
    assert problems(path) == []


@each_lesson
def test_papermill_knows_the_same_parameters_as_the_course(path):
    known = course.parameters(nbformat.read(path, 4))
    assert set(papermill.inspect_notebook(path)) == set(known)


def _change(cells, **values):
    cells[-1].update(values)


MUTATIONS = {
    "mistyped parameter": (
        lambda cells: next(c for c in cells if "tags" in c["metadata"]).update(source="SOUCRE=''"),
        "does not agree",
    ),
    "changed code": (lambda cells: _change(cells, source="1 + 1"), "does not agree"),
    "lost tag": (
        lambda cells: next(c for c in cells if "tags" in c["metadata"])["metadata"].clear(),
        "0 cells are tagged `parameters`",
    ),
    "lost cell": (lambda cells: cells.pop(), "does not agree"),
    "wrong badge": (
        lambda cells: cells[0].update(
            source="".join(cells[0]["source"]).replace(".ipynb", "s.ipynb")
        ),
        "Colab badge must lead to",
    ),
    "stripped outputs": (
        lambda cells: [c.update(outputs=[], execution_count=None) for c in cells if "outputs" in c],
        "not all executed",
    ),
    "one cell run twice": (
        lambda cells: next(c for c in cells if "outputs" in c).update(execution_count=99),
        "not all executed",
    ),
    "raising cell": (
        lambda cells: next(c for c in cells if "outputs" in c)["outputs"].append(
            {"output_type": "error", "ename": "KeyError", "evalue": "'dx'", "traceback": []}
        ),
        "raises KeyError: 'dx'",
    ),
    "warning": (
        lambda cells: next(c for c in cells if "outputs" in c)["outputs"].append(
            {"output_type": "stream", "name": "stderr", "text": "FutureWarning: soon"}
        ),
        "writes to stderr",
    ),
    "path of a machine": (
        lambda cells: next(c for c in cells if "outputs" in c)["outputs"].append(
            {
                "output_type": "stream",
                "name": "stdout",
                "text": "/".join(["saved in ", "home", "ada", "x.png"]),
            }
        ),
        "shows a path of this machine",
    ),
    "too big": (
        lambda cells: next(c for c in cells if "outputs" in c)["outputs"].append(
            {"output_type": "stream", "name": "stdout", "text": "x" * course.MAX_BYTES}
        ),
        "are the limit",
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_damaged_copy_is_found_out(tmp_path, mutation):
    """The checks above are worth something: each kind of damage makes them fail."""
    shutil.copytree(SOURCES[0].parent, tmp_path / "src")
    copy = tmp_path / LESSONS[0].name
    change, message = MUTATIONS[mutation]
    content = json.loads(LESSONS[0].read_text(encoding="utf-8"))
    change(content["cells"])
    copy.write_text(json.dumps(content), encoding="utf-8")
    assert message in "; ".join(problems(copy))


def _nbval(folder, scratch):
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider"]
    with course.environment(HAM10K_SOURCE="synthetic", COURSE_RESULTS_DIR=str(scratch)):
        return subprocess.run(
            [*command, f"--rootdir={folder}", "-c", os.devnull, str(folder)],
            capture_output=True,
            text=True,
        )


@pytest.mark.slow
def test_nbval_finds_the_committed_notebooks_good(tmp_path):
    done = _nbval(course.NOTEBOOKS, tmp_path)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "good"),
    [
        ({}, True),
        ({"source": "print(2)"}, False),
        ({"source": "print(1)\nraise ValueError"}, False),
        ({"execution_count": None}, False),
    ],
    ids=["unchanged", "another number", "raises", "not executed"],
)
def test_nbval_finds_damage(tmp_path, changed, good):
    shutil.copy(course.NOTEBOOKS / "conftest.py", tmp_path)
    output = nbformat.v4.new_output("stream", name="stdout", text="1\n")
    noise = nbformat.v4.new_output("stream", name="stderr", text="12 % done\n")
    cell = nbformat.v4.new_code_cell(
        "print(1)",
        execution_count=1,
        outputs=[output, noise],
        metadata={"tags": ["nbval-check-output"]},
    )
    cell.update(changed)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "toy.ipynb")
    done = _nbval(tmp_path, tmp_path)
    assert (done.returncode == 0) == good, done.stdout


# Everything that a lesson can be given, as unlike its defaults and as small as possible.
OTHER = {
    "SOURCE": "synthetic",
    "SEED": 1,
    "ALPHA": 1.0,
    "EPOCHS": 3,
    "FINE_TUNE_EPOCHS": 2,
    "SEEDS": 1,
    "IMAGES": 800,
    "TREES": 50,
    "TEST_IMAGES": 400,
    "CONFIGURATIONS": "0.35@96",
    "RANDOM_SEEDS": 1,
    "FULL_EPOCHS": 1,
    "SIZES": "28",
    "PICTURES": "600",
    "MEMBERS": "ResNet50V2@96",
    "ALL_GPUS": True,
}


@pytest.mark.slow
@each_lesson
def test_lesson_runs_with_other_parameters(path, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(course, "RUNS", tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    known = course.parameters(nbformat.read(path, 4))
    given = [f"{name}={value}" for name, value in OTHER.items() if name in known]
    code = course.main(["run", f"LESSONS={path.stem}", *given])
    out, err = capfd.readouterr()
    assert code == 0, err
    assert "unknown parameter" not in (out + err).lower()
    assert "SYNTHETIC" in out.splitlines()[-3]
    assert (tmp_path / path.name).exists()
    done = nbformat.read(tmp_path / path.name, 4)
    noise = [o.text for c in done.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]
    noise = [text for text in noise if text.strip() and "drawing" not in text]
    assert noise == []  # a progress bar is no warning


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("HAM10K_DIR"), reason="needs the real images")
def test_a_lesson_runs_on_real_images(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(course, "RUNS", tmp_path)
    assert course.main(["run", "LESSONS=01", "SOURCE=folder", "SIZE=96"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "folder" in lines[-3] and "SYNTHETIC" not in lines[-3]


def test_other_parameters_are_parameters():
    known = [set(course.parameters(nbformat.read(path, 4))) for path in LESSONS]
    assert set(OTHER) <= set.union(*known)
