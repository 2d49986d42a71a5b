"""Building notebooks, on the toy course."""

import json
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from course import lessons
from course.build import check, notebooks, outputs, source
from course.errors import CourseError
from utils import settings


def paths(toy, name="toy"):
    return toy / "notebooks" / "src" / f"{name}.py", lessons.notebook(name)


@pytest.fixture
def not_executed(monkeypatch):
    monkeypatch.setattr(notebooks, "with_fresh_outputs", lambda *_: pytest.fail("it was executed"))


def test_an_unchanged_notebook_is_not_executed_and_another_address_keeps_its_outputs(
    toy, mend, not_executed
):
    lesson, path = paths(toy)
    before = path.read_bytes()
    assert notebooks.build(lesson) == "is unchanged" and path.read_bytes() == before
    mend(toy / "pyproject.toml", "someone/skin", "fork/skin")
    assert notebooks.build(lesson) == "rendered anew"
    text = path.read_text()
    assert text.encode() == before.replace(b"someone/skin", b"fork/skin")
    assert "blob/v1.2/notebooks/00_toy.ipynb" in text and source.DISCLAIMER in text


def test_changed_markdown_keeps_outputs_and_seconds_where_no_real_lesion_is(
    toy, mend, not_executed, monkeypatch, tmp_path
):
    monkeypatch.setattr(notebooks, "require_real_lesions", outputs.require_real_lesions)
    monkeypatch.setenv("HAM10K_DIR", str(tmp_path / "nothing"))
    lesson, path = paths(toy, "two")
    mend(path, *_seconds(path, 3000))
    mend(lesson, "# # A toy lesson", "# # A mended lesson\n# **Time: {{ minutes }} minutes**")
    mend(lesson, "# alt: Nothing", '# alt: Nothing {{ fact("at all", "a test") }}')
    assert notebooks.build(lesson) == "rendered anew"
    notebook = nbformat.read(path, 4)
    assert "mended lesson\n**Time: 60 minutes**" in notebook.cells[0].source  # 50 + 1 exercise
    assert source.seconds_of(notebook) == 3000 and notebook.cells[2].outputs
    assert notebook.cells[-2].metadata["alt"] == ["Nothing at all is to be seen."]
    before = path.read_bytes()
    mend(lesson, "FAST, os", "FAST,  os")
    with pytest.raises(CourseError, match=r"its code changed.*; set HAM10K_DIR to") as error:
        notebooks.build(lesson)
    assert "\n" not in str(error.value) and path.read_bytes() == before


def _seconds(path, seconds):
    stored = nbformat.read(path, 4).metadata.course.seconds
    return f'"seconds": {stored}', f'"seconds": {seconds}'


def test_a_stripped_notebook_is_executed_again(toy, mend, monkeypatch):
    lesson, path = paths(toy)
    before = nbformat.read(path, 4)
    mend(path, '"execution_count": 2', '"execution_count": null')
    monkeypatch.setattr(notebooks, "with_fresh_outputs", lambda notebook, path: (before, 7))
    assert notebooks.build(lesson) == "executed in 7 s"
    assert source.seconds_of(nbformat.read(path, 4)) == 7


def test_a_changed_notebook_is_executed_again_on_real_lesions(toy, mend):
    lesson, path = paths(toy)
    own = '(os.environ["CUDA_VISIBLE_DEVICES"], os.environ["COURSE_OFFLINE"])'
    mend(lesson, "FAST, os", f"FAST, {own}, os")
    assert "executed" in notebooks.build(lesson)
    assert "notebooks auto 0.35 0 True ('', '1') folder" in path.read_text()


def test_pictures_come_from_synthetic_lesions_and_a_solution_overwrites_nothing(toy):
    notebook = nbformat.read(paths(toy, "two")[1], 4)
    *_, pictures, exercise, solution, after, _ = notebook.cells
    said, shown = pictures.outputs
    assert said.text == "SYNTHETIC" and shown.metadata == {"source": "SYNTHETIC"}
    assert exercise.outputs[0].text == "Exercise two.1: nothing answered yet.\n"
    assert solution.cell_type == "markdown" and solution.metadata == {"tags": ["solution"]}
    assert solution.source == (
        "<details><summary>Solution of two.1</summary>\n\n```python\nanswer, other = 4, 5\n"
        'exercises.check("two.1", answer)\n```\n\n</details>'
    )
    assert after.outputs[0].text == "Ellipsis False nothing answered yet.\n"
    assert after.source == 'print(answer, "other" in globals(), exercises.state)'
    counts = [cell.execution_count for cell in source.code_cells(notebook)]
    assert counts == [1, 2, 3, 4, 5, 6, 7, 8]


