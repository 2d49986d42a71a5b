"""The lessons as Colab runs them: Colab's versions, and the notebook alone in an empty folder."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from course.errors import CourseError, Refused
from course.lessons import address, choose_lessons, split_settings
from course.run.terminal import shown
from utils import settings

VERSIONS = settings.ROOT / "course" / "colab.txt"


def surroundings(folder):
    """Make in a folder what Colab has: ``google.colab``, and a course that can be cloned.

    ``google`` has no ``__init__.py`` there, so that ``google.protobuf`` stays importable. What
    ``git clone`` gets from the course's address is this very tree with all its changes, on the
    badge's branch; the branch that a clone gets unasked is empty.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to str
        Environment variables.
    """
    modules, bare = folder / "modules", folder / "course.git"
    (modules / "google" / "colab").mkdir(parents=True)
    (modules / "google" / "colab" / "__init__.py").touch()
    repository, branch = address()
    git = ["git", "--git-dir", bare, "--work-tree", settings.ROOT, "-c", "core.autocrlf=false"]
    git += ["-c", "user.name=course", "-c", "user.email=course@localhost"]
    for words in (
        ["init", "-q", "-b", f"not-{branch}"],
        ["commit", "-qm", "empty", "--allow-empty"],
        ["symbolic-ref", "HEAD", f"refs/heads/{branch}"],
        ["add", settings.ROOT],
        ["commit", "-qm", "all"],
        ["symbolic-ref", "HEAD", f"refs/heads/not-{branch}"],
    ):
        subprocess.run([*git, *words], check=True, cwd=settings.ROOT)
    return {
        "PYTHONPATH": str(modules),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{bare.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{repository}",
        "CUDA_VISIBLE_DEVICES": "",
    }


def install(folder):
    """Make a virtual environment with Colab's versions, unless it is there. Returns its Python.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    CourseError
        If there is no Python 3.13, or the packages cannot be installed.
    """
    python, stamp = folder / "bin" / "python", folder / "installed"
    versions = VERSIONS.read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == versions:
        return python
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which("python3.13"), *pyenv.glob("versions/3.13.*/bin/python")]
    found = [os.environ["PYTHON"]] if os.environ.get("PYTHON") else [sys.executable, *found]
    test = "import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 13))"
    for start in filter(None, found):
        if shutil.which(start) and not subprocess.call(
            [start, "-c", test], stderr=subprocess.DEVNULL
        ):
            break
    else:
        raise CourseError(
            "Colab has Python 3.13, and there is none here: install it, or say where it is with "
            "PYTHON=/path/to/python3.13"
        )
    print(f"installing Colab's versions into {shown(folder)} (a few minutes) ...", flush=True)
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", VERSIONS]
    for words in ([start, "-m", "venv", "--clear", folder], pip):
        if subprocess.call(words):
            raise CourseError("The packages could not be installed (see above): try again.")
    settings.write_text(stamp, versions)
    return python


def test_colab(words=()):
    """Run every lesson as Colab does and print what came out. Returns the exit code.

    Parameters
    ----------
    words : list of str
        ``LESSONS=00,02-04`` (default: all).

    Raises
    ------
    CourseError
        If anything else is given, or Colab's versions cannot be installed.
    """
    given = split_settings(words)
    lessons = choose_lessons(given.pop("LESSONS", ""))
    if given:
        raise Refused(f"test-colab takes LESSONS only, not {', '.join(given)}.")
    try:
        runs = settings.make_folder(settings.runs() / "colab")
    except OSError as error:
        raise CourseError(str(error)) from error
    python = install(runs / ".venv")
    out = {"PYTHONHOME", "VIRTUAL_ENV", *settings.FOLDERS} - {"KERAS_HOME"}
    own = {"HAM10K_SOURCE": "synthetic", "TF_CPP_MIN_LOG_LEVEL": "3"}
    own |= {name: value for name, value in os.environ.items() if name not in out}
    own["PATH"] = os.pathsep.join([str(python.parent), own["PATH"]])
    own["JUPYTER_PATH"] = str(python.parents[1] / "share" / "jupyter")
    rows = [("lesson", "seconds", "result")]
    packages = _packages(python)
    with tempfile.TemporaryDirectory() as folder:
        own |= surroundings(Path(folder))
        for number, lesson in enumerate(lessons, 1):
            print(f"[{number}/{len(lessons)}] {lesson.stem} ...", flush=True)
            content, start = Path(folder) / lesson.stem, time.monotonic()
            content.mkdir()
            shutil.copy(lesson, content)
            command = [python.parent / "jupyter-execute", "--inplace", lesson.name]
            done = subprocess.run(command, cwd=content, env=own, capture_output=True, text=True)
            seconds = f"{time.monotonic() - start:.0f}"
            result = "ran"
            if done.returncode:
                print(done.stderr, file=sys.stderr)
                lines = re.sub(r"\x1b\[[\d;]*m", "", done.stderr).split("\n")  # without colours
                result = next(filter(str.strip, reversed(lines)), "failed")
            elif _packages(python) != packages:
                result = "changed the installed packages"
            rows.append((lesson.stem, seconds, result))
            shutil.copy(content / lesson.name, runs)
    print()
    for stem, seconds, result in rows:
        print(f"{stem:20} {seconds:>7}  {result}")
    return int(any(result != "ran" for _, _, result in rows[1:]))


def _packages(python):
    return subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True).stdout
