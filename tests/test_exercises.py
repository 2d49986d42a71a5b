"""Every exercise: its blank, each typical wrong answer with its hint, its solution."""

import re

import nbformat
import numpy as np
import pandas as pd
import pytest

from utils import course, exercises

LESSONS = sorted(course.NOTEBOOKS.glob("[0-9]*.ipynb"))


def _middle(image):
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


def _epochs_run(val_auc, patience):
    for epoch in range(1, len(val_auc) + 1):
        if epoch - 1 - int(np.argmax(val_auc[:epoch])) == patience:
            return epoch
    return len(val_auc)


FLIPS = [(r, c) for r in (1, -1) for c in (1, -1)]


def _rate(fall, start=0):
    """A schedule: a straight line up from ``start``, then ``fall(share done)`` of the peak."""

    def rate(step, steps, warm_up, peak):
        if step < warm_up:
            return peak * max(start, step / warm_up)
        return peak * fall((step - warm_up) / (steps - warm_up))

    return rate


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
    "02.1": {
        "given": {},
        "blank": lambda train, validation: ...,
        "right": lambda train, validation: len(set(train) & set(validation)),
        "wrong": [
            (lambda a, b: set(a) & set(b), "how many are they"),
            (lambda a, b: sum(i in a for i in b), "counted pictures"),
            (lambda a, b: len(set(b) - set(a)), "*not* shared"),
            (lambda a, b: 2, "two lesions are in both"),
        ],
    },
    "02.2": {
        "given": {},
        "right": 3,
        "wrong": [(6, "names"), (4, "third pair"), (1, "B and F"), (2, "islands")],
    },
    "02.3": {
        "given": {},
        "blank": lambda groups, n_groups: ...,
        "right": lambda groups, n_groups: np.isin(groups, np.unique(groups)[-n_groups:]),
        "wrong": [
            (lambda groups, n: np.arange(n), "True or False"),
            (lambda groups, n: np.arange(len(groups)) % 4 < 1, "both parts"),
            (lambda groups, n: np.isin(groups, ["a", "b"]), "2 went to validation"),
            (lambda groups, n: np.isin(groups, list(dict.fromkeys(groups))[:n]), "sort the names"),
        ],
    },
    "02.4": {
        "given": {},
        "right": 9,
        "wrong": [
            (3, "at four times"),
            (1 / 9, "more pictures"),
            (1.73, "the root"),
            (27, "squared"),
        ],
    },
    "03.1": {
        "given": {"kernel": 3, "c_in": 64, "c_out": 128},
        "right": 8896,
        "wrong": [
            (73728, "plain convolution"),
            (73856, "plain convolution"),
            (576, "mixes the channels"),
            (8192, "looks at neighbours"),
            (8320, "looks at neighbours"),
            (576 * 8192, "add them"),
            (8768, "add to its sum"),
            (8960, "Only the pointwise"),
            (5, "each pair of channels"),
            ("many", "one number"),
        ],
    },
    "03.2": {
        "given": {"side": 96, "channels": 32, "kernel": 3, "stride": 2},
        "right": 663552,
        "wrong": [
            (2654208, "without the stride"),
            (1327104, "Twice too many"),
            (663552 * 32, "no channel sees another"),
            (288, "the parameters"),
            (20736, "left the channels out"),
            (1, "Places in the output"),
        ],
    },
    "03.3": {
        "given": {"kernels": (3, 3, 3), "strides": (2, 2, 1)},
        "right": 15,
        "wrong": [
            (7, "without the strides"),
            (9, "overlap"),
            (27, "do not multiply"),
            (21, "not its own kernel"),
            (12, "field and jump"),
        ],
    },
    "03.4": {
        "given": {},
        "blank": lambda pixels: ...,
        "right": lambda pixels: pixels / 127.5 - 1,
        "wrong": [
            (lambda pixels: pixels / 255, "That is 0 to 1"),
            (lambda pixels: pixels / 255 - 0.5, "half as wide"),
            (lambda pixels: 1 - pixels / 127.5, "upside down"),
            (lambda pixels: pixels / 127.5, "not 2"),
            (lambda pixels: pixels * 2 / 255 - 1, "wraps around"),
            (lambda pixels: pixels / 128 - 1, "What should 0 and 255"),
            (lambda pixels: pixels[0] / 127.5 - 1, "every pixel"),
            (lambda pixels: None, "return"),
        ],
    },
    "04.1": {
        "given": {"inputs": 1280, "neurons": 128},
        "right": 164097,
        "wrong": [
            (163968, "the last one included"),
            (164096, "last neuron has a bias"),
            (163840, "second layer"),
            (163969, "second layer is missing"),
            (1409, "a product"),
            (5, "inputs times outputs"),
        ],
    },
    "04.2": {
        "given": {"plain": 4.0, "frozen": 3.5, "epochs": 35},
        "right": 140 / 21,
        "wrong": [
            (8, "leaves out the one pass"),
            (35, "the frozen part"),
            (21 / 140, "Upside down"),
            (0.875, "share"),
            (119, "saved"),
            (2, "divided by"),
        ],
    },
    "04.3": {
        "given": {},
        "blank": lambda val_auc, patience: ...,
        "right": lambda val_auc, patience: _epochs_run(val_auc, patience),
        "wrong": [
            (lambda v, p: 5, "the best epoch"),
            (lambda v, p: p + 1, "Start waiting anew"),
            (lambda v, p: len(v), "cannot know"),
            (lambda v, p: _epochs_run(v, p) - 1, "one too early"),
            (lambda v, p: 1, "epoch 5 is the best"),
            (lambda v, p: 8 if p == 3 else 4, "no improvement"),
            (lambda v, p: {9: 8, 4: 3, 2: 1}[len(v)], "all epochs"),
        ],
    },
    "04.4": {
        "given": {"momentum": 0.999},
        "right": 693,
        "wrong": [
            (500, "what is *left*"),
            (1000, "0.37"),
            (692, "round up"),
            (692.8, "round up"),
            (7, "logarithms"),
        ],
    },
    "05.1": {
        "given": {},
        "blank": lambda truth, called: ...,
        "right": lambda truth, called: np.histogram2d(truth, called, bins=2)[0],
        "wrong": [
            (lambda t, c: [[4, 1], [2, 3]], "rows are the truth"),
            (lambda t, c: [[3, 1], [2, 4]], "Melanoma stands first"),
            (lambda t, c: [[1, 3], [4, 2]], "Only the rows"),
            (lambda t, c: [[2, 4], [3, 1]], "Only the columns"),
            (lambda t, c: [[0.4, 0.2], [0.1, 0.3]], "Those are shares"),
            (lambda t, c: [[4 / 6, 2 / 6], [1 / 4, 3 / 4]], "Those are shares"),
            (lambda t, c: [4, 2, 1, 3], "has shape (4,)"),
            (lambda t, c: [[5, 1], [1, 3]], "count one cell"),
            (lambda t, c: None, "return"),
        ],
    },
    "05.2": {
        "given": {"careful": (2, 110), "brisk": (6, 60)},
        "right": 12.5,
        "wrong": [
            (0.08, "Upside down"),
            (50, "share it among them"),
            (55, "careful threshold alone"),
            (10, "brisk threshold alone"),
            (50 / 6, "all that the brisk one misses"),
            (3, "sums of costs equal"),
        ],
    },
    "05.3": {
        "given": {"sensitivity": 0.9, "specificity": 0.8, "prevalence": 0.01},
        "right": 0.009 / (0.009 + 0.198),
        "wrong": [
            (0.9, "sensitivity"),
            (0.9 / 1.1, "every second lesion"),
            (0.009, "divide by all alarms"),
            (0.207, "which share of them"),
            (0.9565, "share of false alarms"),
            (0.01124, "let the specificity ring"),
            (4.35, "between 0 and 1"),
            (0.5, "10,000 people"),
        ],
    },
    "05.4": {
        "given": {"says": 0.5, "before": 0.24, "after": 0.11},
        "right": 0.2813,
        "wrong": [
            (0.2292, "not the probability"),
            (0.3914, "turn them back"),
            (0.7187, "other direction"),
            (0.5, "Nothing changed"),
            (0.11, "the prevalence"),
            (0.9, "new odds"),
        ],
    },
    "05.5": {
        "given": {"melanomas": 48, "images": 200, "sensitivity": 0.79, "precision": 0.83},
        "right": 0.91,
        "wrong": [
            (0.852, "what was claimed"),
            (182, "between 0 and 1"),
            (0.8095, "F1"),
            (0.9496, "forgot the false alarms"),
            (0.9612, "forgot the missed"),
            (0.8204, "not of the benign"),
            (0.5, "then all wrong"),
        ],
    },
    "05.6": {
        "given": {},
        "right": "this A",
        "wrong": [
            ("nothing shown", "same pictures"),
            ("B", "its sign"),
            ("the recipe of A", "next seed"),
            ("both", "Answer"),
        ],
    },
    "06.1": {
        "given": {},
        "blank": lambda step, steps, warm_up, peak: ...,
        "right": lambda step, steps, warm_up, peak: (
            peak * step / warm_up
            if step < warm_up
            else peak * np.cos(np.pi / 2 * (step - warm_up) / (steps - warm_up)) ** 2
        ),
        "wrong": [
            (_rate(lambda d: (1 + np.cos(np.pi * d)) / 2, start=1), "begins at the bottom"),
            (lambda step, steps, warm_up, peak: peak * step**2 / warm_up**2, "middle of the warm"),
            (
                lambda step, steps, warm_up, peak: (
                    peak * (1 + np.cos(np.pi * step / steps)) / 2
                    if step >= warm_up
                    else peak * step / warm_up
                ),
                "count the cosine",
            ),
            (_rate(lambda d: np.cos(np.pi * d)), "lift it by 1"),
            (_rate(lambda d: 1 - d), "straight line"),
            (_rate(lambda d: np.cos(np.pi * d / 2)), "quarter of a cosine"),
            (_rate(lambda d: (1 - d) ** 2), "(1 + cos"),
        ],
    },
    "06.2": {
        "given": {},
        "blank": lambda image: ...,
        "right": lambda image: [
            view[::r, ::c] for view in (image, image.transpose(1, 0, 2)) for r, c in FLIPS
        ],
        "wrong": [
            (lambda image: [image[:2]], "keep a square"),
            (lambda image: [image, 0 * image], "changes none"),
            (lambda image: [image, image[:, :, ::-1]], "axis is colour"),
            (lambda image: [image, image[::-1], image[::-1]], "occur twice"),
            (lambda image: [image[::-1]], "itself is missing"),
            (lambda image: [np.rot90(image, k) for k in range(4)], "You have 4"),
            (
                lambda image: [np.rot90(v, k) for v in (image[::-1], image) for k in range(4)],
                "itself first",
            ),
        ],
    },
    "06.3": {
        "given": {"weight": 4},
        "right": 0.8,
        "wrong": [
            (0.5, "Nothing moved"),
            (0.2, "other way"),
            (4, "Those are the odds"),
            (2, "not the probability"),
            (0.125, "use the odds"),
            (0.9, "odds of 1"),
        ],
    },
    "06.4": {
        "given": {"low": 0.84, "high": 0.86, "doublings": 2},
        "right": 1 - 0.14 * 0.875**2,
        "wrong": [
            (0.9, "straight line"),
            (0.8775, "One doubling"),
            (0.14 * 0.875**2, "the AUC is the rest"),
            (0.86 * (0.86 / 0.84) ** 2, "not of the AUC"),
            (0.95, "two from 3,000"),
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
