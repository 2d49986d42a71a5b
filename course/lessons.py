"""The lessons and what they can be given: their names, their parameters, the course's address."""

import ast
import difflib
import json
import os
import re
import tomllib
from functools import lru_cache

from course.errors import CourseError, Refused
from utils import settings

NOTEBOOKS = settings.ROOT / "notebooks"


def pyproject():
    """What pyproject.toml says: dict."""
    return _parsed((NOTEBOOKS.parent / "pyproject.toml").read_text(encoding="utf-8"))


_parsed = lru_cache(tomllib.loads)  # asked for hundreds of times by a page


def names():
    """The lessons in their order: the one place where they have one."""
    return tuple(pyproject()["tool"]["course"]["lessons"])


def optional():
    """Notebooks that are built as lessons are and stand outside the series, without a number."""
    return tuple(pyproject()["tool"]["course"].get("optional", ()))


def number(name):
    """The number of a lesson in the series, as ``"04"``.

    Raises
    ------
    CourseError
        If there is no such lesson.
    """
    known = names()
    if name not in known:
        raise CourseError(f"There is no lesson {name!r} in the list in pyproject.toml.")
    return f"{known.index(name):02d}"


def notebook(name):
    """Path of a notebook: a lesson's begins with its number; errors as ``number``."""
    return NOTEBOOKS / f"{name if name in optional() else f'{number(name)}_{name}'}.ipynb"


def name_of(path):
    """The name of the lesson that a notebook holds, or of an optional one."""
    return re.sub(r"^\d\d_", "", path.stem)


def chosen(wanted=""):
    """Names of the lessons that ``LESSONS=`` asks for, in the course's order.

    Parameters
    ----------
    wanted : str
        Numbers, ranges and names joined by commas (``"00,02-04,training"``); "" means all of the
        series. Optional notebooks are chosen by name alone.

    Raises
    ------
    Refused
        If a word names no lesson.
    """
    known, found = names(), set()
    for word in filter(None, (w.strip() for w in wanted.split(","))):
        span = re.fullmatch(r"(\d+)(?:-(\d+))?", word)
        if span:
            meant = known[int(span[1]) : int(span[2] or span[1]) + 1]
        else:
            meant = [n for n in (*known, *optional()) if word in (n, notebook(n).stem)]
        if not meant:
            there = ", ".join(notebook(n).stem for n in known)
            raise Refused(f"LESSONS={wanted}: no lesson is called {word!r}; there are {there}.")
        found.update(meant)
    return [n for n in (*known, *optional()) if n in found] or list(known)


def address():
    """Repository (``owner/name``) and branch or tag, from pyproject.toml."""
    table = pyproject()["tool"]["course"]
    return table["repository"], table["branch"]


def release():
    """The tag that a notebook's setup fetches: ``v`` and the version in pyproject.toml."""
    return f"v{pyproject()['project']['version']}"


def choose_lessons(wanted=""):
    """Notebooks of the lessons that ``LESSONS=`` asks for: list of Path. Errors as ``chosen``.

    Raises
    ------
    CourseError
        If one is not built.
    """
    lessons = [notebook(name) for name in chosen(wanted)]
    for path in lessons:
        if not path.exists():
            raise CourseError(f"{path.name} is not in {NOTEBOOKS}: run `make notebooks`.")
    return lessons


def parameters(notebook):
    """Names and defaults in a notebook's ``parameters`` cell.

    Parameters
    ----------
    notebook : nbformat.NotebookNode, dict or Path
        Not executed.

    Raises
    ------
    ValueError
        If there is not exactly one such cell, or it holds anything but ``NAME = constant``:
        papermill does not compute anew what is derived from a parameter.
    """
    if isinstance(notebook, os.PathLike):
        notebook = json.loads(notebook.read_text(encoding="utf-8"))
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
            known[path] = parameters(path)
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
        if name in settings.FOLDERS:
            os.environ[name] = value
        else:
            given[name] = value
    settings.make_folders_absolute()
    return given


def split_make(text):
    """The variables of make's command line, from ``$(MAKEOVERRIDES)``.

    make puts a backslash before blanks and backslashes. ``PYTHON`` was for the Makefile.
    """
    words = [re.sub(r"\\(.)", r"\1", w) for w in re.findall(r"(?:\\.|[^\s\\])+", text)]
    return [word for word in words if not word.startswith("PYTHON=")]
