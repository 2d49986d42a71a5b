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

from course import cli, lessons
from course.build import check
from course.run.terminal import environment
from utils import pretrained, settings

LESSONS = sorted(lessons.NOTEBOOKS.glob("*.ipynb"))
SOURCES = sorted((lessons.NOTEBOOKS / "src").glob("[a-z]*.py"))
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)


def problems(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    return check.source_problems(notebook, path) + check.output_problems(notebook)


def test_every_source_has_its_notebook():
    assert sorted(lessons.names()) == [p.stem for p in SOURCES]
    assert [lessons.notebook(name) for name in lessons.names()] == LESSONS


def test_the_readme_lists_every_lesson_in_order():
    text = (settings.ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\d\d)\]\(notebooks/(\w+)\.ipynb\) \|", text, re.MULTILINE)
    assert listed == [(p.stem[:2], p.stem) for p in LESSONS]


@each_lesson
def test_notebook_agrees_with_its_source_and_its_outputs_are_clean(path):
    assert problems(path) == []


@each_lesson
def test_printed_lines_are_short(path):
    """JupyterLab breaks longer ones, inside a word."""
    cells = nbformat.read(path, 4).cells
    printed = [o.text for c in cells for o in c.get("outputs", []) if o.get("name") == "stdout"]
    assert [line for text in printed for line in text.splitlines() if len(line) > 90] == []


@each_lesson
def test_papermill_knows_the_same_parameters_as_the_course(path):
    known = lessons.parameters(nbformat.read(path, 4))
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
        lambda cells: next(c for c in cells if "parameters" in c["metadata"].get("tags", ()))[
            "metadata"
        ].clear(),
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
            {"output_type": "stream", "name": "stdout", "text": "x" * check.MAX_BYTES}
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


def nbval(notebook, scratch):
    """Run nbval on a notebook or a folder of them. Returns exit code and output."""
    folder = notebook if notebook.is_dir() else notebook.parent
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider"]
    with environment(HAM10K_SOURCE="synthetic", COURSE_RESULTS_DIR=str(scratch)):
        done = subprocess.run(
            [*command, f"--rootdir={folder}", "-c", os.devnull, str(notebook)],
            capture_output=True,
            text=True,
        )
    return done.returncode, done.stdout[-5000:] + done.stderr[-2000:]


@pytest.mark.slow
@each_lesson
def test_nbval_finds_the_committed_notebook_good(path, tmp_path):
    code, said = nbval(path, tmp_path)
    assert code == 0, said


@pytest.mark.slow
def test_nbval_finds_damage(tmp_path):
    """And only damage: warnings are not compared, and what one cell prints may not change."""
    shutil.copy(lessons.NOTEBOOKS / "conftest.py", tmp_path)
    output = nbformat.v4.new_output("stream", name="stdout", text="1\n")
    noise = nbformat.v4.new_output("stream", name="stderr", text="12 % done\n")
    for name, changed in {
        "unchanged": {},
        "another_number": {"source": "print(2)"},
        "raises": {"source": "print(1)\nraise ValueError"},
        "not_executed": {"execution_count": None},
    }.items():
        cell = nbformat.v4.new_code_cell(
            "print(1)",
            execution_count=1,
            outputs=[output, noise],
            metadata={"tags": ["nbval-check-output"]},
        )
        cell.update(changed)
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    _, said = nbval(tmp_path, tmp_path)
    failed = set(re.findall(r"^FAILED .*?(\w+)\.ipynb", said, re.MULTILINE))
    assert failed == {"another_number", "raises", "not_executed"} and "1 passed" in said, said


# Everything that a lesson can be given, as unlike its defaults and as small as possible.
OTHER = {
    "SOURCE": "synthetic",
    "SEED": 1,
    "ALPHA": 1.0,
    "INPUT": 64,
    "EPOCHS": 2,
    "FINE_TUNE_EPOCHS": 1,
    "SEEDS": 2,
    "SHARE": 0.1,
    "RANDOM_NETWORKS": 1,
    "COST_OF_MISS": 2.0,
}


def has_weights(alpha):
    """Whether ImageNet's weights of a width are in Keras's cache; tests have no network."""
    try:
        pretrained.mobilenet_v2(alpha)
    except ConnectionError:
        return False
    return True


@pytest.mark.slow
@each_lesson
def test_lesson_runs_with_other_parameters(path, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(settings, "runs", lambda: tmp_path)
    monkeypatch.delenv("COURSE_RESULTS_DIR", raising=False)
    known = lessons.parameters(nbformat.read(path, 4))
    if not has_weights(OTHER["ALPHA"]):  # of the default width the course's own serve
        known.pop("ALPHA", None)
    given = [f"{name}={value}" for name, value in OTHER.items() if name in known]
    code = cli.main(["run", f"LESSONS={path.stem}", *given])
    out, err = capfd.readouterr()
    assert code == 0, err
    assert "unknown parameter" not in (out + err).lower()
    assert "SYNTHETIC" in out.splitlines()[-3]
    assert (tmp_path / path.name).exists()
    done = nbformat.read(tmp_path / path.name, 4)
    noise = [o.text for c in done.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]
    assert noise == []


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("HAM10K_DIR"), reason="needs the real images")
def test_a_lesson_runs_on_real_images(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(settings, "runs", lambda: tmp_path)
    monkeypatch.delenv("COURSE_RESULTS_DIR", raising=False)
    assert cli.main(["run", "LESSONS=01", "SOURCE=folder", "SIZE=96"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "folder" in lines[-3] and "SYNTHETIC" not in lines[-3]


def test_other_parameters_are_parameters():
    known = [set(lessons.parameters(nbformat.read(path, 4))) for path in LESSONS]
    assert set(OTHER) <= set.union(*known)
