"""Exercises that check themselves: ``check("splitting.1", answer)`` says right, not yet, or not
begun.

An exercise never stops a notebook. Each lesson has a file of its own here, named after it: a
check raises ``Hint`` with a sentence for a typical wrong answer, and returns the sentence that the
right answer earns. Beside it stand the answers with which tests/test_exercises.py tries it.
"""

import textwrap
from importlib import import_module

from utils.exercises.registry import CHECKS, Blank, Hint, answered


def check(number, answer, /, **given):
    """Print whether an answer is right.

    Parameters
    ----------
    number : str
        Of the exercise, as ``"splitting.1"``.
    answer : object
        The learner's; ``...``, alone or in a tuple or list, where nothing is answered yet. A
        function is called by its check.
    **given : object
        What the check compares with, such as the lesson's table.

    Raises
    ------
    KeyError
        If there is no such exercise.
    """
    _say(f"Exercise {number}: {_judged(number, answer, given)}")


def hint(number, /):
    """Print a hint that does not give the answer away; ``number`` as for ``check``."""
    _say(f"Hint for {number}: {find(number).hint}")


def find(number):
    """The ``registry.Exercise`` of that number; only its own lesson's file is imported.

    Raises
    ------
    KeyError
        If there is none.
    """
    lesson = f"utils.exercises.{number.partition('.')[0]}"
    try:
        import_module(lesson)
    except ModuleNotFoundError as error:
        if error.name != lesson:
            raise
    return CHECKS[number]


def _say(text):
    # JupyterLab breaks longer lines inside a word.
    print(textwrap.fill(text, 90, break_on_hyphens=False))


def _judged(number, answer, given):
    judge = find(number).judge
    try:
        return "right. " + judge(answered(answer), **given)
    except Blank:
        return "nothing answered yet. Replace the ... and run this cell again."
    except Hint as wrong:
        return f"not yet. {wrong}"
    except Exception as error:  # of the learner's own function
        return f"not yet. Your code stopped with {type(error).__name__}: {error}"
