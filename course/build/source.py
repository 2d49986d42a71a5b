"""Notebooks from their sources in notebooks/src/, not executed, and with outputs given to them."""

import copy
import hashlib
import re

from course import lessons
from course.build import style
from course.build.render import render as fill
from course.build.style import tags
from course.errors import CourseError
from utils import digest, results, settings

DISCLAIMER = (
    "> **For education only.** Nothing here is a medical device, and no output of it is a "
    "diagnosis. Show a mole that is new, changes or worries you to a doctor."
)
MINUTES = "@minutes@"  # until all the rest is there to be counted
SETUP = "# {{ setup }}"
CELLS = re.compile(r"^# \{\{ cells of (\w+) \}\}$", re.MULTILINE)
PROJECT = "classifier"  # the tag of the cells that make a whole project of their own
ALT = re.compile(r"^# alt: (.+)\n?", re.MULTILINE)
READ = re.compile(r"\bcommitted\(\s*\"(\w+)\"")  # records, by code
NAMED = re.compile(r"\b(?:committed|quote|verdict)\(\s*\"(\w+)\"")  # records, by code or prose
ASKS_MODEL = re.compile(r"\bserve\.|\bload_model\(\)|\bSHIPPED\b")  # the shipped one, by code
CHECK = re.compile(r"exercises\.check\(\s*\"(\w+\.\d+)\"")
SOLUTION = """<details><summary>Solution of {}</summary>

```python
{}
```

</details>"""


def sources(wanted=()):
    """Sources of notebooks, ``notebooks/src/NAME.py``: list of Path, in the course's order.

    Parameters
    ----------
    wanted : list of str
        Names or numbers; none means all lessons, and after them the optional notebooks.

    Raises
    ------
    Refused
        If there is no such lesson.
    """
    every = (*lessons.names(), *lessons.optional())
    return [_path(name) for name in (lessons.chosen(",".join(wanted)) if wanted else every)]


def _path(name):
    return lessons.NOTEBOOKS / "src" / f"{name}.py"


def read(source):
    """The text of a source; in place of ``# {{ cells of NAME }}`` the project of that lesson."""
    text = source.read_text(encoding="utf-8")
    return CELLS.sub(lambda found: "\n\n".join(_project(found[1])), text)


def _project(name):
    """The cells of a lesson that make a whole project, without the titles that fold them."""
    import jupytext

    cells = jupytext.reads(_path(name).read_text(encoding="utf-8"), fmt="py:percent").cells
    return [re.sub("# @title .*\n", "", c.source) for c in cells if PROJECT in tags(c)]


def render(source, seconds=style.SECONDS):
    """A notebook, not executed, from its source.

    Parameters
    ----------
    source : Path
        ``notebooks/src/NAME.py``, jupytext percent format. Markdown cells are Jinja2 templates
        that know ``repository``, ``branch``, ``release``, ``number`` (of a lesson), ``notebook``,
        ``minutes``, ``disclaimer``, ``number_of(NAME)`` and ``notebook_of(NAME)`` of another, and
        what ``render.ENVIRONMENT`` knows; in code cells only the line ``# {{ setup }}`` is
        replaced, by ``_setup.py``, and ``# {{ cells of NAME }}``, as ``read`` does. A code cell
        tagged ``solution`` becomes a folded Markdown cell; lines ``# alt: ...``, templates too, go
        to the cell's metadata.
    seconds : float
        Of its default run, for ``minutes``.

    Raises
    ------
    CourseError
        If a template names anything else, a figure is not in ``results/``, a solution checks no
        exercise, or a diagram has no alternative text.
    """
    import jupytext

    setup = (source.parent / "_setup.py").read_text(encoding="utf-8").strip()
    repository, branch = lessons.address()
    names = {
        "repository": repository,
        "branch": branch,
        "release": lessons.release(),
        "number_of": lessons.number,
        "notebook": f"notebooks/{lessons.notebook(source.stem).name}",
        "notebook_of": lambda name: lessons.notebook(name).name,
        "disclaimer": DISCLAIMER,
        "minutes": MINUTES,
    }
    if source.stem not in lessons.optional():
        names["number"] = lessons.number(source.stem)
    notebook = jupytext.reads(read(source), fmt="py:percent")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    code = [setup]  # neither the address nor any Markdown: no output depends on them
    try:
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell-{number:02d}"
            cell.metadata.pop("lines_to_next_cell", None)
            if cell.cell_type == "markdown":
                cell.source = fill(cell.source, **names)
                continue
            _take_alt(cell, names)
            code.append([cell.source, sorted({*style.PIXELS, "solution"} & set(tags(cell)))])
            if SETUP in cell.source.splitlines():
                cell.source = cell.source.replace(SETUP, fill(setup, **names))
            if marker := re.search(r"\{\{ .*? \}\}", cell.source):
                raise CourseError(f"nothing is put in place of {marker[0]} in a code cell.")
            if "solution" in tags(cell):
                notebook.cells[number] = _folded(cell)
    except CourseError as error:
        raise CourseError(f"{source.name}: {error}") from error
    minutes = str(style.measure(notebook, seconds)["minutes"])
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace(MINUTES, minutes)
    notebook.metadata = _metadata(made_from(source) | {"code": digest.of(code)}, seconds)
    return notebook


