"""Every exercise: its blank, each typical wrong answer with its hint, its solution, its hint."""

import re

import nbformat
import pytest

from course import lessons
from course.build import style
from utils import exercises
from utils.exercises import CHECKS

for name in lessons.names():
    exercises.import_module(f"utils.exercises.{name}")
# Their checks train or convert networks.
TRAINS = {"mobilenetv2.4", "fine_tuning.1", "fine_tuning.4", "deployment.2"}
each_exercise = pytest.mark.parametrize("number", sorted(CHECKS))
each_by_cost = pytest.mark.parametrize(
    "number",
    [pytest.param(n, marks=pytest.mark.slow) if n in TRAINS else n for n in sorted(CHECKS)],
)


def said(capsys, number, answer, given):
    exercises.check(number, answer, **given)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 90
    return " ".join(out.split())


@each_by_cost
def test_blank_right_and_wrong_answers_are_told_apart(capsys, number):
    cases = CHECKS[number].cases()
    for blank in (..., cases.blank):
        found = said(capsys, number, blank, cases.given)
        assert found.startswith(f"Exercise {number}: nothing answered yet.")
    assert said(capsys, number, cases.right, cases.given).startswith(f"Exercise {number}: right. ")
    assert len(cases.wrong) >= 2
    for answer, words in cases.wrong:
        found = said(capsys, number, answer, cases.given)
        assert found.startswith(f"Exercise {number}: not yet. ") and words in found, found


@each_exercise
def test_a_hint_on_request_gives_no_answer_away(capsys, number):
    exercises.hint(number)
    out = capsys.readouterr().out
    assert out.startswith(f"Hint for {number}: ") and max(map(len, out.splitlines())) <= 90
    right = CHECKS[number].cases().right
    for answer in right if isinstance(right, set | list | tuple) else [right]:
        if isinstance(answer, str | int | float):
            text = answer if isinstance(answer, str) else f"{answer:.3g}"
            assert not re.search(rf"\b{re.escape(text)}\b", out.removeprefix(f"Hint for {number}"))


@pytest.fixture
def toys(monkeypatch):
    def judge(answer):
        return f"It is {answer([])}."

    toy = exercises.registry.Exercise(judge, "", lambda: None)
    for number in ("99.1", "99.2"):
        monkeypatch.setitem(CHECKS, number, toy)


def test_an_answer_that_raises_is_told_so(capsys, toys):
    exercises.check("99.1", lambda values: values[0])
    assert "not yet. Your code stopped with IndexError: list index" in capsys.readouterr().out


def test_an_answer_with_a_part_missing_is_blank(capsys, toys):
    for answer in ((1, ...), [..., 1]):
        exercises.check("99.1", answer)
        assert "99.1: nothing answered yet" in capsys.readouterr().out


def test_an_unknown_number_is_an_error():
    for number in ("00.99", "98.1", "x"):
        with pytest.raises(KeyError):
            exercises.check(number, 1)


def test_slow_answers_are_made_for_tests_only(monkeypatch):
    monkeypatch.setattr(exercises.registry, "CHECKS", {})
    made = []
    exercises.registry.exercise(
        "99.3", "", cases=lambda: made.append(1) or {"right": 1, "wrong": []}
    )(len)
    assert made == []
    assert exercises.registry.CHECKS["99.3"].cases().right == 1 and made == [1]


@pytest.mark.parametrize("name", lessons.names())
def test_every_exercise_is_in_its_lesson_blank_and_with_a_folded_solution(name):
    blank = re.compile(r"^Exercise ([\w.]+): nothing answered yet", re.MULTILINE)
    found = {"exercise": [], "solution": []}
    for cell in nbformat.read(lessons.notebook(name), 4).cells:
        if "exercise" in style.tags(cell):
            found["exercise"] += blank.findall(style.output_text(cell))
        elif "solution" in style.tags(cell):
            found["solution"] += re.findall(r"<summary>Solution of ([\w.]+)<", cell.source)
    own = sorted(number for number in CHECKS if number.startswith(f"{name}."))
    assert own and found == {"exercise": own, "solution": own}
