"""The lessons where learners run them: one row an environment, each lesson's outcome kept at once.

A lesson passes if each of its cells runs without an error; no number is compared. It runs on drawn
lesions and with the smallest parameters.
"""

import contextlib
import datetime
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from course.errors import CourseError, Refused
from course.lessons import choose_lessons, name_of, parameters, release, split_settings
from course.run import chromium, colab, environments
from utils import settings

RECORDS = settings.ROOT / "docs" / "matrix"  # one JSON a row
OLDEST = Path(__file__).with_name("oldest.txt")
LOCK = settings.ROOT / "requirements.lock"
MINUTES = 6  # that a lesson may take; it needs one or two
# The parameters that take time, as small as they go.
SMALLEST = {
    "HEAD_EPOCHS": 1,
    "EPOCHS": 2,
    "FINE_TUNE_EPOCHS": 1,
    "SEEDS": 2,
    "SHARE": 0.1,
    "N_SPLITS": 20,
}
ASK = """import json, platform
from importlib.metadata import version
found = {name: version(name) for name in ("tensorflow", "keras")}
print(json.dumps({"python": platform.python_version()} | found))"""


@dataclass(frozen=True)
class Row:
    """An environment.

    Attributes
    ----------
    title : str
        On the page.
    python : str
        The version; "" is the one that this command runs in.
    listed : Path, optional
        What to install, for ``pip install -r``; None: what is here.
    kind : str
        ``"clone"``: a clone of the course lies on the machine; ``"colab"``: the notebook is alone
        in an empty folder; ``"kaggle"``: the course is a read-only input, there is neither git nor
        network; ``"offline"``: a clone without network, data or weights; ``"browser"``: JupyterLab
        in Chromium.
    """

    title: str
    python: str = ""
    listed: Path | None = None
    kind: str = "clone"


ROWS = {
    "python3.11": Row("Python 3.11, the versions of the lock", "3.11", LOCK),
    "python3.12": Row("Python 3.12, the versions of the lock", "3.12", LOCK),
    "python3.13": Row("Python 3.13, the versions of the lock", "3.13", LOCK),
    "oldest": Row("the oldest packages allowed (pyproject.toml)", "3.11", OLDEST),
    "colab": Row("Colab's versions, the notebook alone", colab.PYTHON, colab.VERSIONS, "colab"),
    "kaggle": Row("a folder as Kaggle's: `input` read-only, no git, no internet", kind="kaggle"),
    "jupyterlab": Row("JupyterLab in Chromium, Run All Cells", kind="browser"),
    "offline": Row("no network, no data, no downloaded weights", kind="offline"),
}


def test_matrix(words=()):
    """Run lessons in each environment, keep and print what came out. Returns the exit code.

    Parameters
    ----------
    words : list of str
        ``ROWS=colab,offline`` (default: all); ``LESSONS=00,02-04`` (default: those that did not
        pass yet, or whose code changed since); ``PACKAGES=pip-freeze.gpu.txt``, Colab's list of
        another day.

    Raises
    ------
    Refused
        If anything else is given.
    """
    given = split_settings(words)
    chosen = [name.strip() for name in given.pop("ROWS", "").split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in ROWS]:
        raise Refused(f"ROWS: there is no {', '.join(unknown)}; there are {', '.join(ROWS)}.")
    wanted, packages = given.pop("LESSONS", ""), given.pop("PACKAGES", None)
    if given:
        raise Refused(f"test-matrix takes ROWS, LESSONS and PACKAGES, not {', '.join(given)}.")
    lessons = choose_lessons(wanted)
    failed = False
    for name in chosen or ROWS:
        passed = [path for path, one in kept(name, lessons).items() if one["result"] == "ran"]
        missing = lessons if wanted else [path for path in lessons if path not in passed]
        print(f"\n{name}: {len(missing)} lessons to run, {ROWS[name].title}", flush=True)
        try:
            failed |= bool(missing) and not _run_row(name, missing, packages)
        except (CourseError, OSError) as error:
            failed = True
            print(error, file=sys.stderr)
            if not read(name)["lessons"]:
                _write(name, {"lessons": {}, "why": f"{today()}: {error}"})
    print("\n`python -m course refresh pages` brings docs/PROOF.md up to date.")
    return int(failed)