def _take_alt(cell, names):
    found = [fill(text, **names) for text in ALT.findall(cell.source)]
    cell.source = ALT.sub("", cell.source).rstrip()
    diagrams = re.findall(r"\bdiagrams\.(\w+)\(", cell.source)
    if diagrams and not found:
        from utils.diagrams import ALT as known

        if missing := [name for name in diagrams if name not in known]:
            raise CourseError(f"there is no alternative text of diagrams.{missing[0]}.")
        found = [known[name] for name in diagrams]
    if found:
        cell.metadata["alt"] = found


def _folded(cell):
    """A solution as the Markdown cell that learners see."""
    from nbformat.v4 import new_markdown_cell

    numbers = CHECK.findall(cell.source)
    if len(numbers) != 1:
        raise CourseError(f"a solution must call exercises.check once: {cell.source[:40]!r}.")
    text = SOLUTION.format(numbers[0], cell.source)
    return new_markdown_cell(text, id=cell.id, metadata={"tags": ["solution"]})


def made_from(source):
    """What a lesson's outputs depend on beside its own cells: digests by name.

    ``helpers`` are the modules that it imports, its exercises among them; then each record that its
    code reads, and the shipped model if it asks it.
    """
    code = _code(source)
    found = {"helpers": digest.of_files(helper_files(source))}
    for name in sorted(set(READ.findall(code))):
        found[name] = digest.of((results.COMMITTED / f"{name}.json").read_text(encoding="utf-8"))
    if ASKS_MODEL.search(code):
        found["model"] = digest.of([hashlib.sha256(p.read_bytes()).hexdigest() for p in _model()])
    return found


def _code(source):
    """A lesson's code, without Markdown and comments of a whole line."""
    lines = read(source).splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


def helper_files(source):
    """The course's files that a lesson imports, directly or not: set of str."""
    text = read(source)
    own = f"utils/exercises/{source.stem}.py"
    named = [own] if (settings.ROOT / own).exists() else []
    return digest.files(*digest.imports(text), *named)


def _model():
    """The shipped model and what stands beside it: list of Path."""
    return sorted(settings.SHIPPED.parent.glob(f"{settings.SHIPPED.stem}.*"))


def needed(source):
    """What a notebook is made from beside its own source: list of str, relative to the course.

    Sources of which it takes the cells, records and models that it quotes or reads.
    """
    others = CELLS.findall(source.read_text(encoding="utf-8"))
    found = [f"notebooks/src/{name}.py" for name in others]
    found += [f"results/{name}.json" for name in sorted(set(NAMED.findall(read(source))))]
    model = _model() if ASKS_MODEL.search(_code(source)) else []
    return found + [path.relative_to(settings.ROOT).as_posix() for path in model]


def _metadata(made_from, seconds):
    """Only what Jupyter and papermill need, and what the builder wants to know the next time."""
    from nbformat import from_dict

    return from_dict(
        {
            "course": {"made_from": made_from, "seconds": seconds},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )


def written(source):
    """What a lesson's source says in words, templates not filled in.

    Returns
    -------
    list of str
        For each cell its Markdown; of a code cell its alternative texts.
    """
    import jupytext

    cells = jupytext.reads(read(source), fmt="py:percent").cells
    return [
        c.source if c.cell_type == "markdown" else " ".join(ALT.findall(c.source)) for c in cells
    ]


def with_outputs(source, old):
    """The notebook of a source with the outputs of an old one; None if the code has changed."""
    if old is None:
        return None
    notebook = render(source, seconds_of(old))
    if notebook.metadata != old.metadata or len(code_cells(notebook)) != len(code_cells(old)):
        return None
    copy_outputs(old, notebook)
    return notebook


def seconds_of(notebook):
    """How long its default run took, as stored in it."""
    return notebook.metadata.get("course", {}).get("seconds", style.SECONDS)


def code_cells(notebook):
    """Its code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def copy_outputs(executed, notebook):
    """Give a notebook the outputs of one with the same code, and its figures their texts."""
    for cell, done in zip(code_cells(notebook), code_cells(executed), strict=True):
        cell.outputs, cell.execution_count = copy.deepcopy(done.outputs), done.execution_count
        for figure in style.figures(cell):
            figure.metadata.get("image/png", {}).pop("alt", None)
        for figure, text in zip(style.figures(cell), cell.metadata.get("alt", []), strict=False):
            figure.metadata.setdefault("image/png", {})["alt"] = text
