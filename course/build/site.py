"""Builds the web book in site/_build/html: Sphinx over executed notebooks and rendered pages.

Sphinx reads neither as they are: notebooks lose their badge (the theme has a button) and gain what
folds their cells, pages get links that lead to other pages of the book or else to the repository.
"""

import base64
import itertools
import posixpath
import re
import shutil

from course import lessons
from course.build import pages, style, try_page
from course.build.render import render
from course.build.site_check import problems
from course.build.source import code_cells
from course.errors import CourseError
from course.run.terminal import shown
from utils import results, settings

SITE = settings.ROOT / "site"
OUT = SITE / "_build"
# Pages of the repository that the book shows too, and templates in site/ that it alone has.
PAGES = {name: name.replace("README", "index") for name in (*pages.PAGES, "data/README.md")}
PAGES |= {"README.md": "index.md", "data/samples/README.md": "data/samples/index.md"}
TEMPLATES = ("index.md", "teachers.md", "try/index.md")
BADGE = re.compile(r"\A\[!\[Open In Colab\].*\n+")
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
FLOWCHART = re.compile(r"```mermaid\n(.*?)```\n", re.DOTALL)
CORNER = re.compile(r'<th(?: class="head")?>(?:<p></p>)?</th>')  # a heading without text
SLIDER = """```{{admonition}} A slider stands here
The figure above is one of its positions. It moves where the lesson runs: [open it in Colab]({}).
```"""
FOREST = {  # sets of results/elsewhere.json, from the top
    "HAM10000, test": "at home: HAM10000, test",
    "HAM10000, test, without follow-up": "at home, without easy moles",
    "ISIC 2017, all": "other clinics: ISIC 2017",
    "PAD-UFES-20, all": "phones: PAD-UFES-20",
}
WHO = {"shipped network": "shipped", "colour baseline": "colours"}


def site():
    """Build the book, and into ``try/`` the page that runs the model. Returns the exit code.

    Raises
    ------
    CourseError
        If a link leads nowhere, a figure is not there, Sphinx has a warning, or the built pages
        have one of the faults for which ``site_check`` looks.
    """
    new = book(OUT)
    try_page.build(new / "try")
    if found := problems(new):
        raise CourseError("\n".join(["The book is not as it should be:", *found]))
    shutil.rmtree(OUT / "html", ignore_errors=True)
    new.rename(OUT / "html")
    print(f"{shown(OUT / 'html' / 'index.html')} is the first page of the book")
    return 0


def book(out):
    """The folder of the built book without ``try/``: ``new`` in a folder, errors as ``site``."""
    from sphinx.cmd.build import build_main

    source, new = out / "source", out / "new"
    for folder in (source, new):
        shutil.rmtree(folder, ignore_errors=True)
    write_sources(source)
    words = ["-n", "-W", "-q", "--keep-going", "-E", "-c", str(SITE), "-d", f"{source}.doctrees"]
    if build_main([*words, str(source), str(new)]):
        raise CourseError("The book was not built: Sphinx says above why.")
    for page in new.rglob("*.html"):
        settings.write_text(page, CORNER.sub("<td></td>", page.read_text(encoding="utf-8")))
    return new


def write_sources(folder):
    """Write what Sphinx reads into an empty folder."""
    import nbformat

    chosen = [lessons.notebook(name) for name in (*lessons.names(), *lessons.optional())]
    there = {f"notebooks/{path.name}" for path in chosen} | {*PAGES.values(), *TEMPLATES}
    names = pages.names() | {"said": said, "colab": colab}
    names["lessons"] = rows = list(itertools.chain(*names["parts"].values()))
    names |= {
        "forest": lambda: forest(folder),
        "figure": lambda *words: figure(folder, *words),
        "minutes": lambda chosen: sum(int(row["minutes"]) for row in chosen),
        "rows_of": lambda *wanted: [row for row in rows if row["name"] in wanted],
    }
    (folder / "figures").mkdir(parents=True)
    for path in chosen:
        notebook = prepared(nbformat.read(path, 4), f"notebooks/{path.name}", there)
        settings.make_folder(folder / "notebooks")
        nbformat.write(notebook, folder / "notebooks" / path.name)
    for name in TEMPLATES:
        text = render((SITE / name).read_text(encoding="utf-8"), **names)
        _write(folder / name, linked(text, name, there))
    for name in PAGES.keys() - {"README.md"}:
        text = FRONT_MATTER.sub("", (settings.ROOT / name).read_text(encoding="utf-8"))
        if name == "results/README.md":
            text = folded(text.replace("<!-- forest -->", forest(folder)))
        _write(folder / PAGES[name], linked(without_mermaid(text), name, there))


def _write(path, text):
    settings.make_folder(path.parent)
    settings.write_text(path, text)