def test_samples_are_shown_where_only_setup_and_parameters_ran_and_no_other_image_is(toy, mend):
    lesson, path = paths(toy, "two")
    cell = nbformat.read(path, 4).cells[4]
    said, shown = cell.outputs
    assert said.text == "False 0 []\n"  # neither the first cell's names nor a file
    assert shown.metadata == {"source": "samples"}
    assert shown.execution_count == cell.execution_count == 4
    mend(lesson, '"json" in globals()', "json.dumps(1)")
    with pytest.raises(CourseError, match=r"two\.py stopped: NameError: name 'json'.*`samples`"):
        notebooks.build(lesson)


def test_the_setup_line_becomes_code_that_fetches_release_or_branch(toy, mend):
    lesson, _ = paths(toy)
    mend(lesson, "# %%\nimport json", "# %%\nfirst = 1\n# {{ setup }}\nimport json")
    code = source.render(lesson).cells[2].source
    assert code.startswith("first = 1\nimport glob\n") and "\nimport json\n" in code
    assert 'RELEASE = "https://github.com/someone/skin", "v1.2"' in code
    assert 'tag = "v1.2"' in code and "{{" not in code


def test_a_diagram_has_the_alternative_text_that_stands_with_it(toy, mend):
    lesson, _ = paths(toy, "two")
    mend(lesson, "# alt: Nothing is to be seen.\nprint(", "diagrams.bootstrap()\nprint(")
    (text,) = source.render(lesson).cells[-2].metadata["alt"]
    assert len(text) > 20
    mend(lesson, "diagrams.bootstrap()", "diagrams.bootstrip()")
    with pytest.raises(CourseError, match=r"no alternative text of diagrams\.bootstrip"):
        source.render(lesson)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("SEED = 0", "SEED = 0\nTWICE = 2 * SEED", "more than constants: TWICE = 2 * SEED"),
        ('tags=["parameters"]', 'tags=["parameter"]', "0 cells are tagged `parameters`"),
        ("{{ notebook }}", "notebooks/00_tox.ipynb", "badge must lead to"),
        ("{{ notebook }}", "{{ notebok }}", "'notebok' is undefined"),
        ("FAST = True", "FAST = True  # {{ branch }}", "in place of {{ branch }} in a code cell"),
        ('tags=["pictures"]', 'tags=["x"]', "calls imshow and is not tagged"),
        (
            'exercises.check("two.1", answer)\n\n# %%\n',
            "\n# %%\n",
            "must call exercises.check once",
        ),
    ],
)
def test_a_source_with_a_problem_is_not_even_executed(toy, mend, not_executed, old, new, message):
    _is_refused(toy, mend, {old: new}, [message])


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"SEED == 9": "SEED == 0"}, ["toy.py stopped: ValueError: seed nine"]),
        (
            {
                "Path.cwd().name": "Path.cwd()",
                "headline =": "print('UserWarning', file=sys.stderr)\n"
                "print(('x' * 99 + chr(10)) * 10_000)\nheadline =",
            },
            ["shows a path of this machine", "writes to stderr", "1,000,000 are the limit"],
        ),
        ({"answer, other = 4, 5": "answer = 3"}, ["the solution of two.1 is not right, it says"]),
        ({'else "SYNTHETIC"': 'else "drawn"'}, ["its run for pictures did not say SYNTHETIC"]),
    ],
    ids=["raises", "outputs", "solution", "pictures"],
)
def test_a_notebook_with_a_problem_is_not_written(toy, mend, changes, messages):
    _is_refused(toy, mend, changes, messages)


def _is_refused(toy, mend, changes, messages):
    both = [paths(toy, name) for name in ("toy", "two")]
    lesson, path = next(p for p in both if next(iter(changes)) in p[0].read_text())
    before = path.read_bytes()
    for old, new in changes.items():
        mend(lesson, old, new)
    with pytest.raises(CourseError) as error:
        notebooks.build(lesson)
    for message in messages:
        assert message in str(error.value)
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["00_toy.ipynb", "01_two.ipynb", "src"]


def test_a_notebook_that_an_editor_saved_is_not_overwritten(toy, mend):
    """JupyterLab's autosave adds the kernel's version; a learner's work may be in it."""
    lesson, path = paths(toy)
    content = json.loads(path.read_text())
    content["cells"][-1]["source"] = "my_answer = 42"
    content["metadata"]["language_info"] |= {"version": "3.12.1", "file_extension": ".py"}
    path.write_text(json.dumps(content))
    mend(lesson, "A toy lesson", "A changed lesson")
    with pytest.raises(CourseError, match=r"saved by an editor.*move it to my_notebooks/"):
        notebooks.build(lesson)
    assert "my_answer = 42" in path.read_text()


def shown(tags=(), metadata=None, **data):
    data = {kind.replace("_", "/"): value for kind, value in data.items()}
    return tags, new_output("execute_result", data, metadata=metadata or {}, execution_count=1)


