"""The first cell of every lesson: it finds the course, or fetches it."""

import os
import subprocess
import sys

import pytest

from course import lessons
from course.build.render import render

pytestmark = pytest.mark.skipif(os.name == "nt", reason="its git is a script with a #! line")
SETUP = (lessons.NOTEBOOKS / "src" / "_setup.py").read_text(encoding="utf-8")


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """``begin(folder)`` runs the cell there and prints where the course is; with other code
    before and after it.

    ``pip`` and ``git`` write down what they were asked for, and fail.
    """
    (tmp_path / "bin").mkdir()
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    note = f"import sys; open({str(tmp_path / 'asked.txt')!r}, 'a').write(' '.join(sys.argv[1:]))\n"
    (tmp_path / "pip" / "__main__.py").write_text(note + "sys.exit(1)")
    git = tmp_path / "bin" / "git"
    git.write_text(f"#!{sys.executable}\n{note}sys.exit(1)")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(git.parent))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    cell = render(SETUP, repository="someone/skin", branch="main", release="v1.2")
    cell = cell.replace("/kaggle/", f"{tmp_path}/kaggle/")

    def run(folder, first="", last=""):
        code = f"cell = {cell!r}\n{first}exec(cell)\nprint(course){last}"
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True
        )
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1]

    return run


@pytest.fixture
def without(tmp_path):
    """``without(*names)``: Python does not find these packages."""
    code = "import importlib.util as u\nfind = u.find_spec\n"
    code += "u.find_spec = lambda name, *rest: None if name in {} else find(name, *rest)\n"
    return lambda *names: (tmp_path / "sitecustomize.py").write_text(code.format(names))


def course_in(folder):
    (folder / "utils").mkdir(parents=True)
    (folder / "notebooks" / "src").mkdir(parents=True)
    (folder / "notebooks" / "src" / "_setup.py").touch()
    (folder / "pyproject.toml").write_text('[project]\nversion = "1.2"\n')
    return folder


@pytest.mark.parametrize("where", [".", "notebooks", "notebooks/mine/deep", "my_notebooks"])
def test_the_course_is_found_in_every_parent_folder(begin, tmp_path, where):
    course = course_in(tmp_path / "course")
    assert begin(course / where) == str(course)


def test_a_clone_in_the_folder_and_the_course_on_pythons_path_are_found(
    begin, tmp_path, monkeypatch
):
    clone = course_in(tmp_path / "a" / "skin")
    assert begin(tmp_path / "a") == str(clone)
    elsewhere = course_in(tmp_path / "elsewhere")
    monkeypatch.setenv("PYTHONPATH", str(elsewhere))
    assert begin(tmp_path / "b") == str(elsewhere)


@pytest.mark.parametrize("place", ["the-course", "datasets/someone/the-course/skin-main"])
def test_in_kaggle_an_input_is_found_and_what_is_written_goes_elsewhere(
    begin, tmp_path, monkeypatch, place
):
    monkeypatch.delenv("COURSE_WORK_DIR", raising=False)
    course, work = course_in(tmp_path / "kaggle" / "input" / place), tmp_path / "kaggle" / "working"
    (work.parent / "input" / "a").mkdir()  # another data set
    last = "; print(os.environ.get('COURSE_WORK_DIR'))"
    assert begin(work, last=last).splitlines() == [str(course), str(work)]
    clone = course_in(work / "skin")  # where there was network
    assert begin(work, last=last).splitlines() == [str(clone), "None"]


def test_what_the_badge_names_is_fetched_and_without_network_a_sentence_says_so(begin, tmp_path):
    said = begin(tmp_path / "content")
    clone = tmp_path / "content" / "skin"
    asked = (tmp_path / "asked.txt").read_text()
    assert asked.endswith(f"--branch=v1.2 https://github.com/someone/skin {clone}")
    assert said.endswith(f"/skin could not be fetched into {clone}: is there network?")


def test_without_git_a_sentence_says_what_to_do(begin, tmp_path):
    (tmp_path / "bin" / "git").unlink()
    said = begin(tmp_path / "content")
    assert said.endswith(
        "git is missing: install it, or work in a copy of https://github.com/someone/skin."
    )


def test_only_what_is_missing_is_installed_or_a_sentence_says_so(begin, without, tmp_path):
    without("kagglehub")
    said = begin(tmp_path / "content")
    assert (tmp_path / "asked.txt").read_text() == "install -q kagglehub"
    assert said.endswith("kagglehub could not be installed: is there network?")


def test_without_pip_a_sentence_says_what_to_type(begin, without, tmp_path):
    """Environments that uv makes have none."""
    without("kagglehub", "pip")
    said = begin(tmp_path / "content")
    assert said.endswith("There is no pip here: run `uv pip install kagglehub` first.")
    assert not (tmp_path / "asked.txt").exists()


def test_half_a_clone_is_named_and_kept(begin, tmp_path):
    clone = tmp_path / "content" / "skin"
    (clone / ".git").mkdir(parents=True)
    said = begin(tmp_path / "content")
    assert said.endswith(f"{clone} is there, but not whole: delete it, then run this cell again.")
    assert (clone / ".git").exists() and not (tmp_path / "asked.txt").exists()


@pytest.mark.parametrize("other", ["utils.py", "utils/__init__.py", "utils/data.py"])
def test_another_utils_that_was_imported_is_not_the_courses(begin, tmp_path, other):
    course = course_in(tmp_path / "course")
    (course / "utils" / "__init__.py").touch()
    (course / "utils" / "data.py").write_text("mine = True")
    (tmp_path / "mine" / other).parent.mkdir(parents=True)
    (tmp_path / "mine" / other).touch()
    first = f"import sys; sys.path.insert(0, {str(tmp_path / 'mine')!r})\nimport utils\n"
    last = "\nfrom utils import data; sys.modules['utils'].twice = 1\n"
    # Run again, the cell leaves the course's own modules alone.
    last += "exec(cell)\nprint(data.mine, sys.modules['utils'].twice)"
    assert begin(course, first, last).splitlines() == [str(course), "True 1"]


def test_a_kernel_draws_into_its_notebook_whatever_is_set(begin, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    course = course_in(tmp_path / "course")
    last = "\nprint(os.environ['MPLBACKEND'])"
    assert begin(course, "", last).endswith("\nAgg")  # a script has no notebook
    kernel = "import sys; sys.modules['ipykernel'] = sys\n"
    assert begin(course, kernel, last).endswith("\nmodule://matplotlib_inline.backend_inline")
