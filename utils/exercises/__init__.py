"""Exercises that check themselves: ``check("02.1", answer)`` says right, not yet, or not begun.

An exercise never stops a notebook. Each lesson has a file of its own here: a check raises
``Hint`` with a sentence for a typical wrong answer, and returns the sentence that the right answer
earns. Beside it stand the answers with which tests/test_exercises.py tries it.
"""

import textwrap

from utils.exercises import (  # noqa: F401  (each registers the exercises of its lesson)
    lesson_00,
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
)
from utils.exercises.registry import CHECKS, Blank, Hint, answered


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
    _say(f"Exercise {number}: {_judged(number, answer, given)}")


def solution(number, answer, /, **given):
    """As ``check``, for the folded solution that stands below an exercise."""
    _say(f"Solution of {number}: {_judged(number, answer, given)}")


def hint(number, /):
    """Print a hint that does not give the answer away; ``number`` as for ``check``."""
    _say(f"Hint for {number}: {CHECKS[number].hint}")


def _say(text):
    # JupyterLab breaks longer lines inside a word.
    print(textwrap.fill(text, 90, break_on_hyphens=False))


def _judged(number, answer, given):
    judge = CHECKS[number].judge
    try:
        return "right. " + judge(answered(answer), **given)
    except Blank:
        return "nothing answered yet. Replace the ... and run this cell again."
    except Hint as wrong:
        return f"not yet. {wrong}"
    except Exception as error:  # of the learner's own function
        return f"not yet. Your code stopped with {type(error).__name__}: {error}"
