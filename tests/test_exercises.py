"""Every exercise: its blank, each typical wrong answer with its hint, its solution, its hint."""

import re

import nbformat
import pytest

from utils import exercises, settings
from utils.exercises import CHECKS

LESSONS = sorted((settings.ROOT / "notebooks").glob("[0-9]*.ipynb"))


def said(capsys, number, answer, judge=exercises.check):
    judge(number, answer, **CHECKS[number].given)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 90
    return " ".join(out.split())


@pytest.mark.parametrize("number", CHECKS)
def test_a_blank_is_said_kindly(capsys, number):
    for blank in (..., CHECKS[number].blank):
        assert said(capsys, number, blank).startswith(f"Exercise {number}: nothing answered yet.")


@pytest.mark.parametrize("number", CHECKS)
def test_the_solution_is_right(capsys, number):
    right = CHECKS[number].right
    assert said(capsys, number, right).startswith(f"Exercise {number}: right. ")
    assert said(capsys, number, right, exercises.solution).startswith(f"Solution of {number}: ri")


WRONG = [(number, *pair) for number, case in CHECKS.items() for pair in case.wrong]


@pytest.mark.parametrize(
    ("number", "answer", "words"), WRONG, ids=[f"{number} {words}" for number, _, words in WRONG]
)
def test_a_wrong_answer_gets_its_own_hint(capsys, number, answer, words):
    out = said(capsys, number, answer)
    assert out.startswith(f"Exercise {number}: not yet. ") and words in out


def test_every_exercise_has_wrong_answers_and_functions_have_a_blank():
    for case in CHECKS.values():
        assert len(case.wrong) >= 2
        assert callable(case.right) == callable(case.blank)


@pytest.mark.parametrize("number", CHECKS)
def test_a_hint_on_request_gives_no_answer_away(capsys, number):
    exercises.hint(number)
    out = capsys.readouterr().out
    assert out.startswith(f"Hint for {number}: ") and max(map(len, out.splitlines())) <= 90
    right = CHECKS[number].right
    if isinstance(right, set | list):
        assert not any(name in out for name in right)
    elif not callable(right):
        answer = right if isinstance(right, str) else f"{right:.3g}"
        assert not re.search(rf"\b{re.escape(answer)}\b", out.removeprefix(f"Hint for {number}"))


def test_an_answer_that_raises_is_told_so(capsys, monkeypatch):
    case = exercises.registry.Exercise(lambda answer: answer([]), "", None, [])
    monkeypatch.setitem(CHECKS, "99.1", case)
    exercises.check("99.1", lambda values: values[0])
    assert "not yet. Your code stopped with IndexError: list index" in capsys.readouterr().out


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_has_its_exercises_each_with_a_folded_solution(path):
    own = [number for number in CHECKS if number.startswith(path.stem[:2])]
    cells = nbformat.read(path, 4).cells
    found = {"exercise": [], "solution": []}
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        for kind in found.keys() & set(tags):
            assert "nbval-check-output" in tags, cell.source
            (output,) = cell.outputs
            first = "Exercise" if kind == "exercise" else "Solution of"
            verdict = "nothing answered yet" if kind == "exercise" else "right"
            found[kind] += re.findall(rf"^{first} ([\d.]+): {verdict}", output.text, re.MULTILINE)
        if "solution" in tags:
            assert cell.metadata["cellView"] == "form" and cell.source.startswith("# @title Solu")
            assert cell.metadata["jupyter"] == {"source_hidden": True}
    assert len(own) >= 3
    assert found == {"exercise": own, "solution": own}
