"""What a lesson may cost its reader and how it is written, counted: words, lines, exercises,
minutes, replaced words, alternative texts and pictures."""

import ast
import html
import math
import re
from functools import lru_cache

from utils import settings

LIMITS = {
    "words": 1000,
    "words a text": 90,
    "taught lines": 80,
    "lines a cell": 15,
    "exercises": (3, 3),
    "minutes": 45,
    "sections": 3,
    "new words": 6,
}
QUICKSTART = LIMITS | {"words": 600, "exercises": (2, 2), "minutes": 30}
WIDTH = 80
FOLDED_CELLS, FOLDED_LINES = 2, 15
WORDS_A_MINUTE, MINUTES_A_LINE, MINUTES_AN_EXERCISE = 130, 0.2, 6
SECONDS = 30  # of a default run, until it is known

AFTER = ("Key points", "Check yourself", "What comes next", "References")  # what every lesson has
REMEMBER = "Do you remember?"
NEW_WORDS = re.compile(r"\*\*New words\*\*:(.*?)(?:\n\s*\n|\Z)", re.DOTALL)
DETAILS = re.compile(r"<details>.*?</details>", re.DOTALL)
LAST, PROGRESS = "ledger.show()", "exercises.progress()"

# What draws the pixels it is given. Functions that call one of these, in utils/ or in the lesson
# itself, are found by reading them; images that Matplotlib did not draw, by the stored outputs.
PICTURES = {"imshow", "matshow", "figimage", "OffsetImage", "ImageGrid"}
# The tags of cells that may show pixels, and the source that their stored outputs have.
PIXELS = {"pictures": "SYNTHETIC", "samples": "samples"}

# What docs/STYLE.md replaces: a pattern, and what is said instead.
REPLACED = {
    r"pictures?": "image",
    r"drawers?|the safe": "held-out test set",
    r"(?:train(?:ing)?|validation|test) parts?|parts? of the split": "training/validation/test set",
    r"(?:simple|constant) answers?": "baseline; majority class",
    r"nine (?:colou?r )?numbers|nine numbers of colou?r": "colour baseline",
    r"kept features?|features? (?:are|were) kept": "cached features",
    r"(?:is|are|was|were|just|only|mere) noise|painted on the wall": "inconclusive",
    r"(?:is|are|was|were) not there|no effect": "inconclusive; no evidence of a difference",
    r"dear|dearer|free gift": "costs more, expensive",
    r"by heart": "overfits, memorises",
    r"goes on where|was killed": "resumes after an interruption",
    r"can you still say it": "Check yourself",
    r"whoever": "anyone who; a person who",
}
WORD_FOR = {re.compile(rf"\b(?:{old})\b", re.IGNORECASE): new for old, new in REPLACED.items()}


def tags(cell):
    return cell.metadata.get("tags", [])


def pixels(cell):
    """The tag of ``PIXELS`` that a cell has, or None."""
    return next((tag for tag in PIXELS if tag in tags(cell)), None)


def is_setup(cell):
    return cell.cell_type == "code" and cell.source.startswith("# @title Setup")


def lines(source):
    """Lines of code: neither blank nor a comment alone."""
    return [x for x in source.splitlines() if x.strip() and not x.strip().startswith("#")]


def prose(text):
    """What a reader reads of Markdown: without addresses and HTML."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"<[^>]+>", "", text)


def words(text):
    return len([word for word in text.split() if re.search(r"\w", word)])


def texts(notebook):
    """The Markdown cells up to the references, without solutions."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and "solution" not in tags(cell):
            before, references, _ = cell.source.partition("## References")
            found.append(before)
            if references:
                break
    return found


def read(notebook):
    """The cells of a notebook by kind: ``prose`` (texts), ``taught``, ``folded``, ``exercises``."""
    found = {"prose": [prose(DETAILS.sub("", text)) for text in texts(notebook)]}
    found |= {"taught": [], "folded": [], "exercises": []}
    for cell in notebook.cells[:-1]:  # without ``LAST``
        if cell.cell_type == "markdown" or is_setup(cell) or "parameters" in tags(cell):
            continue
        kind = {"exercise": "exercises", "folded": "folded"}
        found[next((kind[tag] for tag in tags(cell) if tag in kind), "taught")].append(cell)
    return found


def measure(notebook, seconds=SECONDS):
    """What a lesson costs its reader.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        As ``build.render`` returns it.
    seconds : float
        Of its default run.

    Returns
    -------
    dict of str to int
        ``words``, ``longest text``, ``taught lines``, ``longest cell``, ``exercises``,
        ``minutes`` (rounded up to 5), ``sections``, ``new words``.
    """
    cells = read(notebook)
    taught = [len(lines(cell.source)) for cell in cells["taught"]]
    counted = {
        "words": sum(map(words, cells["prose"])),
        "longest text": max(map(words, cells["prose"]), default=0),
        "taught lines": sum(taught),
        "longest cell": max(taught, default=0),
        "exercises": len(cells["exercises"]),
        "sections": len(sections(notebook)),
        "new words": sum(
            len(x.split(",")) for text in texts(notebook) for x in NEW_WORDS.findall(text)
        ),
    }
    minutes = counted["words"] / WORDS_A_MINUTE + MINUTES_A_LINE * counted["taught lines"]
    minutes += MINUTES_AN_EXERCISE * counted["exercises"] + seconds / 60
    return counted | {"minutes": 5 * math.ceil(minutes / 5)}


def sections(notebook):
    """Headings of the sections that answer a lesson's question: list of str."""
    headings = re.findall(r"^## (.+)$", "\n".join(texts(notebook)), re.MULTILINE)
    return [one for one in headings if not one.startswith((*AFTER, REMEMBER))]


