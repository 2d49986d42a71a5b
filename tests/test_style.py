"""What lessons cost their reader and how they are written: the rules, on small ones."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from course import cli
from course.build import check, source, style


def markdown(text, *tags):
    return new_markdown_cell(text, metadata={"tags": list(tags)})


def code(text, *tags, said=None, **metadata):
    cell = new_code_cell(text, metadata={"tags": list(tags)} | metadata)
    if said is not None:
        cell.outputs = [new_output("stream", text=said)]
    return cell


def notebook(*cells):
    return nbformat.NotebookNode(cells=[*cells, code("ledger.show()")])


def exercises(n):
    return [code("answer = ...", "exercise") for _ in range(n)]


def test_what_a_lesson_costs_is_counted():
    lesson = notebook(
        markdown("# Ten words [with a link](https://x.org/a b c) — and `code here` <br>"),
        code("# @title Setup\n" + "import os\n" * 40),
        code("SEED = 0\n" * 40, "parameters"),
        code("# a comment\n\nx = 1\nprint(x)"),
        code("y = 2\n" * 9, "folded"),
        *exercises(3),
        markdown("<details>many words</details> not counted", "solution"),
        markdown("Two words\n\n<details><summary>Why?</summary>Since many words.</details>"),
        markdown("## References\n\nmany words"),
        markdown("after them"),
    )
    assert style.measure(lesson, seconds=90) == {
        "words": 10,
        "longest text": 8,
        "taught lines": 2,
        "longest cell": 2,
        "exercises": 3,
        "sections": 0,
        "new words": 0,
        "minutes": 20,  # 10 / 130 + 0.4 + 18 + 1.5, rounded up
    }
    assert style.measure(lesson, seconds=600)["minutes"] == 30


def test_a_lesson_within_its_budget_has_no_problem():
    cells = [markdown("word " * 90), code("x = 1\n" * 15), code("x = 1"), code("y = 1")]
    assert style.budget_problems(notebook(*cells, *exercises(3))) == []


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (exercises(2), "it has 2 exercises, not 3 to 3"),
        ([markdown("word " * 84)] * 12, "it has 1,008 words, where 1,000 are the limit"),
        ([code("x = 1\n" * 7)] * 12, "it has 84 taught lines, where 80 are the limit"),
        ([markdown("word " * 91)], "a text has 91 words, not 90: 'word word"),
        ([markdown("## One\n## Two\n## Three\n## Four\n## Key points")], "it has 4 sections"),
        ([markdown("**New words**: a, b, c, d, e,\nf, g\n\nmore, words")], "it has 7 new words"),
        ([code("x = 1")] * 2 + [code("x = 1\n" * 16)], "has 16 lines of code, where 15 are"),
        ([code("x = 1\n" * 8), code("x = 1")], "only 1 of 2 cells have fewer than 8 lines"),
        ([code("x = 1  #" + 80 * "-")], "is wider than 80: x = 1"),
        ([code("x = 1; y = 2")], "has two statements in line 1"),
        ([code("%matplotlib inline\nif x: y = 2")], "has two statements in line 2"),
        ([code("x = 1", "folded")] * 3, "it has 3 folded cells, not 2"),
        ([code("x = 1\n" * 16, "folded")], "folded, has 16 lines of code, not 15"),
    ],
)
def test_each_limit_is_held(cells, message):
    own = [] if "exercises" in message else exercises(3)
    found = style.budget_problems(notebook(*cells, *own))
    assert found and all(message in problem for problem in found)


def test_the_quickstart_has_limits_of_its_own():
    lesson = notebook(code("x = 1\n" * 15), *exercises(2))
    assert style.budget_problems(lesson, 60, style.QUICKSTART) == []
    (found,) = style.budget_problems(lesson, 1200, style.QUICKSTART)
    assert found == "it has 35 minutes, where 30 are the limit"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Look at this Picture.", "Picture"),
        ("it goes on\nwhere it stopped", "goes on where"),
        ("the difference is noise", "is noise"),
        ("Whoever reads this", "Whoever"),
        ("an image of a noisy sensor, imagery, depicted, part of it, endear", None),
    ],
)
def test_words_that_the_style_replaces_are_found(text, word):
    found = style.replaced_words(text)
    assert [problem.split(" (say")[0] for problem in found] == ([repr(word)] if word else [])


def test_words_are_looked_for_in_all_that_a_reader_reads():
    lesson = notebook(
        markdown("picture"),
        markdown("picture", "solution"),
        code("# picture\nshow('picture')"),
        code("# @title Setup\n# picture"),
        markdown("## References\n\npicture"),
    )
    assert len(style.word_problems(lesson)) == 4


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        (["ax.imshow(image)"], ["imshow"]),
        (["plots.gallery(images)"], ["gallery"]),
        (["def show(x):\n    ax.imshow(x)", "x = 1", "show(x)"], ["show"]),
        (["def inner(x):\n    imshow(x)\ndef outer(x):\n    inner(x)", "outer(x)"], ["outer"]),
        (["@interact(x=1)\ndef show(x):\n    imshow(x)"], ["imshow"]),
        (["_ = [plt.imshow(x) for x in images]"], ["imshow"]),
        (["ConfusionMatrixDisplay(m).plot()", "sns.heatmap(m)", "diagrams.bootstrap()", ""], []),
    ],
)
def test_a_cell_that_draws_pixels_needs_its_tag(sources, found):
    cells = [code(text) for text in sources]
    said = [problem.split()[2] for problem in style.picture_problems(notebook(*cells))]
    assert said == found
    for tag in ("pictures", "samples"):
        tagged = [code(text, tag) for text in sources]
        assert style.picture_problems(notebook(*tagged)) == []


def test_a_figure_without_its_alternative_text_is_found():
    def cell(stored, **metadata):
        figure = new_output("display_data", {"image/png": "AA"})
        figure.metadata = {"image/png": {"alt": stored}} if stored else {}
        made = code("plot()", **metadata)
        made.outputs = [new_output("stream", text="0.5"), figure]
        return made

    assert style.alt_problems(notebook(cell("A curve.", alt=["A curve."]), code("1"))) == []
    for wrong in (
        cell(None),
        cell(None, alt=["A curve."]),
        cell("A curve."),
        cell("A curve.", alt=["Another."]),
        cell("A curve.", alt=["A curve.", "Another."]),
        code("1", alt=["A curve."]),
    ):
        (found,) = style.alt_problems(notebook(wrong))
        assert "alternative texts (# alt: ...)" in found


NEW = """
# %%
value = 0.25
value

