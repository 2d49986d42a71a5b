"""The course's commands: run the lessons, test them, rebuild notebooks, README and results.

``python -m utils.course --help`` lists them; the Makefile only calls them. Libraries that take
seconds to import are imported where they are used, so that help and refusals come at once.
"""

import argparse
import ast
import contextlib
import difflib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
RUNS = ROOT / "runs"
DISCLAIMER = (
    "> **For education only.** Nothing here is a medical device, and no output of it is a "
    "diagnosis. Show a mole that is new, changes or worries you to a doctor."
)
# May be given like parameters; made absolute, since lessons run in notebooks/.
FOLDERS = ("HAM10K_DIR", "KAGGLEHUB_CACHE", "KERAS_HOME")
MAX_BYTES = 1_000_000
# ipykernel 7 warns, at every start, that talk on the loopback is not encrypted.
QUIET_KERNEL = ("--log-level=CRITICAL",)
MACHINE_PATH = re.compile(r"/(?:root|home/\w+|Users/\w+|tmp/\w+)/|[A-Z]:\\+Users\\")


class CourseError(Exception):
    """What the person at the keyboard can mend, in one sentence; shown without a traceback."""

    exit_code = 1


class Refused(CourseError):
    """What was given makes no sense; nothing was done."""

    exit_code = 2


# --- What can be given ----------------------------------------------------------------------------


def choose_lessons(wanted=""):
    """Notebooks that ``LESSONS=`` names.

    Parameters
    ----------
    wanted : str
        Numbers, ranges and names joined by commas (``"00,02-04,05_evaluation"``); "" means all.

    Returns
    -------
    list of Path
        In the course's order.

    Raises
    ------
    Refused
        If a part names no lesson.
    """
    lessons = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not lessons:
        raise CourseError(f"There is no lesson in {NOTEBOOKS}: run `make notebooks`.")
    chosen = set()
    for part in filter(None, (p.strip() for p in wanted.split(","))):
        span = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if span:
            numbers = range(int(span[1]), int(span[2] or span[1]) + 1)
            found = [p for p in lessons if int(p.stem[:2]) in numbers]
        else:
            found = [p for p in lessons if part in (p.stem, p.stem[3:])]
        if not found:
            known = ", ".join(p.stem for p in lessons)
            raise Refused(f"LESSONS={wanted}: no lesson is called {part!r}; there are {known}.")
        chosen.update(found)
    return sorted(chosen) or lessons


def parameters(notebook):
    """Names and defaults in a notebook's ``parameters`` cell.

    Parameters
    ----------
    notebook : nbformat.NotebookNode or dict
        Not executed.

    Returns
    -------
    dict of str to bool, int, float or str

    Raises
    ------
    ValueError
        If there is not exactly one such cell, or it holds anything but ``NAME = constant``:
        papermill does not compute anew what is derived from a parameter.
    """
    cells = [c for c in notebook["cells"] if "parameters" in c["metadata"].get("tags", [])]
    if len(cells) != 1:
        raise ValueError(f"{len(cells)} cells are tagged `parameters`; there must be one")
    found = {}
    for line in ast.parse("".join(cells[0]["source"])).body:
        try:
            (target,) = line.targets
            value = ast.literal_eval(line.value)
            if not isinstance(value, bool | int | float | str):
                raise TypeError
            found[target.id] = value
        except (AttributeError, TypeError, ValueError):
            code = ast.unparse(line)
            raise ValueError(f"the parameters cell holds more than constants: {code}") from None
    return found


def parse_value(name, text, default):
    """The text given for a parameter, as the type of its default.

    Raises
    ------
    Refused
        If the text is no such value.
    """
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        return type(default)(text)
    except (KeyError, ValueError):
        kind = {bool: "true or false", int: "a whole number", float: "a number"}[type(default)]
        raise Refused(f"{name}={text}: {name} must be {kind}, such as {default}.") from None


