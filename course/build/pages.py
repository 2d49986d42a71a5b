"""Writes the pages that are rendered from lessons and records: README, results, card, proof."""

import json
import re

import numpy as np

from course.build.proof import faults
from course.build.render import render_file
from course.build.source import seconds_of
from course.errors import CourseError
from course.lessons import address, choose_lessons, name_of, number, pyproject, release
from course.run import matrix
from course.run.terminal import shown
from utils import evaluation, results, settings

PAGES = {
    "README.md": "readme.md",
    "results/README.md": "results.md",
    "models/README.md": "model_card.md",
    "docs/PROOF.md": "proof.md",
    "deploy/README.md": "deploy.md",
}
RECORDED = {
    "draws": "ten_draws",
    "dials": "dials",
    "scratch": "from_scratch",
    "ladder": "ladder",
    "shipped": "shipped_model",
    "elsewhere": "elsewhere",
    "recipe": "recipe",
    "seven": "seven_diagnoses",
    "speed": "cached_prefix",
    "streaming": "streaming",
    "robust": "robust_training",
    "runs": "lesson_runs",
}
# The pages do without these where they are not recorded.
OPTIONAL = ("artefacts", "confidence", "subgroups", "second_source")
OPTIONAL += ("litert", "serving", "replicas", "attribution", "ensemble")
TWO_HOURS = ("quickstart", "splitting", "evaluation")  # lessons for who has no more
LESSON_OVERHEAD = 8  # seconds to start a kernel and to write a notebook


def pages(check=False):
    """Bring the pages up to date. Returns the exit code.

    Parameters
    ----------
    check : bool
        Write nothing.

    Raises
    ------
    CourseError
        If one cannot be rendered; with ``check`` also if one is not current.
    """
    known = names()
    rendered = {settings.ROOT / page: render_file(t, **known) for page, t in PAGES.items()}
    for path, current in rendered.items():
        if path.exists() and path.read_text(encoding="utf-8") == current:
            print(f"{shown(path)} is current")
        elif check:
            raise CourseError(f"{shown(path)} is not current: run `python -m course pages`.")
        else:
            settings.make_folder(path.parent)
            settings.write_text(path, current)
            print(f"{shown(path)} rendered anew")
    return 0


def of_this_model(name):
    """A record, or None if there is none.

    Raises
    ------
    CourseError
        If it is of another model than the shipped one: a page never mixes two.
    """
    found, own = results.committed(name), _shipped()
    if found and found.get("model_sha256", own) != own:
        raise CourseError(
            f"results/{name}.json is of another model than the one in models/: run `python -m "
            "course refresh`."
        )
    return found


def _shipped():
    facts = settings.SHIPPED.with_suffix(".json").read_text(encoding="utf-8")
    return json.loads(facts)["model_sha256"]


def names():
    """What the templates may use."""
    # Here, as they import TensorFlow: `course status` does without.
    from utils import serve
    from utils.augmentation import STRENGTHS

    repository, branch = address()
    found = {name: of_this_model(file) for name, file in RECORDED.items()}
    if missing := [RECORDED[name] for name, content in found.items() if content is None]:
        raise CourseError(f"The pages need results/{missing[0]}.json, which is not there.")
    claimed = results.CLAIMED_CONFUSION.ravel()
    labels, answers = (np.repeat(one, claimed) for one in ([0, 0, 1, 1], [0, 1, 0, 1]))
    called = evaluation.metrics(labels, answers, 1)
    quickstarts = sorted(p.stem for p in results.COMMITTED.glob("quickstart-*px.json"))
    seconds, lessons = lesson_rows()
    chapters = parts(lessons)
    found |= {name: of_this_model(name) for name in OPTIONAL}
    found["views"] = STRENGTHS[found["shipped"]["parameters"]["strength"]]
    return found | {
        "repository": repository,
        "branch": branch,
        "lessons": lessons,
        "parts": chapters,
        "two_hours": [
            row for rows in chapters.values() for row in rows if row["name"] in TWO_HOURS
        ],
        "number_of": number,
        "release": release(),
        "course_minutes": round(seconds / 60),
        "claim": results.CLAIM,
        "matrix": matrix.table(),
        "faults": faults(),
        "idle": serve.IDLE,
        "waiting": serve.WAITING,
        "own_matrix": {k: v for k, v in called.items() if k not in evaluation.RANKING},
        "quickstarts": [results.committed(name) for name in quickstarts],
    }


def lesson_rows():
    """Seconds that all lessons run, and what the README says of each, from the notebooks."""
    import nbformat

    seconds, rows = 0, []
    for path in choose_lessons():
        notebook = nbformat.read(path, 4)
        text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
        title = re.search(r"^# \d\d · (.+)", text, re.MULTILINE)
        minutes = re.search(r"Time: (\d+) minutes", text)
        if not title or not minutes:
            raise CourseError(f"{path.name} has no title `# NN · ...` or no `Time: NN minutes`.")
        row = {"number": path.stem[:2], "name": name_of(path), "file": path.stem}
        rows.append(row | {"title": title[1], "minutes": minutes[1]})
        seconds += seconds_of(notebook) + LESSON_OVERHEAD
    return seconds, rows


def parts(rows):
    """The parts of the course: dict of their names to lists of rows of ``lesson_rows``."""
    found = {}
    starts = {first: part for part, first in pyproject()["tool"]["course"]["parts"].items()}
    for row in rows:
        if row["name"] in starts:
            found[starts[row["name"]]] = chapter = []
        chapter.append(row | {"short": short(row)})
    return found


def short(row):
    """What the sidebar calls a lesson: its title up to the colon, else its name."""
    before, colon, _ = row["title"].partition(":")
    return before if colon else row["name"].replace("_", " ").capitalize()