# %% [markdown]
# It is 0.25, and {{ minutes }} minutes.

# %%
ledger = type("Ledger", (), {"show": lambda: None})
exercises = type("Exercises", (), {"progress": lambda: None})

# %%
exercises.progress()

# %%
ledger.show()
"""


def test_lessons_are_counted_and_their_problems_told(toy, mend, capsys):
    lesson = toy / "notebooks" / "src" / "toy.py"
    assert cli.main(["check-lessons", "00"]) == 1
    out = capsys.readouterr().out
    assert "toy: its last cell must be `ledger.show()`" in out
    assert "toy: its last cell but one must be `exercises.progress()`" in out
    mend(lesson, 'SEED, FAST, os.environ.get("HAM10K_SOURCE"))', "SEED)")
    mend(lesson, '"seed": SEED, "python": sys.executable}', '"seed": SEED}')
    lesson.write_text(lesson.read_text() + NEW)
    assert cli.main(["check-lessons", "00"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out[:2]] == ["lesson", "toy"]
    assert out[1].split()[-1] == "30"  # seconds, not known yet
    assert out[2:] == ["toy: it has 0 exercises, not 2 to 2"]
    mend(lesson, "# It is 0.25,", "# A picture: 0.26,")
    path = toy / "notebooks" / "00_toy.ipynb"
    nbformat.write(source.render(lesson, seconds=3), path)  # as if it had been built
    (toy / "utils" / "exercises").mkdir(parents=True)
    (toy / "utils" / "exercises" / "toy.py").write_text('"Whoever"')
    counted, found = check.lesson_problems(lesson)
    assert counted["seconds"] == 3
    assert [word.split(" ")[0] for word in found] == ["'picture'", "it", "'Whoever'", "its"]
    assert found[-1].startswith("its prose says 0.26 in ...A picture: 0.26, and minutes....")
    assert cli.main(["check-lessons", "07"]) == 2
    mend(lesson, "{{ minutes }}", "{{ minuets }}")
    assert cli.main(["check-lessons", "00"]) == 1
    assert "'minuets' is undefined" in capsys.readouterr().out