def _run_row(name, lessons, packages):
    """Whether all lessons passed."""
    row, folder = ROWS[name], settings.make_folder(settings.runs() / "matrix" / name)
    if row.kind == "colab":
        listed = Path(packages or row.listed)
        python = colab.install(folder / ".venv", listed)
        print(*colab.moved(listed), sep="\n")
    elif row.listed:
        text = row.listed.read_text(encoding="utf-8")
        failed = f"{row.listed.name} could not be installed under Python {row.python} (see above)."
        words = ["-r", row.listed]
        python = environments.install(folder / ".venv", row.python, words, text, failed)
    else:
        python = Path(sys.executable)
    asked = subprocess.run([python, "-c", ASK], check=True, capture_output=True, text=True)
    versions, rows = json.loads(asked.stdout), []
    with tempfile.TemporaryDirectory() as scratch, _place(row, Path(scratch), python) as execute:
        for number, lesson in enumerate(lessons, 1):
            print(f"[{number}/{len(lessons)}] {lesson.stem} ...", flush=True)
            start, code = time.monotonic(), code_of(lesson)
            done, result = execute(lesson)
            seconds = round(time.monotonic() - start)
            record = read(name)
            record.pop("why", None)
            record["lessons"][name_of(lesson)] = {
                "result": result,
                "seconds": seconds,
                "date": today(),
                "code": code,
                **versions,
            }
            _write(name, record)
            shutil.copy(done, folder)
            rows.append((lesson.stem, seconds, result))
    print(f"\n{'lesson':20} seconds  result")
    for stem, seconds, result in rows:
        print(f"{stem:20} {seconds:>7}  {result}")
    return all(result == "ran" for _, _, result in rows)


# --- the environments


@contextlib.contextmanager
def _place(row, scratch, python):
    """``execute(lesson)`` gives the executed notebook and the outcome, "ran" or why it did not."""
    import nbformat

    if row.kind == "browser":
        with _in_browser(scratch) as execute:
            yield execute
        return
    own = {name: value for name, value in os.environ.items() if name not in _SET_HERE}
    own |= {"HAM10K_SOURCE": "synthetic", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    own["PATH"] = os.pathsep.join([str(python.parent), own["PATH"]])
    own["JUPYTER_PATH"] = str(python.parents[1] / "share" / "jupyter")
    start, kaggle = [], "/kaggle/"
    content = settings.make_folder(scratch / "content")
    work = scratch / "kaggle" / "working" if row.kind == "kaggle" else scratch / "work"
    own["COURSE_WORK_DIR"] = str(chromium.with_cache(work))  # drawing anew takes minutes
    if row.kind == "colab":
        own |= colab.surroundings(scratch)
    elif row.kind == "kaggle":
        course = settings.make_folder(scratch / "kaggle" / "input" / "the-course")
        content, kaggle = work, f"{scratch}/kaggle/"  # for the first cell
        _copy_course(course)
        start = _without_network(read_only=course)
        own.pop("COURSE_WORK_DIR")
        own["PATH"] = str(python.parent)  # without git
        _take_away(own, scratch)
    else:
        own |= {"PYTHONPATH": str(settings.ROOT)}
        if row.kind == "offline":
            start = _without_network()
            _take_away(own, scratch)

    def execute(lesson):
        folder = settings.make_folder(content / lesson.stem)
        copy = folder / lesson.name
        notebook = smallest(lesson)
        for cell in notebook.cells:
            cell.source = cell.source.replace('"/kaggle/', f'"{kaggle}')
        nbformat.write(notebook, copy)
        return copy, _execute([*start, python.parent / "jupyter-execute"], copy, own)

    yield execute


# What would lead a lesson to something else than the row's own.
_SET_HERE = {"PYTHONHOME", "VIRTUAL_ENV", "PYTHONPATH", *settings.FOLDERS} - {"KERAS_HOME"}


def _take_away(own, scratch):
    """Leave no data, no downloaded weights, and no variable that says so to the course."""
    for name in ("HAM10K_SOURCE", "COURSE_OFFLINE"):
        own.pop(name, None)
    own |= {"KERAS_HOME": str(scratch / "keras"), "KAGGLEHUB_CACHE": str(scratch / "kagglehub")}


def _without_network(read_only=None):
    """The words that start a program without network, and with a folder that cannot be written.

    Raises
    ------
    CourseError
        If this machine cannot do that.
    """
    needed = {name: shutil.which(name) for name in ("unshare", "sh", "ip", "mount")}
    words = [needed["unshare"], "--net", "--mount"]
    if hasattr(os, "geteuid") and os.geteuid():
        words.insert(1, "--map-root-user")
    script = f"{needed['ip']} link set lo up"
    if read_only:
        bind = f'{needed["mount"]} --bind "$0" "$0"'
        script += f' && {bind} && {needed["mount"]} -o remount,bind,ro "$0"'
    words += ["--", needed["sh"], "-c", f'{script} && exec "$@"', str(read_only or "course")]
    if None in needed.values() or subprocess.call([*words, needed["sh"], "-c", "true"]):
        raise CourseError(
            "This row takes the network away with Linux's `unshare`, `ip` and `mount`, which are "
            "not all here or not allowed to this user."
        )
    return words


def _copy_course(folder):
    """The course's files, as git knows them with all changes, into a folder."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=settings.ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, found.stdout.split("\0")):
        if (settings.ROOT / name).is_file():
            settings.make_folder((folder / name).parent)
            shutil.copyfile(settings.ROOT / name, folder / name)


@contextlib.contextmanager
def _in_browser(scratch):
    import nbformat
    from playwright.sync_api import Error, sync_playwright

    if chromium.BROWSER is None:
        raise CourseError("This row needs Chromium, which is not here.")
    mine = settings.make_folder(scratch / "work" / "my_notebooks")
    before = os.environ.get("HAM10K_SOURCE")
    os.environ["HAM10K_SOURCE"] = "synthetic"
    try:
        with chromium.jupyterlab(scratch) as address, sync_playwright() as playwright:
            opened = playwright.chromium.launch(
                executable_path=chromium.BROWSER, args=chromium.OPTIONS
            )

            def execute(lesson):
                copy = mine / lesson.name
                nbformat.write(smallest(lesson), copy)
                page = opened.new_page(viewport={"width": 1280, "height": 1000})
                page.set_default_timeout(120_000)
                try:
                    return copy, chromium.run_all(page, address, copy, MINUTES)
                except Error as error:
                    return copy, str(error).splitlines()[0]
                finally:
                    page.close()

            yield execute
    finally:
        os.environ.pop("HAM10K_SOURCE")
        if before is not None:
            os.environ["HAM10K_SOURCE"] = before


def smallest(lesson):
    """A lesson without outputs and with the smallest parameters, as papermill gives them."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    given = {n: value for n, value in SMALLEST.items() if n in parameters(lesson)}
    notebook = parameterize_notebook(load_notebook_node(str(lesson)), given)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    return notebook


def _execute(command, notebook, environment):
    """Run a notebook in its folder and in place. Returns "ran", or in one line why it did not."""
    command = [*command, "--inplace", notebook.name]
    options = {"cwd": notebook.parent, "env": environment, "capture_output": True, "text": True}
    python = Path(command[-3]).with_name("python")
    packages = _packages(python)
    for tried in (1, 2):  # a message between kernel and client can be lost: then both wait for ever
        try:
            done = subprocess.run(command, timeout=60 * MINUTES, **options)
            break
        except subprocess.TimeoutExpired:  # the kernel ends by itself when jupyter-execute is gone
            if tried == 2:
                return f"lesson {notebook.stem} did not end, twice within {MINUTES} minutes"
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        lines = re.sub(r"\x1b\[[\d;]*m", "", done.stderr).split("\n")  # without colours
        return next(filter(str.strip, reversed(lines)), "failed")
    return "ran" if _packages(python) == packages else "changed the installed packages"


def _packages(python):
    return subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True).stdout


