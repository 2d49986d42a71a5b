"""Exercises of the lesson evaluation."""

import numpy as np
from sklearn.metrics import recall_score, roc_auc_score

from utils.evaluation import Estimate, difference
from utils.exercises.registry import (
    Blank,
    Hint,
    answered,
    check_word,
    exercise,
    near,
    number,
    parts,
)


def _rates(y, called):
    return {
        "sensitivity": recall_score(y, called),
        "specificity": recall_score(y, called, pos_label=0),
    }


# Of 5 melanomas 4 are called, of 10 other lesions 3.
TRUTH = np.repeat([1, 0], [5, 10])
CALLED = np.repeat([1, 0, 1, 0], [4, 1, 3, 7]) == 1


def _both(sensitivity, specificity):
    """An answer that gives these two numbers, whatever it is asked."""
    return lambda y, called: {"sensitivity": sensitivity, "specificity": specificity}


@exercise(
    "evaluation.1",
    hint="Each share belongs to one row of the matrix. The function that the lesson used can be "
    "told which label its row has: call help on it.",
    blank=lambda y, called: ...,
    right=_rates,
    wrong=[
        (_both(0.7, 0.8), "exchanged"),
        (_both(0.8, 0.8), "of the melanomas twice"),
        (_both(0.8, 0.3), "false alarms"),
        (_both(0.8, 4 / 7), "That is precision"),
        (_both(0.8, 11 / 15), "That is accuracy"),
        (_both(0.2, 0.7), "missed"),
        (_both(4 / 7, 0.7), "That is precision"),
        (_both(0.8, 0.5), "10 other lesions"),
        (_both(0.8, 7), "a share"),
        (lambda y, called: (0.8, 0.7), "a dictionary"),
        (lambda y, called: {"recall": 0.8}, "Its keys"),
        (lambda y, called: {"sensitivity": 0.8, "specificity": 0.7}, "other answers"),
        (lambda y, called: None, "return"),
    ],
)
def _two_rows(answer):
    found = answered(answer(TRUTH, CALLED))
    if not isinstance(found, dict):
        raise Hint(f"Return a dictionary, not {type(found).__name__}.")
    if set(found) != {"sensitivity", "specificity"}:
        raise Hint('Its keys are "sensitivity" and "specificity".')
    if any(value is ... for value in found.values()):
        raise Blank
    sensitivity, specificity = number(found["sensitivity"]), number(found["specificity"])
    if max(sensitivity, specificity) > 1:
        raise Hint("That is a count: each number is a share, from 0 to 1.")
    typical = {
        (0.7, 0.8): "The two are exchanged: sensitivity is about the melanomas.",
        (0.8, 0.8): "That is the share of the melanomas twice: specificity is about the others.",
    }
    for (one, other), hint in typical.items():
        if near(sensitivity, one) and near(specificity, other):
            raise Hint(hint)
    for value in (sensitivity, specificity):
        if near(value, 4 / 7):
            raise Hint("That is precision: it reads a column. Both of these read a row.")
        if near(value, 11 / 15):
            raise Hint("That is accuracy: it reads both rows at once.")
    if near(sensitivity, 0.2):
        raise Hint("That is the share of melanomas that are missed. Turn it round.")
    if near(specificity, 0.3):
        raise Hint("That is the share of false alarms. Turn it round.")
    if not near(sensitivity, 0.8) or not near(specificity, 0.7):
        raise Hint(
            "Of 5 melanomas 4 are called, of 10 other lesions 3: your function says "
            f"{sensitivity:.2f} and {specificity:.2f}."
        )
    turned = answer(1 - TRUTH, CALLED)
    if not near(turned["sensitivity"], 0.3) or not near(turned["specificity"], 0.2):
        raise Hint("It works for one example, and not for other answers: use y and called.")
    return "One number for each row. The lesson goes on with your function."


