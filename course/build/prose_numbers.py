"""Numbers in a lesson's prose and alternative texts: each is rendered, or an output shows it.

What a template renders is not looked at here: ``{{ quote(...) }}`` takes it from a record, and
``{{ fact(number, why) }}`` says where else it is from. A number that is typed must stand in an
output between the heading above and the prose: with its sign if the prose writes one, as a share
or in per cent, and rounded to the digits that the prose has. Bounds of intervals show nothing, as
they are no scores. ``{{ shown(number) }}`` looks at all outputs of the lesson, bounds too: for the
opening, the key points and the folded answers. A number alone in backticks is a constant, which
code of the section or the parameters cell must have.

Looked at are decimals, per cents, whole numbers from 10 on, and both numbers of "3 of 48". Not
looked at are numbers in words, code, formulas, texts of exercises and references, sizes such as
"28 x 28" or "20 layers", sizes that the whole course shares, and schematic diagrams."""

import re
from itertools import takewhile
from typing import NamedTuple

from course.build import style
from course.build.style import tags

NUMBER = re.compile(
    r"(?:(?<![\w.)\]])(?P<sign>[-+\u2212])|(?<![\w.]))"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)(?:e(?P<power>[-+]?\d+))?"
    r"(?P<percent> ?%)?(?!\w|\.\d)"
)
BOUNDS = re.compile(r"\[[-+\d.,]+,\s*[-+\d.,]+\]")
FIGURE = re.compile(r"<Figure[^>]*>")
SHOWN = re.compile(r"\{\{\s*shown\(\"([^\"]*)\"\)\s*\}\}")
TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
CONSTANT = re.compile(r"`([-+]?[\d.,]+(?:e[-+]?\d+)?)`")
EXERCISE = re.compile(r"\*\*Exercise.*", re.DOTALL)
HEADING = re.compile(r"^(?=#+ )", re.MULTILINE)
REFERENCES = "## References"

# Course-wide: in every lesson they mean the same, and no output of it need say so.
SAID = re.compile(
    r"`[^`]*`|\$[^$]*\$|CC BY[-\w]* \d\.\d|middle \**95 %|\**95 %\** \**interval|0\.5 is guessing"
)
DATA = {10_015, 6_015, 1_999, 1_000, 600, 240, 200, 152, 144, 48}  # HAM10000's two splits
SIZES = DATA | {1_280, 255}  # MobileNetV2's features; the largest pixel
UNIT = re.compile(r" (?:x|×|px|pixels?|bits?|layers?|channels?|features?|epochs?|degrees?)\b")
AFTER, BEFORE = re.compile(r" (?:of|in) (?:\w+ )?\d"), re.compile(r"\d (?:of|in) (?:\w+ )?$")


class Number(NamedTuple):
    """A number as it is written: its text, value, rounding and sign (-1, 0 for none, 1)."""

    text: str
    value: float
    rounding: float
    sign: int

    def is_in(self, shown):
        """Whether one of some values, rounded as this number is, is this number."""
        signed = (self.sign * n if self.sign else abs(n) for n in shown)
        return any(abs(n - self.value) <= 1.0001 * self.rounding for n in signed)


def problems(written, notebook):
    """Numbers in a lesson's prose and alternative texts that nothing shows, one sentence each.

    Parameters
    ----------
    written : list of str
        For each cell the Markdown, or the alternative texts, as ``source.written`` gives them.
    notebook : nbformat.NotebookNode
        With outputs. Those of cells tagged ``pictures`` come from synthetic lesions: they show
        nothing, unless the cell's own code says SYNTHETIC beside its numbers. What a cell tagged
        ``samples`` says, every reader gets.
    """
    found = []
    everything = set().union(*(values(outputs(cell)) for cell in notebook.cells))
    for cell, text, shown, code in parts(written, notebook):
        missing = [n for n in claims(text) if not n.is_in(shown)]
        missing += [n for n in numbers(" ".join(CONSTANT.findall(text))) if not n.is_in(code)]
        missing += [n for n in numbers(" ".join(SHOWN.findall(text))) if not n.is_in(everything)]
        what = "an alternative text" if is_code(cell) else "its prose"
        found += [f"{what} says {number.text}, nothing shows it" for number in missing]
    return found


def parts(written, notebook):
    """What a lesson says, and what shows numbers there.

    Yields
    ------
    cell : nbformat.NotebookNode
    text : str
        Of it, from one heading to the next at most, exercises left out; of a code cell, its
        alternative texts.
    shown, code : set of float
        Values in the outputs above, and in all code of the section. Code shows alternative texts
        too.
    """
    parameters = [cell.source for cell in notebook.cells if "parameters" in tags(cell)]
    for section in sections(written, notebook):
        code = values(" ".join(parameters + [cell.source for cell, _ in section if is_code(cell)]))
        shown = set()
        for cell, text in section:
            if is_code(cell):
                shown = shown | values(BOUNDS.sub(" ", outputs(cell)))
            yield cell, EXERCISE.sub("", text), shown | code if is_code(cell) else shown, code


def is_code(cell):
    return cell.cell_type == "code"


def sections(written, notebook):
    """Pairs of cell and text, by heading, without the references."""
    found = [[]]
    for cell, text in zip(notebook.cells, written, strict=True):
        first, *others = [text] if is_code(cell) else HEADING.split(text)
        found[-1].append((cell, first))
        found += [[(cell, part)] for part in others]
    return takewhile(lambda section: not section[0][1].startswith(REFERENCES), found)


def outputs(cell):
    """What the outputs of a cell say that come from real lesions."""
    if not is_code(cell) or ("pictures" in tags(cell) and "SYNTHETIC" not in cell.source):
        return ""
    return FIGURE.sub(" ", style.output_text(cell))


def claims(text):
    """The numbers in a text that something must show."""
    text = " ".join(TEMPLATE.sub(" ", text).split())
    text = style.prose(SAID.sub(" ", text))
    return [number(found) for found in NUMBER.finditer(text) if _is_claim(found)]


def _is_claim(found):
    """Whether a number in a text is no size and no year."""
    digits, after = found["digits"], found.string[found.end() :]
    if "." in digits or found["percent"] or AFTER.match(after):
        return True
    whole = int(digits.replace(",", ""))
    if whole in SIZES:
        return False
    before = found.string[: found.start()]
    if BEFORE.search(before) or "," in digits:
        return True
    is_year = len(digits) == 4
    return whole >= 10 and not (is_year or UNIT.match(after) or before.endswith((" x ", " × ")))


def numbers(text):
    """All numbers in a text."""
    return [number(found) for found in NUMBER.finditer(text)]


def number(found):
    """A match of ``NUMBER`` as a Number; a per cent as its share."""
    digits = found["digits"].replace(",", "")
    scale = 10.0 ** int(found["power"] or 0) * (0.01 if found["percent"] else 1)
    rounding = 0.5 * scale * 10.0 ** -len(digits.partition(".")[2])
    sign = {None: 0, "+": 1}.get(found["sign"], -1)
    around = found.string[max(0, found.start() - 30) : found.end() + 20]
    return Number(f"{found[0].strip()} in ...{around}...", scale * float(digits), rounding, sign)


def values(text):
    """The values of all numbers in a text, below zero where it writes a minus."""
    return {n.value * (n.sign or 1) for n in numbers(text)}
