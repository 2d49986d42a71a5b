"""Digests of code: what a number was computed with, so that a change of it can be seen.

Only what runs counts: comments, layout and docstrings do not."""

import ast
import hashlib
import json
from functools import cache

import numpy as np

from utils import settings

DRAWN_ONLY = {"utils/plots.py", "utils/diagrams.py"}  # no number comes from them
PACKAGES = ("utils", "experiments")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def files(*first):
    """The course's Python files that some files import, directly or not, and these themselves.

    Parameters
    ----------
    *first : str
        Relative to the course's folder, as ``"utils/data/__init__.py"``.

    Returns
    -------
    set of str
        Without those that only draw.
    """
    found, waiting = set(), list(first)
    while waiting:
        file = waiting.pop()
        if file not in found | DRAWN_ONLY:
            found.add(file)
            waiting += _parsed(file)[1]
    return found


def of_code(*paths):
    """One digest of Python files and of all that they import from the course.

    Parameters
    ----------
    *paths : Path
        Files of the course.

    Returns
    -------
    str
        The first 16 digits of a SHA-256.
    """
    return of_files(files(*(path.relative_to(settings.ROOT).as_posix() for path in paths)))


def of_files(names):
    """As ``of_code``, for a set of ``files`` without what they import."""
    return of({file: _parsed(file)[0] for file in sorted(names)})


def imports(source):
    """The course's files that a text of Python imports itself: list of str, as ``files``."""
    return _imports(ast.parse(source))


def of(content):
    """The digest of anything that JSON can hold: the first 16 digits of a SHA-256."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def of_pixels(images):
    """The digest of an array, of its shape and its content: the first 16 digits of a SHA-256."""
    content = hashlib.sha256(np.ascontiguousarray(images).view(np.uint8)).hexdigest()
    return of([list(images.shape), content])


def _parsed(file):
    """The digest of what a file says to Python, and the course's files that it imports."""
    return _parse(file, (settings.ROOT / file).read_bytes())


@cache
def _parse(file, content):
    tree = ast.parse(content)
    package = file.rpartition("/")[0]
    around = (
        [f"{package}/__init__.py"] if (settings.ROOT / package / "__init__.py").exists() else []
    )
    return of(_dumped(tree)), [*_imports(tree), *around]


def _dumped(node):
    """A syntax tree as lists and texts, the same under every Python (``ast.dump`` is not)."""
    if isinstance(node, list):
        return [_dumped(one) for one in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {
        name: value for name, value in ast.iter_fields(node) if value is not None and value != []
    }
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    if isinstance(node, ast.JoinedStr):  # Python 3.12 puts empty texts into it
        fields["values"] = [one for one in node.values if getattr(one, "value", None) != ""]
    return [type(node).__name__, {name: _dumped(value) for name, value in fields.items()}]


def _imports(tree):
    """The course's own files that a syntax tree imports, relative to its folder."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    found = []
    for name in sorted(names):
        if name.split(".")[0] in PACKAGES:
            place = name.replace(".", "/")
            files = (f"{place}.py", f"{place}/__init__.py")
            found += [file for file in files if (settings.ROOT / file).exists()]
    return found