def budget_problems(notebook, seconds=SECONDS, limits=LIMITS):
    """Where a lesson breaks its budget, one sentence each.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    seconds : float
    limits : dict
        ``LIMITS`` or ``QUICKSTART``.
    """
    counted, cells, found = measure(notebook, seconds), read(notebook), []
    fewest, most = limits["exercises"]
    if not fewest <= counted["exercises"] <= most:
        found.append(f"it has {counted['exercises']} exercises, not {fewest} to {most}")
    for what in ("words", "taught lines", "minutes", "sections", "new words"):
        if counted[what] > limits[what]:
            found.append(f"it has {counted[what]:,} {what}, where {limits[what]:,} are the limit")
    for text in cells["prose"]:
        if words(text) > (most := limits["words a text"]):
            found.append(f"a text has {words(text)} words, not {most}: {text.strip()[:40]!r}")
    for cell in cells["taught"]:
        n = len(lines(cell.source))
        if n > (most := limits["lines a cell"]):
            found.append(f"{cell.id} has {n} lines of code, where {most} are the limit")
        wide = [line for line in cell.source.splitlines() if len(line) > WIDTH]
        found += [f"{cell.id} is wider than {WIDTH}: {line.strip()}" for line in wide]
        found += [f"{cell.id} has two statements in line {n}" for n in crowded(cell.source)]
    short = [len(lines(cell.source)) < 8 for cell in cells["taught"]]
    if short and limits is LIMITS and 2 * sum(short) <= len(short):
        found.append(f"only {sum(short)} of {len(short)} cells have fewer than 8 lines of code")
    if len(cells["folded"]) > FOLDED_CELLS:
        found.append(f"it has {len(cells['folded'])} folded cells, not {FOLDED_CELLS}")
    for cell in cells["folded"]:
        n = len(lines(cell.source))
        if n > FOLDED_LINES:
            found.append(f"{cell.id}, folded, has {n} lines of code, not {FOLDED_LINES}")
    return found


def parse(source):
    """Python's syntax tree of a cell, its ``%`` and ``!`` lines left out."""
    return ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE))


def crowded(source):
    """Numbers of the lines on which more than one statement begins."""
    starts = [node.lineno for node in ast.walk(parse(source)) if isinstance(node, ast.stmt)]
    return sorted({n for n in starts if starts.count(n) > 1})


def replaced_words(text):
    """Words that docs/STYLE.md replaces, each with what is said instead."""
    text = " ".join(text.split())
    return [
        f"{found[0]!r} (say: {new}) in ...{text[max(0, found.start() - 20) : found.end() + 20]}..."
        for old, new in WORD_FOR.items()
        for found in old.finditer(text)
    ]


def word_problems(notebook):
    """Words in a lesson's Markdown, comments and texts that docs/STYLE.md replaces."""
    found = [problem for text in texts(notebook) for problem in replaced_words(text)]
    for cell in notebook.cells:
        if "solution" in tags(cell) or (cell.cell_type == "code" and not is_setup(cell)):
            found += replaced_words(cell.source)
    return found


def alt_problems(notebook):
    """Cells whose stored figures have not the alternative texts that their source gives."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            stored = [f.metadata.get("image/png", {}).get("alt") for f in figures(cell)]
            given = cell.metadata.get("alt", [])
            if stored != given:
                n = f"{len(stored)} figures and {len(given)} alternative texts"
                found.append(f"{cell.id} has {n} (# alt: ...)")
    return found


def figures(cell):
    """The outputs of a cell that are images."""
    return [o for o in cell.outputs if any(k.startswith("image/") for k in o.get("data", {}))]


def output_text(cell):
    """What the outputs of a cell say, tables included."""
    found = []
    for output in cell.outputs:
        data = output.get("data", {})
        page = re.sub(r"<style.*?</style>|<[^>]+>", " ", data.get("text/html", ""), flags=re.DOTALL)
        found += [output.get("text", ""), data.get("text/plain", ""), html.unescape(page)]
    return " ".join(found)


def picture_problems(notebook):
    """Code cells that show pixels, by their own source, and have no tag of ``PIXELS``."""
    own, found = set(), []
    for cell in notebook.cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        tree = parse(cell.source)
        own |= _functions_that_draw(_picture_helpers(), own, [tree])
        called = _called(_picture_helpers(), own, tree)
        if called and not pixels(cell):
            found.append(f"{cell.id} calls {called[0]} and is not tagged `samples` or `pictures`")
    return found


@lru_cache
def _picture_helpers():
    """``PICTURES`` and the functions of ``utils/`` that call one of them."""
    files = [p for p in (settings.ROOT / "utils").rglob("*.py") if p.stem != "diagrams"]
    trees = [ast.parse(p.read_text(encoding="utf-8")) for p in files]
    return PICTURES | _functions_that_draw(PICTURES, set(), trees)


def _functions_that_draw(helpers, own, trees):
    """Names of the functions in syntax trees that call a helper, or each other to that end."""
    functions = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    known, before = set(own), None
    while known != before:
        before = set(known)
        known |= {f.name for f in functions if _called(helpers, before, *f.body)}
    return known


def _called(helpers, own, *nodes):
    """Helpers (also as attributes) and own functions that nodes name, but in a mere definition."""
    found, nodes = [], list(nodes)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef) and not node.decorator_list:
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Name) and node.id in helpers | own:
            found.append(node.id)
        elif isinstance(node, ast.Attribute) and node.attr in helpers:
            found.append(node.attr)
    return sorted(found)
