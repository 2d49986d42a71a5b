"""What every check is made of: the register of exercises, hints, and how answers are compared."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

CHECKS = {}


class Hint(Exception):
    """Why an answer is not right yet, and what to think of next."""


class Blank(Exception):
    """Nothing is answered yet."""


@dataclass(frozen=True)
class Cases:
    """Answers that a check is tested with.

    Attributes
    ----------
    right : object
        A right answer. A lesson that calls ``use`` works on with it.
    wrong : list of (object, str)
        Typical wrong answers, each with words of its own hint.
    given : dict
        What the lesson hands to the check beside the answer.
    blank : object
        What stands in the lesson before anything is answered.
    """

    right: object
    wrong: list
    given: dict = field(default_factory=dict)
    blank: object = ...


@dataclass(frozen=True)
class Exercise:
    """A check, its hint, and what it is tested with.

    Attributes
    ----------
    judge : callable
        ``judge(answer, **given)`` raises ``Hint`` or returns a sentence.
    hint : str
        For everyone who asks; it does not give the answer away.
    cases : callable
        Returns ``Cases``; called by the tests, and by ``solution``.
    solution : callable
        ``solution(**given)`` returns the course's own answer.
    """

    judge: Callable
    hint: str
    cases: Callable
    solution: Callable


def exercise(number, hint, cases=dict, solution=None, **more):
    """Register the decorated ``judge`` under a number.

    Parameters
    ----------
    number, hint : str
    cases : callable
        For answers that are slow to make, such as Keras models: returns a dict, as ``more``.
    solution : callable, optional
        In place of ``right``, where that depends on what the check is given or ``cases`` take
        long: ``solution(**given)`` returns it.
    **more
        Attributes of ``Cases``.
    """

    def made():
        found = more | cases()
        if solution:
            return Cases(right=solution(**found.get("given", {})), **found)
        return Cases(**found)

    def right(**given):
        answer = made().right
        if given and not callable(answer):
            raise TypeError(f"{number} needs `solution`: its `right` belongs to the tests' data.")
        return answer

    def register(judge):
        CHECKS[number] = Exercise(judge, hint, made, solution or right)
        return judge

    return register


def answered(value):
    """The value, or ``Blank`` if it (or a part of it) is still ``...``, or a ``Hint`` if None."""
    if value is ... or (isinstance(value, tuple | list) and any(part is ... for part in value)):
        raise Blank
    if value is None:
        raise Hint("That is None: does your function end with `return`?")
    return value


def parts(answer, n, hint):
    """The answer if it is a tuple or list of n things, or a ``Hint``."""
    if not isinstance(answer, tuple | list) or len(answer) != n:
        raise Hint(hint)
    return answer


def check_word(word, gain):
    """Raise a ``Hint`` unless the word says what the interval of a paired difference shows.

    Parameters
    ----------
    word : str
        ``"shown"`` or ``"inconclusive"``.
    gain : utils.evaluation.Estimate
    """
    if word not in ("shown", "inconclusive"):
        raise Hint('One of two words: "shown" or "inconclusive".')
    if (word == "shown") != (gain.low > 0 or gain.high < 0):
        raise Hint("Look where zero lies: inside the interval, or outside?")


def number(value):
    """The value as a float, or a ``Hint`` if it is not a single number."""
    try:
        return float(answered(value))
    except (TypeError, ValueError):
        raise Hint(f"The answer is one number, not {type(value).__name__}.") from None


def near(value, target, tolerance=0.005):
    """Whether two numbers agree to the second decimal."""
    return bool(abs(number(value) - target) <= tolerance)


def refuse(answer, typical, tolerance=0.005):
    """Raise the hint of a typical wrong number if the answer is near it.

    Parameters
    ----------
    answer : float
    typical : dict of str to float
        Hints, and the number that earns each.
    """
    for hint, value in typical.items():
        if near(answer, value, tolerance):
            raise Hint(hint)


def refuse_array(answer, typical, atol=1e-8):
    """Raise the hint of a typical wrong array if the answer is near it.

    Parameters
    ----------
    answer : ndarray
    typical : iterable of (str, ndarray)
        Hints, and the array of the answer's shape that earns each.
    """
    for hint, value in typical:
        if np.allclose(answer, value, atol=atol):
            raise Hint(hint)
