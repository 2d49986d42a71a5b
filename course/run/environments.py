"""Pythons with packages of their own, to try the lessons with other versions than these."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from course.errors import CourseError
from course.run.terminal import shown
from utils import settings


def interpreter(version):
    """A Python of this version, such as ``"3.13"``, that can make virtual environments.

    Taken from ``$PYTHON`` alone where that is set, else looked for on the path, then pyenv's.

    Returns
    -------
    str or Path

    Raises
    ------
    CourseError
        If there is none.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [sys.executable, shutil.which(f"python{version}")]
    found += pyenv.glob(f"versions/{version}.*/bin/python")
    if os.environ.get("PYTHON"):
        found = [os.environ["PYTHON"]]
    test = f"import ensurepip, sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
    for start in filter(None, found):
        if shutil.which(start) and not subprocess.call(
            [start, "-c", test], stderr=subprocess.DEVNULL
        ):
            return start
    raise CourseError(
        f"There is no Python {version} here: install it, or say where it is with "
        f"PYTHON=/path/to/python{version}"
    )


def install(folder, version, words, state, failed):
    """Make a virtual environment, unless it is there. Returns its Python.

    Parameters
    ----------
    folder : Path
    version : str
        Of Python, as for ``interpreter``.
    words : list of str
        What pip is to install.
    state : str
        What the environment is made from: where it changes, the environment is made anew.
    failed : str
        What to say if pip fails.

    Raises
    ------
    CourseError
        If there is no such Python, or the packages cannot be installed.
    """
    python, stamp = folder / "bin" / "python", folder / "installed"
    state = f"Python {version}\n{state}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == state:
        return python
    start = interpreter(version)
    print(f"installing packages into {shown(folder)} (a few minutes) ...", flush=True)
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for command in ([start, "-m", "venv", "--clear", folder], [*pip, *words]):
        if subprocess.call(command):
            raise CourseError(failed)
    settings.write_text(stamp, state)
    return python
