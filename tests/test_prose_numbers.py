"""Numbers in prose: what shows them, and what share of arbitrary ones would pass."""

import random

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from course import lessons
from course.build import prose_numbers, source
from utils import results, splits


def code(text, *tags, said=None, page=None):
    cell = new_code_cell(text, metadata={"tags": list(tags)})
    if said is not None:
        cell.outputs.append(new_output("stream", text=said))
    if page is not None:
        data = {"text/html": page, "text/plain": "<Figure size 777x888 with 9 Axes>"}
        cell.outputs.append(new_output("display_data", data))
    return cell


def found(*cells, alt=""):
    """The numbers that nothing shows, as they stand there."""
    notebook = nbformat.NotebookNode(cells=[*cells])
    written = [alt if cell.cell_type == "code" else cell.source for cell in cells]
    said = prose_numbers.problems(written, notebook)
    return [problem.partition(" says ")[2].partition(" in ...")[0] for problem in said]


@pytest.mark.parametrize(
    ("text", "unsupported"),
    [
        ("an AUC of about 0.80 or .8, and of 0.7951, not 0.78", ["0.78"]),
        ("24 % are melanomas, 24.1% not; a share of 0.24", ["24.1%"]),
        ("a gain of -0.054, a loss of 0.054 or .05; a gain of +0.054, +5 %", ["+0.054", "+5 %"]),
        ("-0.33 or +0.33", ["-0.33"]),
        ("bounds are no scores: 0.72 and 0.86", ["0.72", "0.86"]),
        ('{{ shown("0.72") }} to {{ shown("0.87") }}', ["0.87"]),
        ('{{ quote("x", "y") }} and {{ fact("0.123", "a reason") }}, {% if 0.123 %}', []),
        ("a rate of `0.007`, and `0.008`; `x[0.008]`; 0.007", ["0.007", "`0.008`"]),
        ("a rate of `7e-3`, and `8e-3`", ["`8e-3`"]),
        ("16 of 48 melanomas, 17 of 48, 16 of the 49", ["17", "49"]),
        ("1 in 16 and 1 in 61", ["61"]),
        ("misses 23, finds 24, 5 more", ["24"]),
        ("1,094 images, 1,095 images", ["1,095"]),
        ("1,999.5 images, 1,999.6 images.", ["1,999.6"]),
        ("28 x 28 pixels, 64 px, 17 layers, in 2018, 200 images, 1,280 features", []),
        ("[{{ number_of('x') }} · Next](12_next.ipynb), lesson 12", ["12"]),
        ("a **95 % interval**, the middle 95 %; 95 % of them; 50 %", ["95 %", "50 %"]),
        ("0.5 is guessing; $0.123$; CC BY-NC 4.0; version 3.11-3.13", ["3.11", "3.13"]),
        ("<details><summary>Why?</summary>0.123</details>", ["0.123"]),
        ("It is 0.34. **Exercise x.1** Take 0.123.", ["0.34"]),
        ("from synthetic lesions: 0.44; that say so: 0.45; from samples: 0.46", ["0.44"]),
        ("the size of a figure: 777, 888", ["777", "888"]),
    ],
)
def test_a_number_that_nothing_shows_is_found(text, unsupported):
    output = "AUC 0.7951 [0.72, 0.86], gain -0.0540 [-0.1,0.02], 16 and 23 (1,999.5) of 1,094, 24%"
    cells = [
        new_markdown_cell("# Title\n\n## Section"),
        code("rate = 0.007", said=output, page="<td>0.331</td><style>0.123</style>"),
        code("show()", "pictures", said="0.44"),
        code("show('SYNTHETIC')", "pictures", said="0.45"),
        code("show()", "samples", said="0.46"),
        new_markdown_cell(text),
        new_markdown_cell("## References\n\nIt was 0.123."),
    ]
    said = found(*cells)
    assert [number.strip("`") for number in unsupported] == sorted(said, key=text.find)


def test_only_outputs_between_the_heading_and_the_prose_count():
    cells = [
        new_markdown_cell("## First\n\n0.1111"),
        code("x = 0.5555", said="0.2222"),
        new_markdown_cell("0.2222\n\n## Second of 0.2222\n\n0.2222 and `0.5555`"),
        code("x = 0.6666", said="0.1111"),
        code("SEED = 0.7777", "parameters"),
        new_markdown_cell('`0.6666`, `0.7777`, 0.1111 and {{ shown("0.2222") }}'),
    ]
    assert found(*cells) == ["0.1111", "0.2222", "0.2222", "0.5555"]


def test_alternative_texts_say_what_outputs_or_code_of_their_section_say():
    cells = [new_markdown_cell("## First"), code("x = 0.25", said="0.75, 31")]
    assert found(*cells, alt="A line falls from 0.75 to 0.25, 31 dots.") == []
    assert found(*cells, alt="A line falls from 0.76 to 0.25, 32 dots.") == ["0.76", "32"]


def test_sizes_that_no_output_need_show_are_those_of_the_data():
    whole = results.committed("subgroups")
    test, validation = (whole[subset]["melanoma"] for subset in ("test", "validation"))
    mini = splits.MINI_SIZES
    melanomas = [round(size * splits.MINI_MELANOMA_SHARE) for size in mini]
    counted = {*mini, *melanomas, sum(mini), sum(melanomas), mini[-1] - melanomas[-1]}
    counted |= {len(test), 10_015, 10_015 - len(test) - len(validation)}
    assert counted == prose_numbers.DATA


KINDS = {
    "0.00 to 1.00": lambda: f"{random.random():.2f}",
    "gain": lambda: f"{random.choice((-1, 1)) * random.uniform(0.001, 0.2):+.3f}",
    "per cent": lambda: f"{random.randint(0, 100)} %",
    "N of M": lambda: "{} of {}".format(*sorted(random.choices(range(1, 300), k=2))),
    "N, 10 to 2,000": lambda: f"{random.randint(10, 2000):,}",
}


@pytest.mark.slow
def test_few_arbitrary_numbers_pass():
    """Of those that stand at an arbitrary word of a committed lesson's prose, in per cent."""
    random.seed(0)
    drawn = [
        [prose_numbers.claims(f"It is {draw()}.") for _ in range(40)] for draw in KINDS.values()
    ]
    rows = []
    for lesson in source.sources():
        notebook = source.render(lesson)
        source.copy_outputs(nbformat.read(lessons.notebook(lesson.stem), 4), notebook)
        parts = prose_numbers.parts(source.written(lesson), notebook)
        parts = [part for part in parts if part[0].cell_type == "markdown"]
        shares = [
            [
                100 * np.mean([all(n.is_in(shown) for n in claims) for claims in kind])
                for kind in drawn
            ]
            for _, _, shown, _ in parts
        ]
        words = [len(prose_numbers.TEMPLATE.sub(" ", text).split()) for _, text, _, _ in parts]
        rows.append(np.average(shares, axis=0, weights=words))
    passing = dict(zip(KINDS, np.mean(rows, axis=0).round(1), strict=True))
    assert max(passing.values()) < 4, passing