PNG = {"image_png": "iVBORw0KGgo=", "text_plain": "<Figure size 640x480 with 1 Axes>"}
SYNTHETIC, SAMPLES = {"source": "SYNTHETIC"}, {"source": "samples"}


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (shown(**PNG), None),
        (shown(text_plain="0.87"), None),
        (shown(text_plain="<b>", text_html="<b>0.87</b>"), None),
        (shown(["pictures"], SYNTHETIC, **PNG), None),
        (shown(["pictures"], **PNG), "is not known to be SYNTHETIC"),
        (shown(["samples"], SAMPLES, **PNG | {"text_plain": "<PIL.Image.Image>"}), None),
        (shown(["samples"], SYNTHETIC, **PNG), "is not known to be samples"),
        (shown(["samples"], SAMPLES, text_plain="'SYNTHETIC'"), "says SYNTHETIC"),
        (shown((), SAMPLES, **PNG | {"text_plain": "<PIL.Image.Image>"}), "did not draw"),
        (shown(text_plain="'SYNTHETIC'"), "says SYNTHETIC where real lesions are needed"),
        (shown(**PNG | {"text_plain": "<PIL.Image.Image>"}), "Matplotlib did not draw"),
        (shown(text_plain="x", text_html="<img src='data:image/png;base64,AA'>"), "did not draw"),
        (shown(text_plain="[<matplotlib.lines.Line2D at 0x7f>]"), "begin its last line with"),
        (shown(text_plain="Text(0.5, 1.0, 'title')"), "begin its last line with"),
        ((), "it has no outputs"),
    ],
)
def test_a_stored_output_that_must_not_be_there_is_found(output, message):
    cell = new_code_cell("show()", execution_count=1)
    if output:
        cell.metadata["tags"], cell.outputs = list(output[0]), [output[1]]
    found = check.output_problems(new_notebook(cells=[cell]))
    assert found == [] if message is None else message in "; ".join(found)
    if message and output:
        assert len(found) == 1


SLIDER = """import ipywidgets

@ipywidgets.interact(threshold=(0.05, 0.95, 0.05))
def show(threshold=0.5):
    print(1 / LIMIT, threshold)
"""


@pytest.mark.slow
def test_a_slider_runs_and_leaves_nothing_behind_but_its_errors(tmp_path):
    """Neither its view nor its state, which GitHub refuses to show."""
    cells = [new_code_cell("LIMIT = 2"), new_code_cell(SLIDER), new_code_cell("show(0.7)")]
    notebook = new_notebook(cells=cells)
    executed, _ = outputs.with_fresh_outputs(notebook, tmp_path / "x.ipynb")
    assert executed.cells[1].outputs == [] and executed.cells[2].outputs[0].text == "0.5 0.7\n"
    cells[0].source = "LIMIT = 0"
    cells.pop()
    with pytest.raises(CourseError, match=r"x.py stopped in a widget: ZeroDivisionError"):
        outputs.with_fresh_outputs(notebook, tmp_path / "x.ipynb")


def test_only_the_lessons_asked_for_are_built(toy, capsys, monkeypatch):
    built = []
    monkeypatch.setattr(notebooks, "build", lambda path, anew: built.append(path.stem) or "done")
    assert notebooks.notebooks(wanted=["01"]) == 0 and built == ["two"]


@pytest.fixture
def classifier(toy, mend, monkeypatch, capsys):
    """The one-file project of the toy lesson, as the builder writes it."""
    lesson, _ = paths(toy)
    mend(
        lesson,
        "# %%\nimport json",
        '# %% tags=["classifier"]\nimport matplotlib.pyplot as plt\n\n_ = plt.plot([1, 2])\n'
        'table = type("Table", (), {"to_string": lambda self: "a table"})()\ndisplay(table)\n\n'
        "# %%\nimport json",
    )
    monkeypatch.setattr(notebooks, "build", lambda lesson, anew: "done")
    assert notebooks.notebooks(wanted=["00"]) == 0
    return toy / notebooks.CLASSIFIER