# --- the records


def today():
    """The date as in 2026-11-28."""
    return datetime.date.today().isoformat()


def code_of(lesson):
    """A digest of a lesson's code: 12 digits. What passed with other code did not pass.

    The release that its setup fetches is left out: raising it changes no lesson.
    """
    cells = json.loads(lesson.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return hashlib.sha256("\n".join(code).replace(release(), "").encode()).hexdigest()[:12]


def read(name):
    """A row's record: dict with ``lessons``, and ``why`` where none could be run."""
    path = RECORDS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"lessons": {}}


def kept(name, lessons):
    """What a row's record says of lessons as they are now: dict of Path to dict."""
    found, record = {}, read(name)["lessons"]
    for lesson in lessons:
        one = record.get(name_of(lesson))
        if one and one["code"] == code_of(lesson):
            found[lesson] = one
    return found


def _write(name, record):
    settings.make_folder(RECORDS)
    settings.write_json(RECORDS / f"{name}.json", record)


def table():
    """The matrix for the page: list of dict, one a row."""
    lessons, found = choose_lessons(), []
    for name, row in ROWS.items():
        ran = {lesson.stem[:2]: one for lesson, one in kept(name, lessons).items()}
        found.append(
            {
                "name": name,
                "title": row.title,
                "passed": [number for number, one in ran.items() if one["result"] == "ran"],
                "failed": {n: one["result"] for n, one in ran.items() if one["result"] != "ran"},
                "not_run": [p.stem[:2] for p in lessons if p.stem[:2] not in ran],
                "seconds": sum(one["seconds"] for one in ran.values()),
                "since": min((one["date"] for one in ran.values()), default=None),
                "why": read(name).get("why"),
            }
            | {
                package: ", ".join(sorted({one[package] for one in ran.values()}))
                for package in ("python", "tensorflow", "keras")
            }
        )
    return found
