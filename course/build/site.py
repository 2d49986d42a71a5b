"""Builds the web book in site/_build/html: Sphinx over executed notebooks and rendered pages.

Sphinx reads neither as they are: notebooks lose their badge (the theme has a button) and gain what
folds their cells, pages get links that lead to other pages of the book or else to the repository.
"""

import posixpath
import re
import shutil
from pathlib import Path

from course import lessons
from course.build import pages, style
from course.build.render import render
from course.errors import CourseError
from utils import results, settings

SITE = settings.ROOT / "site"
OUT = SITE / "_build" / "html"
# Pages of the repository that the book shows too, and templates in site/ that it alone has.
PAGES = {name: name.replace("README", "index") for name in (*pages.PAGES, "data/README.md")}
PAGES |= {"README.md": "index.md", "data/samples/README.md": "data/samples/index.md"}
TEMPLATES = ("index.md", "teachers.md", "try/index.md")
BADGE = re.compile(r"\A\[!\[Open In Colab\].*\n+")
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
FLOWCHART = re.compile(r"```mermaid\n(.*?)```\n", re.DOTALL)
SLIDER = """```{{admonition}} A slider
It moves where the lesson runs: open it [in Colab]({}), or with `make lab`.
```"""
FOREST = "AUC of the shipped network and of nine colour values, at home and elsewhere: {}."
FOREST_SETS = {
    "HAM10000, test": "at home: HAM10000, test",
    "HAM10000, test, without follow-up": "at home, without easy moles",
    "ISIC 2017, all": "other clinics: ISIC 2017",
    "PAD-UFES-20, all": "phones: PAD-UFES-20",
}


def site():
    """Build the book, and into ``try/`` the page that runs the model. Returns the exit code.

    Raises
    ------
    CourseError
        If a link leads nowhere, a figure is not there, or Sphinx has a warning.
    """
    from sphinx.cmd.build import build_main

    source, new = SITE / "_build" / "source", SITE / "_build" / "new"
    for folder in (source, new):
        shutil.rmtree(folder, ignore_errors=True)
    write_sources(source)
    words = ["-n", "-W", "-q", "--keep-going", "-E", "-c", str(SITE), "-d", f"{source}.doctrees"]
    if build_main([*words, str(source), str(new)]):
        raise CourseError("The book was not built: Sphinx says above why.")
    try:
        from course.build import browser
    except ImportError:
        print("try/ says only what it will be: there is no course/build/browser.py.")
    else:
        browser.build(new / "try")
    shutil.rmtree(OUT, ignore_errors=True)
    new.rename(OUT)
    print(f"open {OUT / 'index.html'}")
    return 0


def write_sources(folder):
    """Write what Sphinx reads into an empty folder."""
    import nbformat

    chosen = [lessons.notebook(name) for name in (*lessons.names(), *lessons.optional())]
    there = {f"notebooks/{path.name}" for path in chosen} | {*PAGES.values(), *TEMPLATES}
    names = pages.names()
    for path in chosen:
        notebook = prepared(nbformat.read(path, 4), f"notebooks/{path.name}", there)
        settings.make_folder(folder / "notebooks")
        nbformat.write(notebook, folder / "notebooks" / path.name)
    for name in TEMPLATES:
        names["figure"] = lambda *words, name=name: figure(folder, name, *words)
        text = render((SITE / name).read_text(encoding="utf-8"), **names)
        _write(folder / name, linked(text, name, there))
    for name, page in PAGES.items():
        if page not in TEMPLATES:
            text = (settings.ROOT / name).read_text(encoding="utf-8")
            if name.startswith("results/"):
                text = with_forest(text, folder)
            text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
            _write(folder / page, linked(folded(without_mermaid(text)), name, there))


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


def figure(folder, page, name, words):
    """Markdown of a stored figure: the one that stands in a lesson's cell with these words.

    Raises
    ------
    CourseError
        If there is no such figure, or several.
    """
    import base64

    import nbformat

    cells = nbformat.read(lessons.notebook(name), 4).cells
    found = [(c, f) for c in cells if words in c.source for f in style.figures(c)]
    if len(found) != 1:
        raise CourseError(f"{name} has {len(found)} figures from cells with {words!r}.")
    [(cell, output)] = found
    path = Path("figures") / f"{name}-{cell.id}.png"
    settings.make_folder(folder / "figures")
    (folder / path).write_bytes(base64.b64decode(output.data["image/png"]))
    return f"![{output.metadata['image/png']['alt']}](/{path.as_posix()})"


def with_forest(text, folder):
    """The results page with a figure before its first section, drawn from results/elsewhere.json."""
    from utils import plots

    sets = results.committed("elsewhere")["sets"]
    rows = {"network": "shipped", "colour baseline": "colours"}
    found = {name: [sets[one][who]["roc_auc"] for one in FOREST_SETS] for name, who in rows.items()}
    heading, xlabel = "Elsewhere the AUC falls, of the network and of the colours", "AUC"
    drawn = plots.intervals(found, list(FOREST_SETS.values()), heading, xlabel, 0.5)
    settings.make_folder(folder / "figures")
    drawn.savefig(folder / "figures" / "forest.png", dpi=160)
    said = "; ".join(
        f"{label}: {found['network'][i]:.2f} and {found['colour baseline'][i]:.2f}"
        for i, label in enumerate(FOREST_SETS.values())
    )
    before, heading, after = text.partition("\n## ")
    return f"{before}\n![{FOREST.format(said)}](/figures/forest.png)\n{heading}{after}"