def test_the_one_file_project_prints_and_saves_in_a_terminal_without_a_display(
    classifier, monkeypatch
):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(settings.ROOT))
    command = [sys.executable, "-W", "error", classifier]
    done = subprocess.run(command, cwd=classifier.parent, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.splitlines()[0] == "a table" and "Figures: " in done.stdout
    (figure,) = settings.runs().glob("*.png")
    assert figure.name == "skin_cancer_classifier-1.png"


@pytest.mark.slow
def test_the_one_file_project_pasted_into_a_notebook_shows_its_figure_and_saves_nothing(
    classifier, tmp_path, monkeypatch
):
    """Also after a diagram, which must leave the backend as it is."""
    monkeypatch.setenv("PYTHONPATH", str(settings.ROOT))
    texts = ["from utils import diagrams\n_ = diagrams.bootstrap()", classifier.read_text()]
    notebook = new_notebook(cells=[new_code_cell(text) for text in texts])
    executed, _ = outputs.with_fresh_outputs(notebook, tmp_path / "x.ipynb")
    kinds = [list(o.get("data", {})) for o in executed.cells[1].outputs]
    assert ["text/plain"] in kinds and any("image/png" in kind for kind in kinds)
    assert not settings.runs().exists()


@pytest.fixture
def whole(toy, mend):
    """An optional notebook of the toy course: its first lesson's project as one cell."""
    mend(toy / "pyproject.toml", '"two"]', '"two"]\noptional = ["whole"]')
    mend(
        toy / "notebooks" / "src" / "toy.py",
        "# %%\nimport json",
        '# %% tags=["classifier"]\n# @title Setup\nfrom utils import splits\n\nfirst = 1\n\n'
        '# %% tags=["classifier"]\n# alt: Nothing.\nprint(first)\n\n# %%\nimport json',
    )
    badge = paths(toy)[0].read_text(encoding="utf-8").partition("# # A toy lesson")[0]
    path = toy / "notebooks" / "src" / "whole.py"
    path.write_text(
        f"{badge}# # {{{{ notebook_of('toy') }}}}, whole\n\n# %%\n# {{{{ cells of toy }}}}\n"
    )
    return path


def test_an_optional_notebook_is_built_as_a_lesson_is_and_stands_outside_the_series(
    whole, toy, mend, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(settings.ROOT))
    assert "executed" in notebooks.build(whole)
    path = toy / "notebooks" / "whole.ipynb"
    notebook = nbformat.read(path, 4)
    assert lessons.notebook("whole") == path and lessons.name_of(path) == "whole"
    assert notebook.cells[0].source.endswith("# 00_toy.ipynb, whole")
    (cell,) = source.code_cells(notebook)
    assert cell.source == "from utils import splits\n\nfirst = 1\n\nprint(first)"
    assert cell.metadata == {"alt": ["Nothing."]} and cell.outputs[0].text == "1\n"
    assert whole in source.sources() and source.sources(["whole"]) == [whole]
    assert "whole" not in lessons.chosen() and lessons.chosen("00,whole") == ["toy", "whole"]
    assert source.needed(whole) == ["notebooks/src/toy.py"]
    assert "utils/splits.py" in source.helper_files(whole)
    assert notebooks.build(whole) == "is unchanged"
    mend(toy / "notebooks" / "src" / "toy.py", "first = 1", "first = 2")
    assert "executed" in notebooks.build(whole)


def test_another_order_of_lessons_renames_their_notebooks(toy, mend, not_executed, capsys):
    mend(toy / "pyproject.toml", '"toy", "two"', '"two", "toy"')
    both = [path.read_bytes() for path in sorted((toy / "notebooks").glob("*.ipynb"))]
    assert notebooks.notebooks(wanted=["two", "toy"]) == 0
    assert "00_toy.ipynb becomes 01_toy.ipynb" in capsys.readouterr().out
    found = sorted((toy / "notebooks").glob("*.ipynb"))
    assert [path.name for path in found] == ["00_two.ipynb", "01_toy.ipynb"]
    assert [len(path.read_bytes()) for path in found] == [len(content) for content in both[::-1]]
    (toy / "notebooks" / "07_gone.ipynb").write_text("{}")
    with pytest.raises(CourseError, match=r"07_gone\.ipynb is of no lesson"):
        notebooks.notebooks(wanted=["two"])


def test_helpers_and_records_that_a_lesson_uses_make_it_run_again(toy, mend, monkeypatch, tmp_path):
    lesson, _ = paths(toy)
    monkeypatch.setattr(source.results, "COMMITTED", tmp_path)
    (tmp_path / "ten.json").write_text("[1]")
    mend(
        lesson,
        "import json",
        "from utils import splits\nten = 'committed(\"ten\")'\nimport json",
    )
    before = source.made_from(lesson)
    assert before.keys() == {"helpers", "ten"} and source.needed(lesson) == ["results/ten.json"]
    (tmp_path / "ten.json").write_text("[2]")
    assert source.made_from(lesson)["ten"] != before["ten"]
    helpers = source.helper_files(lesson)
    assert {"utils/splits.py"} <= helpers and "utils/predict.py" not in helpers
    mend(lesson, "import splits", "import predict")
    assert source.made_from(lesson)["helpers"] != before["helpers"]


def test_the_one_file_project_is_that_of_the_committed_lesson():
    (lesson,) = source.sources(["quickstart"])
    text = (settings.ROOT / notebooks.CLASSIFIER).read_text(encoding="utf-8")
    assert text == notebooks.classifier(source.render(lesson))
