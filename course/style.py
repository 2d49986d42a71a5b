"""What a lesson may cost its reader, counted: words, lines, exercises, minutes, and decimals in its
prose that no output, no code and no result shows."""

import ast
import math
import re

LIMITS = {"words": 1500, "taught lines": 120, "exercises": (3, 5), "minutes": 45}
QUICKSTART = {"words": 500, "taught lines": 120, "exercises": (2, 2), "minutes": 20}
CELL_WORDS, CELL_LINES, WIDTH = 120, 20, 80
QUICKSTART_CELL_LINES = 45
FOLDED_CELLS, FOLDED_LINES = 2, 15
WORDS_A_MINUTE, MINUTES_A_LINE, MINUTES_AN_EXERCISE = 180, 0.2, 3

DETAILS = re.compile(r"<details>.*?</details>", re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])[-+\u2212]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?|(?<![\w.])\.\d+")
DECIMAL = re.compile(r"(?<![\w.])\d*\.\d+(?: ?%)?(?![\w.]*\d)")


def tags(cell):
    return cell.metadata.get("tags", [])


def is_setup(cell):
    return cell.cell_type == "code" and cell.source.startswith("# @title Setup")


def lines(source):
    """Lines of code: neither blank nor a comment alone."""
    return [x for x in source.splitlines() if x.strip() and not x.strip().startswith("#")]


def prose(cell):
    """What a reader reads of a Markdown cell: without folded answers, addresses and HTML."""
    text = DETAILS.sub("", cell.source)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"<[^>]+>", "", text)


def words(text):
    return len([word for word in text.split() if re.search(r"\w", word)])


def read(notebook):
    """The cells of a notebook by kind: ``prose`` (texts), ``taught``, ``folded``, ``exercises``.

    Parameters
    ----------
    notebook : nbformat.NotebookNode

    Returns
    -------
    dict of str to list
    """
    found = {"prose": [], "taught": [], "folded": [], "exercises": []}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if cell.source.lstrip("# ").startswith("References"):
                break  # the last section; only the ledger comes after it
            found["prose"].append(prose(cell))
        elif "exercise" in tags(cell):
            found["exercises"].append(cell)
        elif "folded" in tags(cell):
            found["folded"].append(cell)
        elif not is_setup(cell) and not {"parameters", "solution"} & set(tags(cell)):
            found["taught"].append(cell)
    return found


def measure(notebook, seconds):
    """What a lesson costs its reader.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    seconds : float
        Of its default run.

    Returns
    -------
    dict of str to int
        ``words``, ``longest text``, ``taught lines``, ``longest cell``, ``exercises``,
        ``minutes`` (rounded up to 5).
    """
    cells = read(notebook)
    counted = {
        "words": sum(map(words, cells["prose"])),
        "longest text": max(map(words, cells["prose"])),
        "taught lines": sum(len(lines(cell.source)) for cell in cells["taught"]),
        "longest cell": max(len(lines(cell.source)) for cell in cells["taught"]),
        "exercises": len(cells["exercises"]),
    }
    minutes = counted["words"] / WORDS_A_MINUTE + MINUTES_A_LINE * counted["taught lines"]
    minutes += MINUTES_AN_EXERCISE * counted["exercises"] + seconds / 60
    return counted | {"minutes": 5 * math.ceil(minutes / 5)}


def problems(notebook, seconds, quickstart=False):
    """Where a lesson breaks its budget, one sentence each.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    seconds : float
    quickstart : bool
        Lesson 00 has a budget of its own.

    Returns
    -------
    list of str
    """
    limits = QUICKSTART if quickstart else LIMITS
    cell_lines = QUICKSTART_CELL_LINES if quickstart else CELL_LINES
    counted, cells, found = measure(notebook, seconds), read(notebook), []
    fewest, most = limits["exercises"]
    if not fewest <= counted["exercises"] <= most:
        found.append(f"it has {counted['exercises']} exercises, not {fewest} to {most}")
    for what in ("words", "taught lines", "minutes"):
        if counted[what] > limits[what]:
            found.append(f"it has {counted[what]:,} {what}, where {limits[what]:,} are the limit")
    for text in cells["prose"]:
        if words(text) > CELL_WORDS:
            found.append(f"a text has {words(text)} words, not {CELL_WORDS}: {text.strip()[:40]!r}")
    for cell in cells["taught"]:
        n = len(lines(cell.source))
        if n > cell_lines:
            found.append(f"{cell.id} has {n} lines of code, where {cell_lines} are the limit")
        found += [
            f"{cell.id} is wider than {WIDTH}: {x}" for x in lines(cell.source) if len(x) > WIDTH
        ]
        found += [f"{cell.id} has two statements in line {n}" for n in crowded(cell.source)]
    short = [len(lines(cell.source)) < 8 for cell in cells["taught"]]
    if not quickstart and 2 * sum(short) <= len(short):
        found.append(f"only {sum(short)} of {len(short)} cells have fewer than 8 lines of code")
    if len(cells["folded"]) > FOLDED_CELLS:
        found.append(f"it has {len(cells['folded'])} folded cells, not {FOLDED_CELLS}")
    for cell in cells["folded"]:
        if len(lines(cell.source)) > FOLDED_LINES:
            found.append(f"{cell.id}, folded, has more than {FOLDED_LINES} lines of code")
    return found


def crowded(source):
    """Numbers of the lines on which more than one statement begins."""
    tree = ast.parse(re.sub(r"^[%!].*$", "", source, flags=re.MULTILINE))
    starts = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    return sorted({n for n in starts if starts.count(n) > 1})


def unsupported_decimals(notebook, quoted=()):
    """Decimals in a lesson's prose that neither an output, nor its code, nor a result shows.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        With outputs.
    quoted : iterable of str
        What was rendered from ``results/``.

    Returns
    -------
    list of str
        Each as it stands in the prose. Texts of exercises may give any number.
    """
    shown = numbers(" ".join(quoted))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            shown |= numbers(cell.source) | numbers(output_text(cell))
    found = []
    for text in read(notebook)["prose"]:
        if text.startswith("**Exercise"):
            continue
        text = re.sub(r"`[^`]*`|\$[^$]*\$", "", text)
        found += [d for d in DECIMAL.findall(text) if not is_shown(d, shown)]
    return found


def numbers(text):
    """All numbers in a text, without their signs."""
    return {abs(float(n.replace(",", "").replace("\u2212", "-"))) for n in NUMBER.findall(text)}


def is_shown(decimal, shown):
    """Whether one of the numbers, rounded to as many digits, is this decimal (or this per cent)."""
    digits = len(decimal.rstrip(" %").partition(".")[2])
    value, scale = float(decimal.rstrip(" %")), 100 if decimal.endswith("%") else 1
    return any(
        abs(n * factor - value) <= 0.5 * 10**-digits + 1e-9 for n in shown for factor in {1, scale}
    )


def output_text(cell):
    """What the outputs of a cell say, tables included."""
    texts = []
    for output in cell.outputs:
        data = output.get("data", {})
        html = re.sub(r"<style.*?</style>|<[^>]+>", " ", data.get("text/html", ""), flags=re.DOTALL)
        texts += [output.get("text", ""), data.get("text/plain", ""), html]
    return " ".join(texts)
