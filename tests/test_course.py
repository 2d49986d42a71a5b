"""The course's commands, on throw-away lessons."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from utils import course

TOY = """# %% [markdown]
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](\
https://colab.research.google.com/github/{{ repository }}/blob/{{ branch }}/{{ notebook }})
#
# # A toy lesson
# {{ disclaimer }}

# %% tags=["parameters"]
SOURCE = "auto"
ALPHA = 0.35
SEED = 0
FAST = True

# %%
import json
import os
import sys
from pathlib import Path

print(Path.cwd().name, SOURCE, ALPHA, SEED, FAST, os.environ.get("HAM10K_SOURCE"))
if SEED == 9:
    raise ValueError("seed nine\\nis not good")

# %%
headline = {"name": "roc_auc", "value": 0.87, "low": 0.81, "high": 0.92}
result = {"headline": headline, "source": "synthetic", "python": sys.executable}
folder = Path(os.environ["COURSE_RESULTS_DIR"])
folder.mkdir(exist_ok=True)
_ = (folder / f"00_toy-seed{SEED}.json").write_text(json.dumps(result))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A course of two toy lessons, built once by its own commands."""
    root = tmp_path_factory.mktemp("course")
    (root / "notebooks" / "src").mkdir(parents=True)
    (root / "pyproject.toml").write_text(
        '[tool.course]\nrepository = "someone/skin"\nbranch = "main"\n'
    )
    two = TOY.replace("ALPHA", "BETA").replace("00_toy", "01_two")
    (root / "notebooks" / "src" / "00_toy.py").write_text(TOY)
    (root / "notebooks" / "src" / "01_two.py").write_text(two)
    with pytest.MonkeyPatch.context() as patch:
        _move_to(root, patch)
        for name in ("00_toy", "01_two"):
            assert "executed" in course.build(root / "notebooks" / "src" / f"{name}.py")
    return root


def _move_to(root, patch):
    patch.setattr(course, "ROOT", root)
    patch.setattr(course, "NOTEBOOKS", root / "notebooks")
    patch.setattr(course, "RUNS", root / "runs")


@pytest.fixture
def toy(built, tmp_path, monkeypatch):
    """A copy of it for one test."""
    root = tmp_path / "course"
    shutil.copytree(built, root)
    _move_to(root, monkeypatch)
    return root


def _mend(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# --- what can be given


@pytest.mark.parametrize(
    ("wanted", "stems"),
    [
        ("", ["00_toy", "01_two"]),
        ("00", ["00_toy"]),
        ("1", ["01_two"]),
        ("01,toy", ["00_toy", "01_two"]),
        ("01_two", ["01_two"]),
        ("00-03", ["00_toy", "01_two"]),
    ],
)
def test_lessons_are_chosen_by_number_range_and_name(toy, wanted, stems):
    assert [path.stem for path in course.choose_lessons(wanted)] == stems


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["LESSONS=07"], "no lesson is called '07'; there are 00_toy, 01_two"),
        (["LESSONS=00,qickstart"], "no lesson is called 'qickstart'"),
        (["ALHPA=1.0"], "the lessons have ALPHA, BETA, FAST, SEED, SOURCE. Did you mean ALPHA?"),
        (["LESSON=00"], "Did you mean LESSONS?"),
        (["LESSONS=00", "BETA=1"], "BETA is not a parameter: the lesson has ALPHA, FAST"),
        (["alpha=1.0"], "Did you mean ALPHA?"),
        (["SEED=1.5"], "SEED must be a whole number, such as 0"),
        (["ALPHA=wide"], "ALPHA must be a number, such as 0.35"),
        (["FAST=1"], "FAST must be true or false, such as True"),
        (["00"], "'00' is not of the form NAME=VALUE"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(toy, capsys, words, message):
    assert course.main(["run", *words]) == 2
    out, err = capsys.readouterr()
    assert message in err and err.count("\n") == 1 and out == ""
    assert not (toy / "runs").exists()


def test_a_lesson_gets_the_parameters_it_has_typed_as_their_defaults(toy):
    lessons = course.choose_lessons()
    given = course.plan(lessons, {"ALPHA": "1", "SEED": "3", "FAST": "false", "SOURCE": "5"})
    common = {"SEED": 3, "FAST": False, "SOURCE": "5"}
    assert given == {lessons[0]: {"ALPHA": 1.0, **common}, lessons[1]: common}
    assert isinstance(given[lessons[0]]["ALPHA"], float)


def test_folders_given_like_parameters_go_to_the_environment_as_absolute_paths(monkeypatch):
    monkeypatch.setenv("HAM10K_DIR", "")
    monkeypatch.setenv("KERAS_HOME", os.path.join("here", "keras"))
    assert course.split_settings(["SEED=1", "HAM10K_DIR=../a b"]) == {"SEED": "1"}
    assert os.environ["HAM10K_DIR"] == os.path.abspath("../a b")
    assert os.environ["KERAS_HOME"] == os.path.abspath("here/keras")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
def test_what_make_was_given_arrives_whole(tmp_path):
    makefile = (course.ROOT / "Makefile").read_text()
    given = next(line for line in makefile.splitlines() if line.startswith("GIVEN"))
    (tmp_path / "Makefile").write_text(f"{given}\nall:\n\t@printf %s $(GIVEN)\n")
    words = ['HAM10K_DIR=/x/archive  (1)\'s \\ "new"; &', "ALPHA=1.0", "PYTHON=/a b/python3"]
    own = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}  # not of `make test`
    made = subprocess.run(["make", *words], cwd=tmp_path, env=own, capture_output=True, text=True)
    assert sorted(course.split_make(made.stdout)) == sorted(words[:2]), made.stderr


# --- running


def test_run_executes_in_the_notebooks_folder_and_ends_with_a_table(toy, capfd):
    assert course.main(["run", "ALPHA=1.0", "SEED=4"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "[1/2] 00_toy ALPHA=1.0 SEED=4 ..."
    assert lines[1] == "notebooks auto 1.0 4 True None"
    assert lines[2] == "[2/2] 01_two SEED=4 ..."
    assert lines[3] == "notebooks auto 0.35 4 True None"
    row = next(line for line in lines[4:] if line.startswith("00_toy"))
    assert "roc_auc 0.87 [0.81, 0.92]  SYNTHETIC  " in row
    assert row.endswith(os.path.join("runs", "00_toy.ipynb"))
    assert sorted(p.name for p in (toy / "runs").iterdir()) == [
        "00_toy.ipynb",
        "01_two.ipynb",
        "results",
    ]


def test_only_results_of_this_run_are_shown(toy, capsys):
    assert course.main(["run", "LESSONS=00"]) == 0
    source = toy / "notebooks" / "src" / "00_toy.py"
    source.write_text(source.read_text().split("# %%\nheadline")[0])
    course.build(source)
    assert course.main(["run", "LESSONS=00"]) == 0
    row = capsys.readouterr().out.splitlines()[-3]
    assert row.startswith("00_toy") and "roc_auc" not in row


def test_a_lesson_that_fails_stops_the_run_and_is_kept(toy, capfd):
    for path in (toy / "notebooks").glob("*.ipynb"):
        _mend(path, "SEED == 9", "SEED == 9 and 'BETA' in globals()")
    assert course.main(["run", "SEED=9"]) == 1
    out, err = capfd.readouterr()
    failed = os.path.join("runs", "01_two.failed.ipynb")
    assert err == f"lesson 01_two stopped: ValueError: seed nine (see {failed})\n"
    assert "roc_auc" in next(line for line in out.splitlines() if line.startswith("00_toy"))
    assert not any(line.startswith("01_two") for line in out.splitlines())
    names = {p.name for p in (toy / "runs").iterdir()}
    assert names == {"00_toy.ipynb", "01_two.failed.ipynb", "results"}
    assert course.main(["run", "LESSONS=01", "SEED=1"]) == 0
    assert not (toy / failed).exists()


def test_the_kernel_is_this_python_whatever_else_is_registered(toy, tmp_path, monkeypatch):
    other = tmp_path / "jupyter" / "kernels" / "python3"
    other.mkdir(parents=True)
    spec = {"argv": ["no-such-python"], "display_name": "Python 3", "language": "python"}
    (other / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    assert course.main(["run", "LESSONS=00"]) == 0
    result = json.loads((toy / "runs" / "results" / "00_toy-seed0.json").read_text())
    assert os.path.samefile(result["python"], sys.executable)


# --- building


def test_an_unchanged_notebook_is_not_executed_and_another_address_keeps_its_outputs(toy):
    source, path = toy / "notebooks" / "src" / "00_toy.py", toy / "notebooks" / "00_toy.ipynb"
    before = path.read_bytes()
    assert course.build(source) == "is unchanged" and path.read_bytes() == before
    _mend(toy / "pyproject.toml", "someone/skin", "fork/skin")
    assert course.build(source) == "rendered anew"
    text = path.read_text()
    assert text.encode() == before.replace(b"someone/skin", b"fork/skin")
    assert "blob/main/notebooks/00_toy.ipynb" in text and course.DISCLAIMER in text


def test_a_changed_or_stripped_notebook_is_executed_again_without_gpu_on_synthetic_data(toy):
    source, path = toy / "notebooks" / "src" / "00_toy.py", toy / "notebooks" / "00_toy.ipynb"
    _mend(path, '"execution_count": 2', '"execution_count": null')
    assert "executed" in course.build(source)
    _mend(source, "FAST, os", 'FAST, repr(os.environ["CUDA_VISIBLE_DEVICES"]), os')
    assert "executed" in course.build(source)
    assert "notebooks auto 0.35 0 True '' synthetic" in path.read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("SEED == 9", "SEED == 0", "00_toy.py stopped: ValueError: seed nine"),
        ("Path.cwd().name", "Path.cwd()", "shows a path of this machine"),
        ("headline =", "print('UserWarning', file=sys.stderr)\nheadline =", "writes to stderr"),
        (
            "headline =",
            "print(('x' * 99 + chr(10)) * 10_000)\nheadline =",
            "1,000,000 are the limit",
        ),
        ("SEED = 0", "SEED = 0\nTWICE = 2 * SEED", "more than constants: TWICE = 2 * SEED"),
        ('tags=["parameters"]', 'tags=["parameter"]', "0 cells are tagged `parameters`"),
        ("{{ notebook }}", "notebooks/00_tox.ipynb", "badge must lead to"),
        ("{{ notebook }}", "{{ notebok }}", "nothing is known to put in place of {{ notebok }}"),
    ],
)
def test_a_notebook_with_a_problem_is_not_written(toy, old, new, message):
    source, path = toy / "notebooks" / "src" / "00_toy.py", toy / "notebooks" / "00_toy.ipynb"
    before = path.read_bytes()
    _mend(source, old, new)
    with pytest.raises(course.CourseError) as error:
        course.build(source)
    assert message in str(error.value)
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["00_toy.ipynb", "01_two.ipynb", "src"]


# --- the command itself


def test_help_and_refusals_come_without_the_slow_imports():
    code = (
        "import sys; from utils import course; course.main(['run', 'nonsense'])\n"
        "slow = {'tensorflow', 'numpy', 'papermill', 'jupytext', 'nbformat'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=course.ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_results_are_refused_without_the_folder_of_real_images(toy, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HAM10K_DIR", str(tmp_path / "nothing"))
    assert course.main(["results"]) == 1
    assert "real images only" in capsys.readouterr().err
    assert course.main(["results", "SEED=1"]) == 2
    assert not (toy / "runs").exists()


def test_the_readme_is_current(capsys):
    assert course.main(["readme", "--check"]) == 0, capsys.readouterr().err