def prepared(notebook, page, there):
    """A notebook for the book: without its badge, folded, its images with their texts.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    page : str
        Its path in the repository.
    there : set of str
        The paths of all pages of the book.
    """
    from nbformat.v4 import new_markdown_cell

    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            cell.source = linked(BADGE.sub("", cell.source), page, there)
            continue
        tags = list(style.tags(cell))
        if style.is_setup(cell) or "folded" in tags:
            tags.append("hide-input")
        cell.metadata.tags = tags
        texts = [f.metadata.get("image/png", {}).get("alt", "") for f in style.figures(cell)]
        if texts:
            cell.metadata["mystnb"] = {"image": {"alt": " ".join(texts)}}
        if "ipywidgets.interact(" in cell.source:
            cells.append(new_markdown_cell(SLIDER.format(colab(page))))
    notebook.cells = cells
    return notebook


def colab(page):
    """The address at which Colab opens a notebook."""
    repository, branch = lessons.address()
    return f"https://colab.research.google.com/github/{repository}/blob/{branch}/{page}"


def linked(text, page, there):
    """Markdown whose links to the repository's files work in the book.

    Parameters
    ----------
    text : str
    page : str
        Its path in the repository, to which its links are relative.
    there : set of str
        The paths of all pages of the book.

    Raises
    ------
    CourseError
        If a link leads to nothing.
    """
    repository, branch = lessons.address()
    hub = f"https://github.com/{repository}"

    def one(found):
        target, _, anchor = found[2].partition("#")
        anchor = f"#{anchor}" if anchor else ""
        target = re.sub(rf"^{hub}/(?:blob|tree)/{branch}/", "/", target)
        if not target or re.match(r"[a-z]+:|/figures/", target):
            return found[0]
        path = posixpath.normpath(posixpath.join("/", posixpath.dirname(page), target))[1:]
        inside = PAGES.get(path, path)
        if inside in there:
            start = posixpath.dirname(PAGES.get(page, page)) or "."
            return f"{found[1]}{posixpath.relpath(inside, start)}{anchor}{found[3]}"
        if not (settings.ROOT / path).exists():
            raise CourseError(f"{page} links to {found[2]}, and there is no {path}.")
        kind = "tree" if (settings.ROOT / path).is_dir() else "blob"
        return f"{found[1]}{hub}/{kind}/{branch}/{path}{anchor}{found[3]}"

    return LINK.sub(one, text)


def folded(text):
    """Markdown whose tables are folded, each under the words of its first row."""

    def one(found):
        head = [word.strip() for word in found[0].splitlines()[0].strip("|").split("|")]
        rows = found[0].count("\n") - 2
        words = f"Table of {rows} rows: {', '.join(filter(None, head))}"
        return f"<details><summary>{words}</summary>\n\n{found[0]}\n</details>\n"

    return TABLE.sub(one, text)


def without_mermaid(text):
    """Markdown in which a flowchart that is one chain is a numbered list: no script draws it."""
    return FLOWCHART.sub(
        lambda found: "".join(f"1. {box}\n" for box in re.findall(r'\["(.+?)"\]', found[1])), text
    )


def stored(name):
    """A lesson's notebook, as it is in the repository."""
    import nbformat

    return nbformat.read(lessons.notebook(name), 4)


def said(name, pattern):
    """What the first group of a pattern finds in the outputs of a lesson: a number for a page.

    Raises
    ------
    CourseError
        If it is not there exactly once.
    """
    text = "\n".join(map(style.output_text, code_cells(stored(name))))
    found = re.findall(pattern, text, re.MULTILINE)
    if len(found) != 1:
        raise CourseError(f"{name} says {pattern!r} {len(found)} times, not once.")
    return found[0]


def figure(folder, name, words):
    """Markdown of a stored figure: the one that stands in a lesson's cell with these words.

    Raises
    ------
    CourseError
        If there is no such figure, or several.
    """
    found = [
        (c, f) for c in code_cells(stored(name)) if words in c.source for f in style.figures(c)
    ]
    if len(found) != 1:
        raise CourseError(f"{name} has {len(found)} figures from cells with {words!r}.")
    [(cell, output)] = found
    file = f"{name}-{cell.id}.png"
    (folder / "figures" / file).write_bytes(base64.b64decode(output.data["image/png"]))
    return f"![{output.metadata['image/png']['alt']}](/figures/{file})"


def forest(folder):
    """Markdown of a figure of the shipped model's AUC, from results/elsewhere.json."""
    from utils import plots

    sets = results.committed("elsewhere")["sets"]
    found = {who: [sets[one][key]["roc_auc"] for one in FOREST] for who, key in WHO.items()}
    heading, xlabel = (
        "The AUC at home and elsewhere",
        "AUC with its 95 % interval (dashed: guessing)",
    )
    drawn = plots.intervals(found, list(FOREST.values()), heading, xlabel, 0.5)
    drawn.set_size_inches(6.4, 3.2)  # to be read on a phone
    drawn.savefig(folder / "figures" / "forest.png", dpi=160)
    each = [
        f"{FOREST[one]} {a:.2f} and {b:.2f}"
        for one, a, b in zip(FOREST, *found.values(), strict=True)
    ]
    return f"![AUC of the {' and of the '.join(WHO)}: {'; '.join(each)}.](/figures/forest.png)"
