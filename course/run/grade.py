"""A table of what submitted notebooks say of their exercises. Nothing in them is run."""

import csv
import io
import json
import os
import re
import sys
from pathlib import Path

from course import lessons
from course.errors import CourseError, Refused
from utils import settings

NOTE = (
    "Nothing is run: this is what the stored outputs of the checks say. Anyone can type an output "
    "or copy a solution, so it proves nothing."
)
CALL = re.compile(r"""exercises\.(?:check|use)\(\s*["'](\w+)\.""")


def grade(folder, out):
    """Write what all notebooks below a folder say into a CSV, and what cannot be read to stderr.

    Parameters
    ----------
    folder : str
        What begins with a dot in it, such as JupyterLab's checkpoints, is left out.
    out : str
        The CSV: file, lesson, exercise, and its state as in ``states``.

    Returns
    -------
    int
        The exit code: 1 if a file could not be read.

    Raises
    ------
    Refused
        If there is no such folder.
    CourseError
        If it holds no notebook of a lesson, or the CSV cannot be written.
    """
    if not os.path.isdir(folder):
        raise Refused(f"{folder} is not a folder with notebooks; a zip must be unpacked first.")
    rows, failed = [], []
    for path in _files(folder, failed):
        name = path.relative_to(folder).as_posix()
        name = name.encode("utf-8", "replace").decode()
        try:
            found = states(path)
        except OSError as error:
            failed.append(f"{name} cannot be read ({error.strerror or error}).")
        except ValueError as error:
            failed.append(f"{name} {error}")
        else:
            rows += [(_harmless(name), n.partition(".")[0], n, found[n]) for n in found]
    if failed:
        print("\n".join(failed), file=sys.stderr)
    if not rows:
        raise CourseError(f"There is no notebook of a lesson in {folder}: nothing was written.")
    text = io.StringIO()
    text.write("\ufeff")  # by this mark Excel knows UTF-8
    header = ("file", "lesson", "exercise", "state")
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    try:
        settings.write_text(out, text.getvalue())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise CourseError(f"{out} cannot be written ({why}).") from error
    right = [row[-1] for row in rows].count("right")
    print(f"{out}: {right} of {len(rows)} exercises are right.")
    print(NOTE)
    return int(bool(failed))


def states(path):
    """What a notebook's stored outputs say of each exercise of its lesson.

    The lesson is the one whose checks the cells call, whatever the file is called. All code cells
    count but those tagged ``solution``: Colab, which knows no tags, may drop ``exercise``, and in
    the course's notebooks solutions are no code. Of several checks of an exercise the best counts.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to str
        By number: ``right``, ``not yet``, ``not begun`` or ``no output``.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no notebook of a lesson; the rest of a sentence that begins with its name.
    """
    from utils import exercises  # imports NumPy

    if path.suffix.lower() == ".zip":
        raise ValueError("is a zip: unpack it first.")
    if not path.is_file():
        raise ValueError("is not a file.")
    try:
        cells = _cells(json.loads(path.read_bytes()))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise ValueError("is not a notebook: ask for it again, saved as .ipynb.") from None
    called = {name for source, _ in cells for name in CALL.findall(source)}
    own = [name for name in lessons.names() if name in called]
    if not own:
        raise ValueError("calls no check of a lesson.")
    found = {number: "no output" for name in own for number in exercises.numbers(name)}
    rank = [*exercises.SAYS, "no output"].index
    for number, state in exercises.states_in("\n".join(text for _, text in cells)):
        if number in found:
            found[number] = min(found[number], state, key=rank)
    return found


def _cells(notebook):
    """Source and printed text of each code cell that a learner fills: list of (str, str)."""
    found = []
    for cell in notebook["cells"]:
        tags = cell.get("metadata", {}).get("tags", [])
        if cell["cell_type"] == "code" and "solution" not in tags:
            outputs = cell.get("outputs", [])
            printed = ["".join(o["text"]) for o in outputs if o.get("name") == "stdout"]
            found.append(("".join(cell["source"]), "".join(printed)))
    return found


def _files(folder, failed):
    """Notebooks and zips below a folder, sorted; what cannot be opened is added to ``failed``."""

    def unreadable(error):
        failed.append(f"{error.filename} cannot be read ({error.strerror}).")

    found = []
    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(place, name)
            for name in names
            if name.lower().endswith((".ipynb", ".zip")) and not name.startswith(".")
        ]
    return sorted(found)


def _harmless(name):
    """The name, after an apostrophe where a spreadsheet could take it for a formula."""
    return name if name[:1].isalnum() else f"'{name}"
