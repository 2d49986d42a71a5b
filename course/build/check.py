"""What is wrong with lessons: sources, stored outputs, and what they cost their reader."""

import json
import os
import re

from course import lessons
from course.build import prose_numbers, style
from course.build.source import code_cells, render, seconds_of, sources, with_outputs, written
from course.build.style import tags
from course.errors import CourseError
from utils import settings

WIDGET = "application/vnd.jupyter.widget-view+json"
MAX_BYTES = 1_000_000
MACHINE_PATH = re.compile(r"/(?:root|home/\w+|Users/\w+|tmp/\w+)/|[A-Z]:\\+Users\\")
REPR = re.compile(r"\W*<\w|Text\(")  # of an object that has nothing to say


def source_problems(notebook, path):
    """Where a notebook differs from what its source renders to, one sentence each.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    path : Path
        Where it stands, or will.
    """
    source = path.parent / "src" / f"{lessons.name_of(path)}.py"
    if not source.exists():
        return [f"it has no source {source.name}"]
    found = style.picture_problems(notebook)
    if _content(notebook) != _content(render(source, seconds_of(notebook))):
        found.append(f"it does not agree with {source.name}: run `make notebooks`")
    repository, branch = lessons.address()
    colab = "https://colab.research.google.com/github/"
    badge = f"{colab}{repository}/blob/{branch}/notebooks/{path.name}"
    links = re.findall(re.escape(colab) + r'[^)\s"]+', notebook.cells[0].source)
    if links != [badge]:
        found.append(f"its Colab badge must lead to {badge}, not to {links}")
    try:
        if lessons.name_of(path) not in lessons.optional():  # `course run` gives it none
            lessons.parameters(notebook)
    except ValueError as error:
        found.append(str(error))
    return found


def _content(notebook):
    cells = [(c.id, c.cell_type, c.source, c.metadata) for c in notebook.cells]
    return cells, notebook.metadata


def output_problems(notebook):
    """What is wrong with a notebook's stored outputs, one sentence each."""
    import nbformat

    found = []
    cells = [cell for cell in code_cells(notebook) if cell.source.strip()]
    if [c.execution_count for c in cells] != list(range(1, len(cells) + 1)):
        found.append("its cells were not all executed, once and in order")
    if not any(c.outputs for c in cells):
        found.append("it has no outputs")
    for cell in cells:
        for output in cell.outputs:
            found += [f"{cell.id} {what}" for what in _complaints(cell, output)]
    size = len(nbformat.writes(notebook).encode())
    if size >= MAX_BYTES:
        found.append(f"it has {size:,} bytes, where {MAX_BYTES:,} are the limit")
    return found


def _complaints(cell, output):
    """What is wrong with one output of a code cell."""
    data = output.get("data", {})
    image = any(kind.startswith("image/") for kind in data)
    plain, page = data.get("text/plain", ""), data.get("text/html", "")
    said = [v for k, v in data.items() if not k.startswith("image/")]
    text = json.dumps(said) + output.get("text", "") + "".join(output.get("traceback", []))
    here = [str(settings.ROOT), *filter(None, map(os.environ.get, settings.FOLDERS))]
    if output.output_type == "error" and "raises-exception" not in tags(cell):
        yield f"raises {output.ename}: {output.evalue}"
    if output.get("name") == "stderr":
        yield f"writes to stderr: {text.strip()[:300]}"
    if MACHINE_PATH.search(text) or any(place in text for place in here):
        yield f"shows a path of this machine: {text.strip()[:300]}"
    if data.keys() == {"text/plain"} and REPR.match(plain):
        yield f"shows {plain[:60]}: begin its last line with `_ = `"
    if WIDGET in data:
        yield "stores a widget"
    tag = style.pixels(cell)
    if tag and data and output.metadata.get("source") != style.PIXELS[tag]:
        yield f"is tagged `{tag}` and has an output that is not known to be {style.PIXELS[tag]}"
    if tag != "pictures" and "SYNTHETIC" in text:
        yield "says SYNTHETIC where real lesions are needed"
    foreign = image and not plain.startswith("<Figure")
    if not tag and (foreign or re.search("<img|data:image", page)):
        yield "shows an image that Matplotlib did not draw and is not tagged `samples`"


def lesson_problems(source):
    """What a lesson costs its reader, and where it breaks the rules of its form.

    Returns
    -------
    dict of str to int
        ``style.measure`` and ``seconds``.
    list of str
        Problems. Numbers and alternative texts are looked at only where the notebook was built
        from the same code.
    """
    import nbformat

    path = lessons.notebook(source.stem)
    built = with_outputs(source, nbformat.read(path, 4) if path.exists() else None)
    notebook = built or render(source)
    seconds = seconds_of(notebook)
    found = source_problems(notebook, path) + style.word_problems(notebook)
    if source.stem not in lessons.optional():
        found += _form_problems(source.stem, notebook, seconds)
    exercises = lessons.NOTEBOOKS.parent / "utils" / "exercises" / source.name
    if exercises.exists():
        found += style.replaced_words(exercises.read_text(encoding="utf-8"))
    if built:
        found += style.alt_problems(notebook)
        found += prose_numbers.problems(written(source), notebook)
    return style.measure(notebook, seconds) | {"seconds": seconds}, found


def _form_problems(name, notebook, seconds):
    """Where a lesson of the series breaks its budget and its form, one sentence each."""
    first, found = name == lessons.names()[0], []
    if notebook.cells[-1].source.strip() != style.LAST:
        found.append(f"its last cell must be `{style.LAST}`")
    limits = style.QUICKSTART if first else style.LIMITS
    found += style.budget_problems(notebook, seconds, limits)
    remembers = any(style.REMEMBER in text for text in style.texts(notebook))
    if name in lessons.names()[3:] and not remembers:
        found.append(f"it does not open with **{style.REMEMBER}**")
    if notebook.cells[-2].source.strip() != style.PROGRESS:
        found.append(f"its last cell but one must be `{style.PROGRESS}`")
    return found


def check_lessons(wanted=()):
    """Print what lessons cost their reader, and their problems. Returns the exit code.

    Parameters
    ----------
    wanted : list of str
        Numbers; none means all.
    """
    rows, said = [], []
    for source in sources(wanted):
        try:
            counted, found = lesson_problems(source)
        except CourseError as error:
            counted, found = {}, [str(error)]
        if counted:
            rows = rows or [["lesson", *counted]]
            rows.append([source.stem, *map(str, counted.values())])
        said += [f"{source.stem}: {problem}" for problem in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    print("\n".join(said) or "No problems.")
    return int(bool(said))
