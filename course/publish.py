"""Writes what is rendered from ``results/``: the README's blocks and the model card."""

import re

import numpy as np

from course.errors import CourseError
from course.lessons import address
from course.render import render_file
from course.run import shown
from utils import evaluation, results, settings

SHIPPED, LADDER = "shipped_model", "06_better_models-full-128px"
# The README's blocks, each with the file of results/ that it needs.
BLOCKS = {"badges": None, "clone": None, "draws": "ten_draws", "results": None}
BLOCKS |= {"speed": "cached_prefix"}
BLOCKS |= {"shipped": SHIPPED, "ladder": LADDER, "streaming": "streaming"}


def readme(check=False):
    """Bring README and model card up to date. Returns the exit code.

    Parameters
    ----------
    check : bool
        Write nothing.

    Raises
    ------
    CourseError
        If one cannot be rendered; with ``check`` also if one is not current.
    """
    page = settings.ROOT / "README.md"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    pages = {page: render_readme(text, *address()), settings.ROOT / "models" / "README.md": card()}
    for path, current in pages.items():
        if path.exists() and path.read_text(encoding="utf-8") == current:
            print(f"{shown(path)} is current")
        elif check:
            raise CourseError(f"{shown(path)} is not current: run `python -m course readme`.")
        else:
            settings.write_text(path, current)
            print(f"{shown(path)} rendered anew")
    return 0


def render_readme(text, repository, branch):
    """The README with its rendered blocks brought up to date.

    A block stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``.

    Parameters
    ----------
    text : str
    repository : str
        ``owner/name``.
    branch : str

    Returns
    -------
    str

    Raises
    ------
    CourseError
        If a block is missing or cannot be rendered.
    """
    names = {"repository": repository, "branch": branch} | _figures()
    for block, file in BLOCKS.items():
        if file and not results.committed(file):
            content = f"(not measured yet: there is no {file}.json in results/)\n"
        else:
            content = render_file(f"{block}.md", **names)
        rendered = f"<!-- {block} -->\n{content}<!-- /{block} -->"
        text, found = re.subn(
            f"<!-- {block} -->\n.*?<!-- /{block} -->", lambda _, r=rendered: r, text, flags=re.S
        )
        if not found:
            raise CourseError(f"README.md has no block <!-- {block} --> ... <!-- /{block} -->.")
    return text


def card():
    """The model card, Markdown, from the figures in ``results/``.

    Raises
    ------
    CourseError
        If they are not there.
    """
    if not results.committed(SHIPPED):
        raise CourseError(
            f"There is no results/{SHIPPED}.json for the model card: run `python -m course "
            "train-shipped`, which writes it."
        )
    return render_file("model_card.md", **_figures())


def _figures():
    """What the templates may use of ``results/``."""
    matrix = results.CLAIMED_CONFUSION.ravel()
    called = evaluation.metrics(np.repeat([0, 0, 1, 1], matrix), np.repeat([0, 1, 0, 1], matrix), 1)
    names = sorted(p.stem for p in results.COMMITTED.glob("00_quickstart-*px.json"))
    ladder = results.committed(LADDER)
    return {
        "claim": results.CLAIM,
        "own_matrix": {k: v for k, v in called.items() if k not in evaluation.RANKING},
        "quickstarts": [results.committed(name) for name in names],
        "speed": results.committed("cached_prefix"),
        "shipped": results.committed(SHIPPED),
        "streaming": results.committed("streaming"),
        "ladder": ladder,
        "ladder_file": LADDER,
        "gains": _gains(ladder["rungs"]) if ladder else {},
    }


def _gains(rungs):
    """The rungs' gains as (name, Estimate), by what their intervals show."""
    above, inconclusive, below = [], [], []
    for name, found in rungs.items():
        if gain := found.get("gain"):
            kind = above if gain.low > 0 else below if gain.high < 0 else inconclusive
            kind.append((name, gain))
    return {
        "Interval of the gain above zero": above,
        "Inconclusive (interval holds zero)": inconclusive,
        "Interval of the gain below zero": below,
    }
