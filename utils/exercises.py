"""Exercises that check themselves: ``check("02.1", answer)`` says right, not yet, or not begun.

An exercise never stops a notebook. A check raises ``Hint`` with a sentence for whoever gave a
typical wrong answer, and returns the sentence that the right answer earns. For every exercise
tests/test_exercises.py tries the blank, each named wrong answer and the solution.
"""

import numpy as np

CHECKS = {}


class Hint(Exception):
    """Why an answer is not right yet, and what to think of next."""


class Blank(Exception):
    """Nothing is answered yet."""


def exercise(number):
    """Register a check: ``check(answer, **given)`` that raises ``Hint`` or returns a sentence."""

    def register(function):
        CHECKS[number] = function
        return function

    return register


def check(number, answer, /, **given):
    """Print whether an answer is right.

    Parameters
    ----------
    number : str
        Of the exercise, as ``"02.1"``.
    answer : object
        The learner's; ``...`` where nothing is answered yet. A function is called by its check.
    **given : object
        What the check compares with, such as the lesson's table.

    Raises
    ------
    KeyError
        If there is no such exercise.
    """
    print(f"Exercise {number}: {_judged(number, answer, given)}")


def solution(number, answer, /, **given):
    """As ``check``, for the folded solution that stands below an exercise."""
    print(f"Solution of {number}: {_judged(number, answer, given)}")


def _judged(number, answer, given):
    judge = CHECKS[number]
    try:
        return "right. " + judge(answered(answer), **given)
    except Blank:
        return "nothing answered yet. Replace the ... and run this cell again."
    except Hint as hint:
        return f"not yet. {hint}"
    except Exception as error:  # of the learner's own function
        return f"not yet. Your code stopped with {type(error).__name__}: {error}"


def answered(value):
    """The value, or ``Blank`` if it is still ``...``, or a ``Hint`` if it is None."""
    if value is ...:
        raise Blank
    if value is None:
        raise Hint("That is None: does your function end with `return`?")
    return value


def number(value):
    """The value as a float, or a ``Hint`` if it is not a single number."""
    try:
        return float(answered(value))
    except (TypeError, ValueError):
        raise Hint(f"The answer is one number, not {type(value).__name__}.") from None


def near(value, target, tolerance=0.005):
    """Whether two numbers agree to the second decimal."""
    return bool(abs(number(value) - target) <= tolerance)


# --- 00 quickstart -------------------------------------------------------------------------------


@exercise("00.1")
def _constant_accuracy(answer, melanomas, images):
    answer, benign = number(answer), 1 - melanomas / images
    if near(answer, 100 * benign, 0.5):
        raise Hint("Write it as a share between 0 and 1.")
    if near(answer, melanomas / images):
        raise Hint("That is how often it is wrong: it misses every melanoma.")
    if near(answer, 0.5):
        raise Hint("It does not toss a coin: it says benign every time. How often is that so?")
    if not near(answer, benign):
        raise Hint("Count the pictures for which the answer benign is right.")
    return "Without looking at a picture: an accuracy means nothing until this stands beside it."


@exercise("00.2")
def _sensitivity(answer, confusion):
    (tn, fp), (fn, tp) = np.asarray(confusion)
    answer = number(answer)
    for wrong, value in (
        ("That is the precision: of those called melanoma, how many are.", tp / (tp + fp)),
        ("That is the specificity: it belongs to the benign row.", tn / (tn + fp)),
        ("That is the accuracy, which mixes both rows.", (tn + tp) / (tn + fp + fn + tp)),
        ("That is the share that was missed. Who was found?", fn / (fn + tp)),
    ):
        if near(answer, value):
            raise Hint(wrong)
    if not near(answer, tp / (tp + fn)):
        raise Hint("Stay in the row of true melanomas: found, divided by all of them.")
    return f"Of {fn + tp} melanomas it finds {tp}: that is what a patient would ask first."


@exercise("00.3")
def _is_one_better(answer):
    if answer in ("MobileNetV2", "colours"):
        raise Hint(
            "Look at the intervals: each number lies well inside the other's. Would another 200 "
            "pictures have to give the same order?"
        )
    if answer != "neither":
        raise Hint('Answer "MobileNetV2", "colours" or "neither".')
    return "What lies within the noise of the test set is not a difference."