def plan(lessons, given):
    """What each lesson gets of the parameters given.

    Parameters
    ----------
    lessons : list of Path
    given : dict of str to str

    Returns
    -------
    dict of Path to dict
        Typed values, only those that the lesson has.

    Raises
    ------
    Refused
        If none of the lessons has a parameter of that name, or the value is of the wrong type.
    """
    known = {}
    for path in lessons:
        try:
            known[path] = parameters(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise Refused(f"{path.name} cannot be run: {error}.") from None
    names = sorted({name for defaults in known.values() for name in defaults})
    for name in given:
        if name not in names:
            close = difflib.get_close_matches(name.upper(), [*names, "LESSONS"], 1, 0.5)
            hint = f" Did you mean {close[0]}?" if close else ""
            where = "the lesson has" if len(lessons) == 1 else "the lessons have"
            raise Refused(f"{name} is not a parameter: {where} {', '.join(names)}.{hint}")
    return {
        path: {n: parse_value(n, text, defaults[n]) for n, text in given.items() if n in defaults}
        for path, defaults in known.items()
    }


def split_settings(words):
    """``NAME=VALUE`` words as a dict; those that name a folder go into the environment.

    Raises
    ------
    Refused
        If a word has no ``=``.
    """
    given = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise Refused(f"{word!r} is not of the form NAME=VALUE, such as LESSONS=00.")
        if name in FOLDERS:
            os.environ[name] = value
        else:
            given[name] = value
    for name in FOLDERS:
        if os.environ.get(name):
            os.environ[name] = os.path.abspath(os.path.expanduser(os.environ[name]))
    return given


def split_make(text):
    """The variables of make's command line, from ``$(MAKEOVERRIDES)``.

    make puts a backslash before blanks and backslashes. ``PYTHON`` was for the Makefile.
    """
    words = [re.sub(r"\\(.)", r"\1", w) for w in re.findall(r"(?:\\.|[^\s\\])+", text)]
    return [word for word in words if not word.startswith("PYTHON=")]


# --- Running lessons ------------------------------------------------------------------------------


@contextlib.contextmanager
def environment(**values):
    """Environment variables for the kernels started inside."""
    before = dict(os.environ)
    # First on the path: the `python3` kernel that runs this very Python, whatever other kernels
    # the person has registered under that name.
    own = os.path.join(sys.prefix, "share", "jupyter")
    paths = [own, *filter(None, [before.get("JUPYTER_PATH")])]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.update(values, JUPYTER_PATH=os.pathsep.join(paths))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def execute(lesson, given, output):
    """Run one notebook as JupyterLab would (in its own folder), showing what it prints.

    Parameters
    ----------
    lesson : Path
    given : dict
        Parameters, all known to the notebook.
    output : Path
        Written whole or not at all; a notebook that failed goes to ``NAME.failed.ipynb``.

    Raises
    ------
    CourseError
        If a cell raises or the kernel dies.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.stem}.unfinished.ipynb")
    failed = output.with_name(f"{output.stem}.failed.ipynb")
    try:
        papermill.execute_notebook(
            lesson,
            unfinished,
            given,
            kernel_name="python3",
            cwd=lesson.parent,
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            extra_arguments=list(QUIET_KERNEL),
        )
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        if isinstance(error, PapermillExecutionError):
            what = f"{error.ename}: {error.evalue}"
        what = what.splitlines()[0]
        if unfinished.exists():
            os.replace(unfinished, failed)
            what += f" (see {_shown(failed)})"
        raise CourseError(f"lesson {lesson.stem} stopped: {what}") from error
    else:
        os.replace(unfinished, output)
        failed.unlink(missing_ok=True)
    finally:
        unfinished.unlink(missing_ok=True)


def run(given):
    """Run lessons one after the other and print what came out. Returns the exit code."""
    given = dict(given)
    lessons = choose_lessons(given.pop("LESSONS", ""))
    rows, stopped = [("lesson", "seconds", "headline (95 % interval)", "data", "notebook")], None
    for number, (lesson, values) in enumerate(plan(lessons, given).items(), 1):
        settings = "".join(f" {n}={v}" for n, v in values.items())
        print(f"[{number}/{len(lessons)}] {lesson.stem}{settings} ...", flush=True)
        before, start = _results_of(lesson), time.monotonic()
        output = RUNS / lesson.name
        try:
            with environment(COURSE_RESULTS_DIR=str(RUNS / "results")):
                execute(lesson, values, output)
        except CourseError as error:
            stopped = error
            break
        new = [path for path, age in _results_of(lesson).items() if before.get(path) != age]
        seconds = f"{time.monotonic() - start:.0f}"
        rows.append((lesson.stem, seconds, *_headline(new), _shown(output)))
    if len(rows) > 1:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        print()
        for row in rows:
            cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells).rstrip())
        print("\nOpen them in JupyterLab: make lab (or python -m utils.course lab)")
    if stopped:
        raise stopped
    return 0


def _results_of(lesson):
    """The lesson's JSON files and when each was written, oldest first."""
    files = (RUNS / "results").glob(f"{lesson.stem}*.json")
    ages = {path: path.stat().st_mtime_ns for path in files}
    return dict(sorted(ages.items(), key=lambda item: item[1]))


def _headline(files):
    """Headline with interval, and the data's source, of the newest result that has one."""
    for file in reversed(files):
        result = json.loads(file.read_text(encoding="utf-8"))
        if "headline" in result:
            source, h = result["source"], result["headline"]
            source = "SYNTHETIC" if source == "synthetic" else source
            return f"{h['name']} {h['value']:.2f} [{h['low']:.2f}, {h['high']:.2f}]", source
    return "-", "-"


def _shown(path):
    """A path as the person sees it: relative to the course where it lies inside."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


# --- Building notebooks, README and results -------------------------------------------------------


def address():
    """Repository (``owner/name``) and branch, from pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        table = tomllib.load(file)["tool"]["course"]
    return table["repository"], table["branch"]


def render(source):
    """A notebook, not executed, from its source.

    Parameters
    ----------
    source : Path
        ``notebooks/src/NN_name.py``, jupytext percent format, with ``{{ repository }}``,
        ``{{ branch }}``, ``{{ notebook }}`` and ``{{ disclaimer }}`` to be filled in,
        ``# {{ setup }}`` for the code of ``_setup.py``, and figures of ``results/`` as
        ``results.quote`` knows them.

    Returns
    -------
    nbformat.NotebookNode

    Raises
    ------
    CourseError
        If another name stands in double braces, or a figure is not in ``results/``.
    """
    import jupytext

    from utils.results import quote

    raw = source.read_text(encoding="utf-8")
    repository, branch = address()
    if "# {{ setup }}" in raw:
        setup = (source.parent / "_setup.py").read_text(encoding="utf-8")
        raw = raw.replace("# {{ setup }}", setup.strip())
    text = raw
    for name, value in {
        "repository": repository,
        "branch": branch,
        "notebook": f"notebooks/{source.stem}.ipynb",
        "disclaimer": DISCLAIMER,
    }.items():
        text = text.replace("{{ " + name + " }}", value)
    try:
        text = quote(text)
    except ValueError as error:
        raise CourseError(f"{source.name}: {error}") from error
    unknown = re.search(r"\{\{ .*? \}\}", text)
    if unknown:
        raise CourseError(f"{source.name}: nothing is known to put in place of {unknown[0]}.")
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata.pop("lines_to_next_cell", None)
    notebook.metadata = _metadata(hashlib.sha256(raw.encode()).hexdigest())
    return notebook


def _metadata(sha256):
    """Only what Jupyter and papermill need: nothing that differs between two machines."""
    from nbformat import from_dict

    return from_dict(
        {
            "course": {"source_sha256": sha256},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )


def source_problems(notebook, path):
    """Where a notebook differs from what its source renders to, one sentence each.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    path : Path
        Where it stands, or will.

    Returns
    -------
    list of str
    """
    source = path.parent / "src" / f"{path.stem}.py"
    if not source.exists():
        return [f"it has no source {source.name}"]
    found = []
    rendered = render(source)
    if _content(notebook) != _content(rendered):
        found.append(f"it does not agree with {source.name}: run `make notebooks`")
    repository, branch = address()
    badge = f"https://colab.research.google.com/github/{repository}/blob/{branch}/"
    links = re.findall(
        r"https://colab\.research\.google\.com/github/[^)\s\"]+", notebook.cells[0].source
    )
    if links != [f"{badge}notebooks/{path.name}"]:
        found.append(f"its Colab badge must lead to {badge}notebooks/{path.name}, not to {links}")
    try:
        parameters(notebook)
    except ValueError as error:
        found.append(str(error))
    return found


def _content(notebook):
    cells = [(c.id, c.cell_type, c.source, c.metadata) for c in notebook.cells]
    return cells, notebook.metadata


def output_problems(notebook):
    """What is wrong with a notebook's stored outputs, one sentence each.

    Parameters
    ----------
    notebook : nbformat.NotebookNode

    Returns
    -------
    list of str
    """
    import nbformat

    found = []
    here = [str(ROOT), *filter(None, map(os.environ.get, FOLDERS))]
    cells = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    if [c.execution_count for c in cells] != list(range(1, len(cells) + 1)):
        found.append("its cells were not all executed, once and in order")
    if not any(c.outputs for c in cells):
        found.append("it has no outputs")
    for cell in cells:
        for output in cell.outputs:
            text = json.dumps(
                {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
            ) + "".join([output.get("text", ""), *output.get("traceback", [])])
            if output.output_type == "error" and "raises-exception" not in cell.metadata.get(
                "tags", []
            ):
                found.append(f"{cell.id} raises {output.ename}: {output.evalue}")
            if output.output_type == "stream" and output.name == "stderr":
                found.append(f"{cell.id} writes to stderr: {text.strip()[:300]}")
            if MACHINE_PATH.search(text) or any(place in text for place in here):
                found.append(f"{cell.id} shows a path of this machine: {text.strip()[:300]}")
    size = len(nbformat.writes(notebook).encode())
    if size >= MAX_BYTES:
        found.append(f"it has {size:,} bytes, where {MAX_BYTES:,} are the limit")
    return found


def build(source, anew=False):
    """Bring one notebook up to date with its source.

    It is executed, on synthetic data and without a GPU, only if its source changed since; where
    only the repository's address did, its outputs are kept.

    Parameters
    ----------
    source : Path
    anew : bool
        Execute in any case (after a change in ``utils/``, which is not looked at).

    Returns
    -------
    str
        What was done.

    Raises
    ------
    CourseError
        If a cell raises, or what would be written has a problem; nothing is written then.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    from utils.data import write_atomically

    path = source.parents[1] / f"{source.stem}.ipynb"
    notebook = render(source)
    old = nbformat.read(path, 4) if path.exists() else None
    start = time.monotonic()
    if not anew and old and _same_source(old, notebook) and not output_problems(old):
        for cell, before in zip(notebook.cells, old.cells, strict=True):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = before.outputs, before.execution_count
        done = "is unchanged" if _content(old) == _content(notebook) else "rendered anew"
    else:
        with tempfile.TemporaryDirectory() as scratch:
            own = {
                "HAM10K_SOURCE": "synthetic",
                "CUDA_VISIBLE_DEVICES": "",
                "TQDM_DISABLE": "1",
            }
            with environment(**own, COURSE_RESULTS_DIR=scratch):
                client = NotebookClient(
                    notebook,
                    kernel_name="python3",
                    timeout=None,
                    extra_arguments=list(QUIET_KERNEL),
                    record_timing=False,
                    coalesce_streams=True,
                    resources={"metadata": {"path": str(path.parent)}},
                )
                try:
                    client.execute()
                except CellExecutionError as error:
                    what = f"{error.ename}: {error.evalue}".splitlines()[0]
                    raise CourseError(f"{source.name} stopped: {what}") from error
                except DeadKernelError as error:
                    raise CourseError(f"{source.name} stopped: {error}") from error
        notebook.metadata = _metadata(notebook.metadata.course.source_sha256)
        done = f"executed in {time.monotonic() - start:.0f} s"
    problems = source_problems(notebook, path) + output_problems(notebook)
    if problems:
        raise CourseError(f"{path.name} was not written: {'; '.join(problems)}.")
    if done != "is unchanged":
        text = nbformat.writes(notebook) + "\n"
        write_atomically(path, lambda p: p.write_text(text, encoding="utf-8", newline="\n"))
    return done


def _same_source(old, new):
    hashes = [n.metadata.get("course", {}).get("source_sha256") for n in (old, new)]
    return hashes[0] == hashes[1] and len(old.cells) == len(new.cells)


def notebooks(anew=False):
    """Bring all notebooks and the README up to date. Returns the exit code."""
    for source in sorted((NOTEBOOKS / "src").glob("[0-9][0-9]_*.py")):
        print(f"{source.stem} ...", end=" ", flush=True)
        print(build(source, anew), flush=True)
    return readme()


def readme(check=False):
    """Render the README's address and results, and the model's card. Returns the exit code.

    Parameters
    ----------
    check : bool
        Write nothing, and fail if one of them is not current.
    """
    from utils import results, shipped
    from utils.data import write_atomically

    path = ROOT / "README.md"
    try:
        pages = {path: results.render_readme(path.read_text(encoding="utf-8"), *address())}
        pages[shipped.CARD] = shipped.card()
    except (OSError, ValueError) as error:
        raise CourseError(str(error)) from error
    for path, current in pages.items():
        if path.exists() and path.read_text(encoding="utf-8") == current:
            print(f"{_shown(path)} is current")
        elif check:
            raise CourseError(
                f"{_shown(path)} is not current: run `python -m utils.course readme`."
            )
        else:
            write_atomically(
                path, lambda p, text=current: p.write_text(text, encoding="utf-8", newline="\n")
            )
            print(f"{_shown(path)} rendered anew")
    return 0


def results(given):
    """Run lessons on the folder of real images and record them in ``results/``.

    Lesson 00 is run with the seeds 0 to 4 and summed up, every other lesson once.

    Parameters
    ----------
    given : dict of str to str
        ``LESSONS`` (default 00), and other parameters such as ``ALPHA``.
    """
    from utils import data
    from utils.results import COMMITTED, summarise_seeds

    given = {"LESSONS": "00"} | given
    if "SOURCE" in given or (given["LESSONS"] == "00" and "SEED" in given):
        raise Refused("`results` sets SOURCE, and SEED for lesson 00, itself: leave them out.")
    try:
        data.load_table("folder")
    except (OSError, ValueError) as error:
        raise CourseError(f"Results are recorded on real images only. {error}") from error
    new = set()
    for lesson in choose_lessons(given["LESSONS"]):
        seeds = [{"SEED": str(seed)} for seed in range(5)] if lesson.stem[:2] == "00" else [{}]
        for seed in seeds:
            before = _results_of(lesson)
            run(given | {"LESSONS": lesson.stem, "SOURCE": "folder"} | seed)
            new |= {path for path, age in _results_of(lesson).items() if before.get(path) != age}
    # Only now, so that an interrupted command leaves no half set of seeds.
    figures = [f for path in new for f in path.parent.glob(f"{path.stem}-*.png")]
    for path in sorted(new) + [f for f in figures if not re.search(r"-seed[1-9]", f.name)]:
        data.write_atomically(COMMITTED / path.name, lambda p, path=path: shutil.copy(path, p))
    for name in sorted({re.sub(r"-seed\d+$", "", p.stem) for p in new if "-seed" in p.stem}):
        summarise_seeds(name)
    return readme()


def train_shipped():
    """Train, judge and save the model in ``models/`` and write its card. Returns the exit code.

    Killed and called again, it goes on from the last epoch that was finished.
    """
    from utils import shipped

    try:
        shipped.make(RUNS / "shipped")
    except (OSError, ValueError) as error:
        raise CourseError(f"The model in models/ is as it was. {error}") from error
    return readme()


def lab():
    """Open JupyterLab on the notebooks; ``runs/`` can be reached from there too."""
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={ROOT}"]
    with environment():
        return subprocess.call([*command, "--LabApp.default_url=/lab/tree/notebooks"])


def test(arguments):
    """Run the test suite; what is given goes to pytest. Returns the exit code."""
    import pytest

    return int(pytest.main([f"--rootdir={ROOT}", *(arguments or [str(ROOT / "tests")])]))


# --- Command line ---------------------------------------------------------------------------------


def main(words=None):
    """Command line. Returns the exit code: 2 if what was given is refused, 1 if it failed."""
    parser = argparse.ArgumentParser(
        prog="python -m utils.course",
        description="Learn to build, judge and use a melanoma classifier.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in (
        ("run", "run lessons; their notebooks with outputs go to runs/"),
        ("results", "run lessons on real images (00 with five seeds), into results/"),
    ):
        command = commands.add_parser(name, help=summary)
        text = "LESSONS=00,02-04 SOURCE=folder|kaggle|synthetic|auto, or any lesson's parameter"
        command.add_argument("settings", nargs="*", metavar="NAME=VALUE", help=text)
        command.add_argument("--make", default="", help=argparse.SUPPRESS)
    commands.add_parser("test", help="run the test suite (options go to pytest)", add_help=False)
    commands.add_parser("lab", help="open JupyterLab on notebooks/")
    commands.add_parser("train-shipped", help="train the model in models/ on real images, anew")
    command = commands.add_parser("notebooks", help="rebuild notebooks and README from sources")
    command.add_argument("--all", action="store_true", help="execute unchanged ones too")
    command = commands.add_parser("readme", help="render the README's address and results")
    command.add_argument("--check", action="store_true", help="only say whether it is current")
    arguments, rest = parser.parse_known_args(words)
    if rest and arguments.command != "test":
        parser.error(f"unknown: {' '.join(rest)}")
    for stream in (sys.stdout, sys.stderr):  # a Windows console may lack a character: show "?"
        stream.reconfigure(errors="replace")
    try:
        if arguments.command == "run":
            return run(split_settings(arguments.settings + split_make(arguments.make)))
        if arguments.command == "results":
            return results(split_settings(arguments.settings + split_make(arguments.make)))
        if arguments.command == "test":
            return test(rest)
        if arguments.command == "lab":
            return lab()
        if arguments.command == "train-shipped":
            return train_shipped()
        if arguments.command == "notebooks":
            return notebooks(arguments.all)
        return readme(arguments.check)
    except CourseError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
