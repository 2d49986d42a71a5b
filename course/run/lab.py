"""JupyterLab on the learner's own copies of the lessons."""

import os
import re
import shutil
import signal
import subprocess
import sys

from course.errors import CourseError
from course.lessons import choose_lessons, notebook, optional
from course.run.terminal import environment, shown
from utils import settings


def copies():
    """Copy each notebook that is not there yet to ``my_notebooks/``; nothing there is overwritten.

    JupyterLab saves a notebook as soon as it is opened. In a copy that harms neither the committed
    notebook nor, when that one is built anew, the learner's answers.

    Returns
    -------
    list of Path
        The copies, in the course's order, optional notebooks last.

    Raises
    ------
    CourseError
        If there is no lesson, or the folder cannot be written.
    """
    folder = settings.work() / "my_notebooks"
    lessons = [*choose_lessons(), *map(notebook, optional())]
    mine = [folder / lesson.name for lesson in lessons]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for lesson, copy in zip(lessons, mine, strict=True):
            if not copy.exists():
                # The contents alone: a read-only lesson shall not become a read-only copy.
                settings.write_atomically(copy, lambda p, lesson=lesson: shutil.copyfile(lesson, p))
    except OSError as error:
        raise CourseError(str(settings.unwritable(folder, error))) from error
    return mine


def lab(options):
    """Open JupyterLab on the copies, with the first lesson in front. Returns the exit code.

    Parameters
    ----------
    options : list of str
        JupyterLab's own, such as ``--no-browser``. If one is a path or says which folder to open
        (``runs``, ``--notebook-dir=runs``), that is opened instead.
    """
    words = ["--LabApp.news_url=None"]  # else a window asks a beginner about news first
    if not any(os.path.exists(o) or re.search("notebook-dir|root_dir", o) for o in options):
        first = copies()[0]
        folder = shown(first.parent)
        print(
            f"Your copies of the lessons are in {folder}; delete one to start it afresh.",
            flush=True,
        )
        words += [
            f"--ServerApp.root_dir={first.parent}",
            f"--LabApp.default_url=/lab/tree/{first.name}",
        ]
    # JupyterLab refuses to run as root, the usual user in a container, unless it is told to.
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        words.append("--allow-root")
    # The setup cell looks for the course in its own and all parent folders, then on Python's path:
    # $COURSE_WORK_DIR may lie anywhere.
    path = os.pathsep.join(filter(None, [str(settings.ROOT), os.environ.get("PYTHONPATH")]))
    with environment(PYTHONPATH=path):
        process = subprocess.Popen([sys.executable, "-m", "jupyterlab", *words, *options])
    for name in ("SIGTERM", "SIGHUP"):  # sent to this process alone, unlike Ctrl-C
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:
            signal.signal(getattr(signal, name), lambda *_: process.terminate())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # JupyterLab hears it too, and asks whether to stop
