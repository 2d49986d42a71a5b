"""The committed notebooks: agree with their sources, hold clean outputs, and run."""

import ast
import contextlib
import functools
import io
import json
import os
import re
import shutil
import subprocess
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import nbformat
import papermill
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from course import cli, lessons
from course.build import check
from course.run import terminal
from course.run.terminal import environment
from utils import pretrained, settings

LESSONS = [lessons.notebook(name) for name in lessons.names()]
OPTIONAL = [lessons.notebook(name) for name in lessons.optional()]
ONE_CELL = lessons.notebook("one_cell")
SOURCES = sorted((lessons.NOTEBOOKS / "src").glob("[a-z]*.py"))
each_notebook = pytest.mark.parametrize("path", LESSONS + OPTIONAL, ids=lambda p: p.stem)
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)


@pytest.fixture(scope="module", autouse=True)
def rendered_once():
    """No source changes here, and several tests ask for what it renders to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "render", functools.cache(check.render))
        yield


def problems(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    return check.source_problems(notebook, path) + check.output_problems(notebook)


def test_every_source_has_its_notebook():
    assert sorted([*lessons.names(), *lessons.optional()]) == [p.stem for p in SOURCES]
    assert sorted(LESSONS + OPTIONAL) == sorted(lessons.NOTEBOOKS.glob("*.ipynb"))


def test_the_readme_lists_every_lesson_in_order():
    text = (settings.ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- \[(\d\d) · .+\]\(notebooks/(\w+)\.ipynb\)", text, re.MULTILINE)
    assert listed == [(p.stem[:2], p.stem) for p in LESSONS]


@each_notebook
def test_notebook_agrees_with_its_source_and_keeps_budget_and_style(path):
    source = lessons.NOTEBOOKS / "src" / f"{lessons.name_of(path)}.py"
    assert problems(path) + check.lesson_problems(source)[1] == []
    cells = nbformat.read(path, 4).cells
    printed = [o.text for c in cells for o in c.get("outputs", []) if o.get("name") == "stdout"]
    # JupyterLab breaks longer lines, inside a word.
    assert [line for text in printed for line in text.splitlines() if len(line) > 90] == []


@each_lesson
def test_papermill_knows_the_same_parameters_as_the_course_and_each_is_used(path):
    known = lessons.parameters(path)
    assert set(papermill.inspect_notebook(path)) == set(known)
    code = "\n".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == "code")
    assert {name for name in known if len(re.findall(rf"\b{name}\b", code)) < 2} == set()


def tagged(cells):
    return next(c for c in cells if "parameters" in c["metadata"].get("tags", ()))


def first(cells):
    return next(c for c in cells if "outputs" in c)


def says(text, name="stdout"):
    output = {"output_type": "stream", "name": name, "text": text}
    return lambda cells: first(cells)["outputs"].append(output)


def raises(cells):
    error = {"output_type": "error", "ename": "KeyError", "evalue": "'dx'", "traceback": []}
    first(cells)["outputs"].append(error)


def strip(cells):
    for cell in cells:
        if "outputs" in cell:
            cell.update(outputs=[], execution_count=None)


def mislead(cells):
    cells[0]["source"] = "".join(cells[0]["source"]).replace(".ipynb", "s.ipynb")


MUTATIONS = {
    "mistyped parameter": (lambda cells: tagged(cells).update(source="SOUCRE=''"), "not agree"),
    "changed code": (lambda cells: cells[-1].update(source="1 + 1"), "does not agree"),
    "lost tag": (lambda cells: tagged(cells)["metadata"].clear(), "0 cells are tagged"),
    "lost cell": (lambda cells: cells.pop(), "does not agree"),
    "wrong badge": (mislead, "Colab badge must lead to"),
    "stripped outputs": (strip, "not all executed"),
    "one cell run twice": (lambda cells: first(cells).update(execution_count=99), "not all exec"),
    "raising cell": (raises, "raises KeyError: 'dx'"),
    "warning": (says("FutureWarning: soon", "stderr"), "writes to stderr"),
    "path of a machine": (
        says("/".join(["in ", "home", "ada", "x.png"])),
        "a path of this machine",
    ),
    "too big": (says("x" * check.MAX_BYTES), "are the limit"),
}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder of notebooks with nothing but the sources."""
    return shutil.copytree(SOURCES[0].parent, tmp_path_factory.mktemp("notebooks") / "src").parent


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_damaged_copy_is_found_out(elsewhere, mutation):
    """The checks above are worth something: each kind of damage makes them fail."""
    copy = elsewhere / LESSONS[0].name
    change, message = MUTATIONS[mutation]
    content = json.loads(LESSONS[0].read_text(encoding="utf-8"))
    change(content["cells"])
    copy.write_text(json.dumps(content), encoding="utf-8")
    assert message in "; ".join(problems(copy))