def _threshold_for(sensitivity, y, p):
    """The highest probability of a melanoma from which on enough melanomas are called."""
    own = np.sort(p[y == 1])[::-1]
    return own[np.flatnonzero(np.arange(1, len(own) + 1) / len(own) >= sensitivity)[0]]


Y = np.array([0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1])
P = np.arange(16) / 16


@exercise(
    "evaluation.2",
    hint="The second array rises while the third falls. You need the first place at which it is "
    "high enough, and the threshold of that place.",
    blank=lambda sensitivity, y, p: ...,
    right=_threshold_for,
    wrong=[
        (lambda sensitivity, y, p: 0.0, "a higher threshold"),
        (lambda sensitivity, y, p: p[y == 1].max(), "finds too few"),
        (lambda sensitivity, y, p: np.quantile(p, 0.1), "of the melanomas"),
        (lambda sensitivity, y, p: np.quantile(p[y == 1], 0.1, method="lower"), "a higher"),
        (lambda sensitivity, y, p: _threshold_for(0.9, y, p), "another share"),
        (lambda sensitivity, y, p: sensitivity, "finds too few"),
        (lambda sensitivity, y, p: np.inf, "finds too few"),
        (lambda sensitivity, y, p: np.array([0.5, 0.4]), "one number"),
        (lambda sensitivity, y, p: None, "return"),
    ],
)
def _highest(answer):
    for share in (0.9, 0.5, 0.75):
        right, given = _threshold_for(share, Y, P), number(answer(share, Y, P))
        if np.array_equal(given <= P, right <= P):
            continue
        if near(given, np.quantile(P, 1 - share)):
            raise Hint("That is a quantile of all lesions: take a share of the melanomas only.")
        found = np.mean(P[Y == 1] >= given)
        if found < share:
            raise Hint(f"For a share of {share} it finds too few: {found:.2f} of the melanomas.")
        if share == 0.9:
            raise Hint(f"It finds {found:.2f}, and a higher threshold still finds enough.")
        raise Hint(f"0.9 works, another share does not: with {share} a higher threshold will do.")
    return "The lesson goes on with your function."


def _gain(y, model, colours):
    return difference(roc_auc_score, y, model, colours, np.arange(len(y)))


def _solution(y, model, colours):
    gain = _gain(y, model, colours)
    return gain, "shown" if gain.low > 0 or gain.high < 0 else "inconclusive"


SCORES = {
    "y": Y,
    "model": P,
    "colours": np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3]) / 10,
}


@exercise(
    "evaluation.3",
    hint="Lesson intervals compared two models on the same lesions: the score, the truth, both "
    "models' probabilities, the groups. Then look where zero lies.",
    given=SCORES,
    blank=(..., ...),
    solution=_solution,
    wrong=[
        ("inconclusive", "two things"),
        ((0.05, "inconclusive"), "no interval"),
        ((Estimate(-_gain(**SCORES).value, -0.1, 0.3), "inconclusive"), "model first"),
        ((Estimate(0.4, -0.5, 1.5), "inconclusive"), "area under"),
        ((_gain(**SCORES), "equal"), "One of two words"),
        ((_gain(**SCORES), "shown"), "Look where zero lies"),
    ],
)
def _paired(answer, y, model, colours):
    gain, word = parts(answer, 2, "Give two things: (gain, word).")
    if not isinstance(gain, Estimate):
        raise Hint("That gain has no interval. evaluation.difference gives both.")
    expected = roc_auc_score(y, model) - roc_auc_score(y, colours)
    if near(gain.value, -expected, 0.0005) and not near(expected, 0, 0.0005):
        raise Hint("Turn it round: the model first, minus the colours.")
    if not near(gain.value, expected, 0.0005):
        raise Hint(
            "That is another difference. Compare the area under the ROC curve (AUC), with the "
            "probabilities (not the answers) of the test set."
        )
    check_word(word, gain)
    return f"{gain:+.2f}, so the comparison is {word}."
