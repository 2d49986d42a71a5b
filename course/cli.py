"""The command line: ``python -m course --help`` lists the commands; the Makefile calls them.

What takes seconds to import is imported where it is used, so that help and refusals come at once.
"""

import argparse
import contextlib
import importlib
import os
import signal
import sys

from course.errors import CourseError, Refused
from course.lessons import split_make, split_settings
from course.run.grade import NOTE
from utils import settings


def main(words=None):
    """Command line. Returns the exit code: 2 if what was given is refused, 1 if it failed."""
    _mend_streams()
    words, options = list(sys.argv[1:] if words is None else words), []
    if words[:1] in (["test"], ["lab"]):  # what follows is for pytest and JupyterLab
        words, options = words[:1], words[2 if words[1:2] == ["--"] else 1 :]
    arguments = _parser().parse_args(words)
    settings.make_folders_absolute()
    try:
        with _stopped_by_signals():
            return _call(arguments, options)
    except CourseError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _mend_streams():
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started this: no other file may take its number
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):  # a Windows console may lack a character: show "?"
            stream.reconfigure(errors="replace")


@contextlib.contextmanager
def _stopped_by_signals():
    """SIGTERM, and SIGHUP of a closed terminal, end a command as Ctrl-C does: it clears up."""
    before = {}
    with contextlib.suppress(ValueError):  # in a thread, which hears no signal
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
                before[number] = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m course",
        description="Learn to build, judge and use a melanoma classifier.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in (
        ("run", "run lessons; their notebooks with outputs go to runs/"),
        ("record", "run lessons on real images (00 with five seeds), into results/"),
        ("test-matrix", "run lessons in other environments (ROWS=, LESSONS=), into docs/matrix/"),
    ):
        command = commands.add_parser(name, help=summary)
        text = "LESSONS=00,02-04 SOURCE=folder|kaggle|synthetic|auto, or any lesson's parameter"
        command.add_argument("settings", nargs="*", metavar="NAME=VALUE", help=text)
        command.add_argument("--make", default="", help=argparse.SUPPRESS)
    commands.add_parser("test", help="run the test suite (options go to pytest)")
    commands.add_parser("lab", help="open JupyterLab on copies of the lessons (options go to it)")
    command = commands.add_parser("notebooks", help="rebuild notebooks and README from sources")
    command.add_argument("lessons", nargs="*", metavar="NN", help="only these lessons")
    command.add_argument("--all", action="store_true", help="execute unchanged ones too")
    command = commands.add_parser("check-lessons", help="count what lessons cost their reader")
    command.add_argument("lessons", nargs="*", metavar="NN", help="only these lessons")
    command = commands.add_parser("pages", help="render README, results page and model card")
    command.add_argument("--check", action="store_true", help="only say whether they are current")
    commands.add_parser("site", help="build the web book in site/_build/html")
    commands.add_parser("status", help="say what does not belong to code, parameters and model")
    command = commands.add_parser("refresh", help="make anew whatever is stale, in order")
    command.add_argument("stages", nargs="*", metavar="STAGE", help="only these, and before them")
    command.add_argument("--dry", action="store_true", help="only say what is stale, and why")
    text = "list what submitted notebooks say of their exercises, as CSV"
    command = commands.add_parser("grade", help=text, description=NOTE)
    command.add_argument("folder", metavar="FOLDER", help="with .ipynb files, at any depth")
    command.add_argument("--out", default="grades.csv", metavar="CSV", help="default: grades.csv")
    command = commands.add_parser("predict", help="ask the shipped model about images")
    command.add_argument("images", nargs="+", metavar="IMAGE")
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command = commands.add_parser("serve", help="start the prediction service and its page")
    command.add_argument("--host", default="127.0.0.1", help="default: this machine alone")
    command.add_argument("--port", type=int, default=8000)
    return parser


def _call(arguments, options):
    def call(place, *given):
        module, _, function = place.rpartition(".")
        return getattr(importlib.import_module(f"course.{module}"), function)(*given)

    match arguments.command:
        case "test-matrix":
            return call("run.matrix.test_matrix", _words(arguments))
        case "run":
            return call("run.terminal.run", split_settings(_words(arguments)))
        case "record":
            return call("run.record.record", split_settings(_words(arguments)))
        case "test":
            return test(options)
        case "lab":
            return call("run.lab.lab", options)
        case "notebooks":
            done = call("build.notebooks.notebooks", arguments.all, arguments.lessons)
            if "DVC_STAGE" not in os.environ:  # by hand: `refresh` itself writes the lock
                call("build.graph.accept", arguments.lessons)
            return done
        case "check-lessons":
            return call("build.check.check_lessons", arguments.lessons)
        case "pages":
            return call("build.pages.pages", arguments.check)
        case "site":
            return call("build.site.site")
        case "status":
            return call("build.graph.status")
        case "refresh":
            return call("build.graph.refresh", arguments.stages, arguments.dry)
        case "grade":
            return call("run.grade.grade", arguments.folder, arguments.out)
        case "predict":
            return call("run.ask.ask", arguments.images, arguments.json)
    return serve(arguments.host, arguments.port)


def _words(arguments):
    return arguments.settings + split_make(arguments.make)


def serve(host, port):
    """Start the service. Returns the exit code.

    Raises
    ------
    Refused
        If nothing can be served at this address, before the model is loaded; or in a notebook.
    CourseError
        If the model cannot be loaded.
    """
    import asyncio
    import socket

    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        raise Refused("A notebook cannot serve: type `python -m course serve` into a terminal.")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise Refused(
            f"{host}:{port} cannot be listened on ({why}): choose another with --port or --host."
        ) from error
    import uvicorn

    from course.run.ask import shipped
    from utils.serve import IDLE

    shipped()  # uvicorn would put pages around the sentence that says what is wrong
    uvicorn.run("utils.serve:app", host=host, port=port, timeout_keep_alive=IDLE)
    return 0


def test(options):
    """Run the test suite; options go to pytest. Returns its exit code.

    Two processes share the work, each with half of the processors, unless ``-n`` says otherwise.
    """
    import pytest

    words = [f"--rootdir={settings.ROOT}"]
    if not any(option.startswith("-n") for option in options):
        words += ["-n", "2", "--dist", "worksteal"]
        threads = str(max(1, (os.cpu_count() or 2) // 2))
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
            os.environ.setdefault(name, threads)
    return int(pytest.main([*words, *options]))
