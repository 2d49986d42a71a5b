"""Building notebooks, on the toy course."""

import json

import pytest

from course import build
from course.errors import CourseError


def paths(toy):
    return toy / "notebooks" / "src" / "00_toy.py", toy / "notebooks" / "00_toy.ipynb"


def test_an_unchanged_notebook_is_not_executed_and_another_address_keeps_its_outputs(toy, mend):
    source, path = paths(toy)
    before = path.read_bytes()
    assert build.build(source) == "is unchanged" and path.read_bytes() == before
    mend(toy / "pyproject.toml", "someone/skin", "fork/skin")
    assert build.build(source) == "rendered anew"
    text = path.read_text()
    assert text.encode() == before.replace(b"someone/skin", b"fork/skin")
    assert "blob/v1.2/notebooks/00_toy.ipynb" in text and build.DISCLAIMER in text


def test_a_changed_or_stripped_notebook_is_executed_again_alone_on_synthetic_lesions(toy, mend):
    source, path = paths(toy)
    mend(path, '"execution_count": 2', '"execution_count": null')
    assert "executed" in build.build(source)
    own = '(os.environ["CUDA_VISIBLE_DEVICES"], os.environ["COURSE_OFFLINE"])'
    mend(source, "FAST, os", f"FAST, {own}, os")
    assert "executed" in build.build(source)
    assert "notebooks auto 0.35 0 True ('', '1') synthetic" in path.read_text()


def test_the_setup_line_becomes_code_that_fetches_what_the_badge_names(toy, mend):
    source, _ = paths(toy)
    mend(source, "# %%\nimport json", "# %%\nfirst = 1\n# {{ setup }}\nimport json")
    code = build.render(source).cells[2].source
    assert code.startswith("first = 1\nimport importlib.util\n") and "\nimport json\n" in code
    assert 'REPOSITORY = "https://github.com/someone/skin"' in code
    assert '"--branch=v1.2"' in code and "{{" not in code


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("SEED = 0", "SEED = 0\nTWICE = 2 * SEED", "more than constants: TWICE = 2 * SEED"),
        ('tags=["parameters"]', 'tags=["parameter"]', "0 cells are tagged `parameters`"),
        ("{{ notebook }}", "notebooks/00_tox.ipynb", "badge must lead to"),
        ("{{ notebook }}", "{{ notebok }}", "'notebok' is undefined"),
        ("FAST = True", "FAST = True  # {{ branch }}", "in place of {{ branch }} in a code cell"),
    ],
)
def test_a_source_with_a_problem_is_not_even_executed(toy, mend, monkeypatch, old, new, message):
    monkeypatch.setattr(build, "_execute", lambda *_: pytest.fail("it was executed"))
    _is_refused(toy, mend, {old: new}, [message])


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"SEED == 9": "SEED == 0"}, ["00_toy.py stopped: ValueError: seed nine"]),
        (
            {
                "Path.cwd().name": "Path.cwd()",
                "headline =": "print('UserWarning', file=sys.stderr)\n"
                "print(('x' * 99 + chr(10)) * 10_000)\nheadline =",
            },
            ["shows a path of this machine", "writes to stderr", "1,000,000 are the limit"],
        ),
    ],
    ids=["raises", "outputs"],
)
def test_a_notebook_with_a_problem_is_not_written(toy, mend, changes, messages):
    _is_refused(toy, mend, changes, messages)


def _is_refused(toy, mend, changes, messages):
    source, path = paths(toy)
    before = path.read_bytes()
    for old, new in changes.items():
        mend(source, old, new)
    with pytest.raises(CourseError) as error:
        build.build(source)
    for message in messages:
        assert message in str(error.value)
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["00_toy.ipynb", "01_two.ipynb", "src"]


def test_a_notebook_that_an_editor_saved_is_not_overwritten(toy, mend):
    """JupyterLab's autosave adds the kernel's version; a learner's work may be in it."""
    source, path = paths(toy)
    content = json.loads(path.read_text())
    content["cells"][-1]["source"] = "my_answer = 42"
    content["metadata"]["language_info"] |= {"version": "3.12.1", "file_extension": ".py"}
    path.write_text(json.dumps(content))
    mend(source, "A toy lesson", "A changed lesson")
    with pytest.raises(CourseError, match=r"saved by an editor.*move it to my_notebooks/"):
        build.build(source)
    assert "my_answer = 42" in path.read_text()
