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
from course.lessons import address, choose_lessons, pyproject, release, split_settings
from course.run.terminal import shown
from utils import settings

VERSIONS = Path(__file__).with_name("colab.txt")
# A notebook there needs none of these; the lesson that shows MAPIE goes on without it, and
# TensorFlow's interpreter takes the place of LiteRT's.
NOT_IN_COLAB = {"ai-edge-litert", "fastapi-offline", "jupyterlab", "papermill", "setuptools"}
MINUTES = 6  # that a lesson may take; it needs one to three


def surroundings(folder):
    """Make in a folder what Colab has: ``google.colab``, and a course that can be cloned.

    ``google`` has no ``__init__.py`` there, so that ``google.protobuf`` stays importable. What
    ``git clone`` gets from the course's address is this very tree with all its changes, on the
    badge's branch and as the release; the branch that a clone gets unasked is empty.

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
        ["tag", release()],
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


def pins(path):
    """The versions in an output of ``pip freeze``; what was installed from a file has none.

    Returns
    -------
    dict of str to str
        By name, in small letters with hyphens.

    Raises
    ------
    CourseError
        If it cannot be read, or holds no version.
    """
    try:
        found = re.findall(r"^([\w.-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read: {error}.") from error
    if not found:
        raise CourseError(f"{path} has no line NAME==VERSION, as `pip freeze` writes them.")
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def wanted(versions):
    """What lessons need of Colab: what pyproject.toml lists for learners, but for ``NOT_IN_COLAB``.

    Parameters
    ----------
    versions : dict of str to str
        Colab's, from ``pins``.

    Returns
    -------
    list of str
        Requirements such as ``"keras>=3.8"``.

    Raises
    ------
    CourseError
        If Colab has not all of them.
    """
    extras = pyproject()["project"]["optional-dependencies"]
    listed = {re.match(r"[\w-]+", r)[0]: r for e in ("learn", "serve", "lab") for r in extras[e]}
    needed = {name: r for name, r in listed.items() if name not in NOT_IN_COLAB}
    if missing := needed.keys() - versions.keys():
        raise CourseError(
            f"Colab moved: its list has no {', '.join(sorted(missing))}, which lessons need "
            "(pyproject.toml)."
        )
    return list(needed.values())


def install(folder, listed=VERSIONS):
    """Make a virtual environment with Colab's versions, unless it is there. Returns its Python.

    Parameters
    ----------
    folder : Path
    listed : Path
        Colab's versions, an output of ``pip freeze``; only what lessons need is installed.

    Raises
    ------
    CourseError
        If there is no Python 3.13, or the packages cannot be installed.
    """
    python, stamp = folder / "bin" / "python", folder / "installed"
    versions = pins(listed)
    requirements = wanted(versions)
    pinned = "".join(f"{name}=={version}\n" for name, version in versions.items())
    state = "\n".join([*requirements, pinned])  # what the environment was made from
    if stamp.exists() and stamp.read_text(encoding="utf-8") == state:
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
    failed = CourseError(
        f"Colab's versions ({shown(listed)}) could not be installed (see above): try again, and if "
        "the reason is that Colab moved, change pyproject.toml or the lessons."
    )
    if subprocess.call([start, "-m", "venv", "--clear", folder]):
        raise failed
    only = folder / "colab.txt"
    settings.write_text(only, pinned)
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", only]
    if subprocess.call([*pip, *requirements]):
        raise failed
    settings.write_text(stamp, state)
    return python


def test_colab(words=()):
    """Run every lesson as Colab does and print what came out. Returns the exit code.

    Parameters
    ----------
    words : list of str
        ``LESSONS=00,02-04`` (default: all); ``PACKAGES=pip-freeze.gpu.txt``, Colab's list of
        another day (default: the one in ``VERSIONS``).

    Raises
    ------
    CourseError
        If anything else is given, or Colab's versions cannot be installed.
    """
    given = split_settings(words)
    lessons = choose_lessons(given.pop("LESSONS", ""))
    listed = Path(given.pop("PACKAGES", VERSIONS))
    if given:
        raise Refused(f"test-colab takes LESSONS and PACKAGES only, not {', '.join(given)}.")
    try:
        runs = settings.make_folder(settings.runs() / "colab")
    except OSError as error:
        raise CourseError(str(error)) from error
    python = install(runs / ".venv", listed)
    now = pins(listed)
    for name, version in pins(VERSIONS).items():
        if now.get(name, version) != version:
            print(f"Colab moved: {name} {version} -> {now[name]}")
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
            result = _execute(python, content / lesson.name, own)
            seconds = f"{time.monotonic() - start:.0f}"
            if result == "ran" and _packages(python) != packages:
                result = "changed the installed packages"
            rows.append((lesson.stem, seconds, result))
            shutil.copy(content / lesson.name, runs)
    print()
    for stem, seconds, result in rows:
        print(f"{stem:20} {seconds:>7}  {result}")
    return int(any(result != "ran" for _, _, result in rows[1:]))


def _execute(python, notebook, environment):
    """Run a notebook in its folder and in place. Returns "ran", or in one line why it did not."""
    command = [python.parent / "jupyter-execute", "--inplace", notebook.name]
    options = {"cwd": notebook.parent, "env": environment, "capture_output": True, "text": True}
    for tried in (1, 2):  # a message between kernel and client can be lost: then both wait for ever
        try:
            done = subprocess.run(command, timeout=60 * MINUTES, **options)
            break
        except subprocess.TimeoutExpired:  # the kernel ends by itself when jupyter-execute is gone
            if tried == 2:
                return f"lesson {notebook.stem} did not end, twice within {MINUTES} minutes"
    if not done.returncode:
        return "ran"
    print(done.stderr, file=sys.stderr)
    lines = re.sub(r"\x1b\[[\d;]*m", "", done.stderr).split("\n")  # without colours
    return next(filter(str.strip, reversed(lines)), "failed")


def _packages(python):
    return subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True).stdout
