"""Running lessons: each notebook in a kernel of its own, and a table of what came out."""

import contextlib
import importlib.util
import json
import os
import re
import sys
import time
from pathlib import Path

from course.errors import CourseError
from course.lessons import choose_lessons, name_of, parameters, plan
from utils import settings

# ipykernel 7 warns, at every start, that talk on the loopback is not encrypted.
QUIET_KERNEL = ("--log-level=CRITICAL",)


@contextlib.contextmanager
def environment(**values):
    """Environment variables for what is started inside."""
    before = dict(os.environ)
    settings.make_folders_absolute()
    # First on the path: the `python3` kernel that runs this very Python, whatever other kernels
    # the person has registered under that name.
    own = os.path.join(sys.prefix, "share", "jupyter")
    paths = [own, *filter(None, [before.get("JUPYTER_PATH")])]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.pop("MPLBACKEND", None)  # then the kernel draws into the notebook
    if not os.path.isabs(os.path.expanduser("~")):  # a container's bare number; Jupyter needs one
        os.environ["HOME"] = str(settings.scratch())
    _leave_out_socks()
    os.environ.update(values, JUPYTER_PATH=os.pathsep.join(paths))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _leave_out_socks():
    """Take away a proxy that would end JupyterLab and httpx at once, without a use for the network.

    Programs that set a SOCKS proxy for the whole desktop are many; httpx needs socksio for it.
    """
    socks = [
        n for n, v in os.environ.items() if re.fullmatch("(?i).*_proxy", n) and v[:5] == "socks"
    ]
    if socks and not importlib.util.find_spec("socksio"):
        for name in socks:
            del os.environ[name]
        print(
            f"{', '.join(socks)}: a SOCKS proxy, which Python needs packages for (pip install "
            "'httpx[socks]' pysocks); lessons go without it.",
            file=sys.stderr,
        )


def run_notebook(lesson, given, output):
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

    # Named after this process: another may run the same lesson at the same time.
    unfinished = output.with_name(f".{output.stem}.{os.getpid()}.unfinished.ipynb")
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
            what += f" (see {shown(failed)})"
        raise CourseError(f"lesson {lesson.stem} stopped: {what}") from error
    else:
        os.replace(unfinished, output)
        failed.unlink(missing_ok=True)
    finally:
        unfinished.unlink(missing_ok=True)


def run(given):
    """Run lessons one after the other and print what came out. Returns the exit code.

    Parameters
    ----------
    given : dict of str to str
        ``LESSONS`` (default: all) and parameters.
    """
    given = dict(given)
    lessons = choose_lessons(given.pop("LESSONS", ""))
    planned = plan(lessons, given)
    try:
        output, results = map(settings.make_folder, (settings.runs(), settings.results()))
    except OSError as error:
        raise CourseError(str(error)) from error
    rows, stopped = [("lesson", "seconds", "headline (95 % interval)", "data", "notebook")], None
    for number, (lesson, values) in enumerate(planned.items(), 1):
        words = "".join(f" {n}={v}" for n, v in values.items())
        print(f"[{number}/{len(lessons)}] {lesson.stem}{words} ...", flush=True)
        before, start = results_of(lesson), time.monotonic()
        try:
            with environment(COURSE_RESULTS_DIR=str(results)):
                run_notebook(lesson, values, output / lesson.name)
        except CourseError as error:
            stopped = error
            break
        new = [path for path, age in results_of(lesson).items() if before.get(path) != age]
        seconds = f"{time.monotonic() - start:.0f}"
        found = headline(new, parameters(lesson) | values)
        rows.append((lesson.stem, seconds, *found, shown(output / lesson.name)))
    if len(rows) > 1:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        print()
        for row in rows:
            cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells).rstrip())
        python = Path(sys.executable)
        python = shown(python) if python.is_relative_to(settings.ROOT) else "python"
        print(f"\nOpen them in JupyterLab: {python} -m course lab {shown(output)}")
    if stopped:
        raise stopped
    return 0


def results_of(lesson):
    """The lesson's JSON files and when each was written (ns), oldest first: dict of Path to int."""
    ages = {p: p.stat().st_mtime_ns for p in settings.results().glob(f"{name_of(lesson)}*.json")}
    return dict(sorted(ages.items(), key=lambda item: item[1]))


def headline(files, values):
    """Headline with interval, and the data's source, of the newest result that has one.

    Parameters
    ----------
    files : list of Path
        JSON, oldest first.
    values : dict
        The parameters of this run: another may have written its own result at the same time.

    Returns
    -------
    tuple of str
        Two; "-" where there is none.
    """
    from utils.evaluation import Estimate

    for file in reversed(files):
        result = json.loads(file.read_text(encoding="utf-8"))
        used = {"SEED": result.get("seed", values.get("SEED"))} | result.get("parameters", {})
        if "headline" in result and all(used.get(n, v) == v for n, v in values.items()):
            source, found = result["source"], result["headline"]
            source = "SYNTHETIC" if source == "synthetic" else source
            return f"{found['name']} {Estimate.from_json(found):.2f}", source
    return "-", "-"


def missing_images():
    """Why the folder of real images cannot be used: the error, or None if it can."""
    from utils import data

    try:
        data.load_table("folder")
    except (OSError, ValueError) as error:
        return error
    return None


def shown(path):
    """A path as the person sees it: relative to the course where it lies inside."""
    return str(path.relative_to(settings.ROOT) if path.is_relative_to(settings.ROOT) else path)