SECONDS = 480  # for a lesson, which takes about one minute


def nbval(notebook, scratch):
    """Run nbval on a notebook or a folder of them. Returns exit code and output."""
    folder = notebook if notebook.is_dir() else notebook.parent
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "nbval.plugin"]
    own = {"HAM10K_SOURCE": "synthetic", "COURSE_RESULTS_DIR": str(scratch)}
    # Other plugins take seconds to import and have nothing to do here.
    command += ["-p", "no:cacheprovider", f"--rootdir={folder}", "-c", os.devnull, notebook]
    for tried in (1, 2):
        with environment(**own, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"):
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
                return done.returncode, done.stdout[-5000:] + done.stderr[-2000:]
            except subprocess.TimeoutExpired:
                # Under load a message between kernel and client was seen to be lost: both wait.
                assert tried == 1, f"{notebook} did not end within {SECONDS} s, twice"
    return None


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [p for p in LESSONS + OPTIONAL if p != ONE_CELL], ids=lambda p: p.stem
)
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
    "COST_OF_MISS": 2.0,
    "N_SPLITS": 20,
}


def has_weights(alpha):
    """Whether ImageNet's weights of a width are in Keras's cache; tests have no network."""
    try:
        pretrained.mobilenet_v2(alpha)
    except ConnectionError:
        return False
    return True


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """One for all lessons and without a kernel, so that TensorFlow is imported once."""
    own = {"COURSE_RESULTS_DIR": str(tmp_path_factory.mktemp("results"))}
    own["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    with environment(**own), ProcessPoolExecutor(1, get_context("spawn")) as pool:
        yield pool


def run_cells(cells):
    """Run cells one after the other. Returns what went wrong, and what they wrote to stderr."""
    import matplotlib.pyplot as plt

    from utils.quiet import keras

    plt.close("all")
    keras.backend.clear_session()
    os.chdir(lessons.NOTEBOOKS)
    wrong, names, said = None, {"__name__": "__main__", "display": print}, io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            for cell in cells:  # "single" shows what stands alone, as a notebook does
                body = ast.Interactive(ast.parse(cell).body)
                exec(compile(body, "cell", "single"), names)
        except Exception:
            wrong = f"{traceback.format_exc()}\nin the cell\n{cell}"
    return wrong, said.getvalue()


GIVEN = {path: OTHER.keys() & lessons.parameters(path).keys() for path in LESSONS}
# Lesson 14 trains nothing: all that it could be given is the SOURCE that nbval gives it.
TRAINS = [path for path in LESSONS if GIVEN[path] > {"SOURCE"}]


@pytest.mark.slow
@pytest.mark.parametrize("path", TRAINS, ids=lambda p: p.stem)
def test_lesson_runs_with_other_parameters(path, process):
    """nbval and `course run` try the kernel; this, whether the cells take other values."""
    given = {name: OTHER[name] for name in GIVEN[path]}
    if not has_weights(OTHER["ALPHA"]):  # of the default width the course's own serve
        given.pop("ALPHA", None)
    notebook = parameterize_notebook(load_notebook_node(str(path)), given)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert process.submit(run_cells, code).result() == (None, "")
    measures = any("results.keep(" in cell or "results.record(" in cell for cell in code)
    used = lessons.parameters(path) | given
    found = terminal.headline([*terminal.results_of(path)], used)
    expected = "SYNTHETIC" if measures else "-"  # some lessons measure nothing of their own
    assert found[1] == expected, "its record is not there, or has other parameters"


@pytest.mark.slow
def test_the_whole_project_runs_in_one_cell(process):
    """Its lesson is tried as all are; this, whether the cells stand alone. One epoch is enough."""
    (cell,) = [c.source for c in nbformat.read(ONE_CELL, 4).cells if c.cell_type == "code"]
    short = re.sub(r"^(SOURCE|\w*EPOCHS) = .*$", r"\1 = OTHER['\1']", cell, flags=re.MULTILINE)
    assert short.count("OTHER[") == 3
    assert process.submit(run_cells, [f"OTHER = {OTHER}", short]).result() == (None, "")


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("HAM10K_DIR"), reason="needs the real images")
def test_a_lesson_runs_on_real_images(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(settings, "runs", lambda: tmp_path)
    monkeypatch.delenv("COURSE_RESULTS_DIR", raising=False)
    short = ["EPOCHS=1", "FINE_TUNE_EPOCHS=1"]
    assert cli.main(["run", "LESSONS=00", "SOURCE=folder", "SIZE=96", *short]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "folder" in lines[-3] and "SYNTHETIC" not in lines[-3]


def test_other_parameters_are_parameters():
    known = [set(lessons.parameters(nbformat.read(path, 4))) for path in LESSONS]
    assert set(OTHER) <= set.union(*known)
