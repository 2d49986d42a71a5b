"""Every exercise: its blank, each typical wrong answer with its hint, its solution."""

import re

import nbformat
import pandas as pd
import pytest

from utils import course, exercises

LESSONS = sorted(course.NOTEBOOKS.glob("[0-9]*.ipynb"))


def _middle(image):
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


# By exercise: what the check is given, a right answer, and wrong ones with words of their hint.
# "blank" is what a function exercise looks like before anything is answered.
CASES = {
    "00.1": {
        "given": {"melanomas": 240, "images": 1000},
        "right": 0.76,
        "wrong": [
            (76, "share between 0 and 1"),
            (0.24, "how often it is wrong"),
            (0.5, "toss a coin"),
            (0.9, "Count the pictures"),
            ("0,76", "one number"),
            (None, "return"),
        ],
    },
    "00.2": {
        "given": {"confusion": [[130, 22], [20, 28]]},
        "right": 28 / 48,
        "wrong": [
            (28 / 50, "precision"),
            (130 / 152, "specificity"),
            (158 / 200, "accuracy"),
            (20 / 48, "missed"),
            (0.1, "row of true melanomas"),
        ],
    },
    "00.3": {
        "given": {},
        "right": "neither",
        "wrong": [("colours", "intervals"), ("MobileNetV2", "intervals"), ("both", "Answer")],
    },
    "01.1": {
        "given": {
            "table": pd.DataFrame(
                {
                    "lesion_id": list("aabcddde"),
                    "dx": ["mel", "mel", "nv", "nv", "mel", "mel", "mel", "bkl"],
                }
            )
        },
        "right": 2 / 5,
        "wrong": [
            (5 / 8, "share of the photographs"),
            (3 / 5, "benign"),
            (2, "between 0 and 1"),
            (0.1, "one row a lesion"),
        ],
    },
    "01.2": {
        "given": {},
        "right": {"age", "sex", "localization"},
        "wrong": [
            ({"age", "dx"}, "shall find out"),
            ({"age", "sex", "localization", "dx_type"}, "When is that known"),
            ({"age", "image_id"}, "is a name"),
            ({"age", "sex"}, "what of localization"),
            ({"age", "sex", "localization", "colour"}, "of the list only"),
            ("age", "set of names"),
        ],
    },
    "01.3": {
        "given": {},
        "blank": lambda image: ...,
        "right": lambda image: _middle(image),
        "wrong": [
            (lambda image: image, "Nothing is cut"),
            (lambda image: image[:, 25:175], "has shape"),
            (lambda image: image[: min(image.shape[:2]), : min(image.shape[:2])], "top left"),
            (lambda image: _middle(image)[::-1], "not the middle"),
            (lambda image: None, "return"),
        ],
    },
    "01.4": {
        "given": {},
        "right": ["cache", "shuffle", "augment", "batch", "prefetch"],
        "wrong": [
            (["shuffle", "batch"], "once"),
            (["cache", "shuffle", "augment", "prefetch", "batch"], "nothing may come after"),
            (["shuffle", "cache", "augment", "batch", "prefetch"], "same order"),
            (["augment", "cache", "shuffle", "batch", "prefetch"], "same flips"),
            (["cache", "batch", "shuffle", "augment", "prefetch"], "stay together"),
        ],
    },
}


def said(capsys, number, answer, judge=exercises.check):
    judge(number, answer, **CASES[number]["given"])
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return out


def test_every_exercise_has_its_cases():
    assert sorted(CASES) == sorted(exercises.CHECKS)
    assert all(len(case["wrong"]) >= 2 for case in CASES.values())


@pytest.mark.parametrize("number", CASES)
def test_a_blank_is_said_kindly(capsys, number):
    blanks = [..., *([CASES[number]["blank"]] if "blank" in CASES[number] else [])]
    for blank in blanks:
        assert said(capsys, number, blank).startswith(f"Exercise {number}: nothing answered yet.")


@pytest.mark.parametrize("number", CASES)
def test_the_solution_is_right(capsys, number):
    right = CASES[number]["right"]
    assert said(capsys, number, right).startswith(f"Exercise {number}: right. ")
    assert said(capsys, number, right, exercises.solution).startswith(f"Solution of {number}: ri")


WRONG = [(number, *pair) for number, case in CASES.items() for pair in case["wrong"]]


@pytest.mark.parametrize(
    ("number", "answer", "hint"), WRONG, ids=[f"{number} {hint}" for number, _, hint in WRONG]
)
def test_a_wrong_answer_gets_its_own_hint(capsys, number, answer, hint):
    out = said(capsys, number, answer)
    assert out.startswith(f"Exercise {number}: not yet. ") and hint in out


def test_an_answer_that_raises_is_told_so(capsys, monkeypatch):
    monkeypatch.setitem(exercises.CHECKS, "99.1", lambda answer: answer([]))
    exercises.check("99.1", lambda values: values[0])
    assert "not yet. Your code stopped with IndexError: list index" in capsys.readouterr().out


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_has_its_exercises_each_with_a_folded_solution(path):
    own = [number for number in exercises.CHECKS if number.startswith(path.stem[:2])]
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
