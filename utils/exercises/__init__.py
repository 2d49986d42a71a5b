"""Exercises that check themselves: ``check("splitting.1", answer)`` says right, not yet, or not
begun; ``use`` gives later cells the answer, or the course's own; ``progress`` sums up.

An exercise never stops a notebook. Each lesson has a file of its own here, named after it: a
check raises ``Hint`` with a sentence for a typical wrong answer, and returns the sentence that the
right answer earns. Beside it stand the right answer, which ``use`` gives too, and wrong ones; with
them tests/test_exercises.py tries it.
"""

import re
import textwrap
from importlib import import_module

from utils.exercises.registry import CHECKS, Blank, Hint, answered

# What a check prints of each state, the best first.
SAYS = {"right": "right", "not yet": "not yet", "not begun": "nothing answered yet"}
_states = {}  # of what was judged in this kernel, by number


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
    state, why = _judged(number, answer, given)
    _say(f"Exercise {number}: {SAYS[state]}. {why}")


def use(number, answer, /, **given):
    """The answer where its check accepts it, else the course's own; prints which.

    Parameters
    ----------
    number, answer, **given
        As for ``check``, and the same.

    Returns
    -------
    object
        The very ``answer``, or what the exercise's ``solution`` makes of ``given``.

    Raises
    ------
    KeyError
        If there is no such exercise.
    """
    state, _ = _judged(number, answer, given)
    if state == "right":
        _say(f"Using your answer to exercise {number}.")
        return answer
    _say(f"Using the course's solution, because exercise {number} is not solved yet.")
    return find(number).solution(**given)


def progress():
    """Print which exercises of this kernel's lesson are right; a new kernel starts empty."""
    if set(_states.values()) <= {"not begun"}:
        _say(
            "No exercise of this lesson is answered yet. Try one: it takes about five minutes, "
            "and `exercises.hint` helps."
        )
        return
    lesson = next(reversed(_states)).partition(".")[0]
    found = {number: _states.get(number, "not begun") for number in numbers(lesson)}
    right = list(found.values()).count("right")
    each = ", ".join(f"{number} {state}" for number, state in found.items())
    _say(f"{right} of {len(found)} exercises are right: {each}.")


def states_in(text):
    """What checks printed: list of (number, state), read from a text."""
    state_of = {said: state for state, said in SAYS.items()}
    printed = re.findall(rf"Exercise (\w+\.\d+): ({'|'.join(state_of)})\.", text)
    return [(number, state_of[said]) for number, said in printed]


def numbers(lesson):
    """Numbers of a lesson's exercises, in their order: list of str."""
    _load(lesson)
    return [number for number in CHECKS if number.partition(".")[0] == lesson]


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
    _load(number.partition(".")[0])
    return CHECKS[number]


def _load(lesson):
    module = f"utils.exercises.{lesson}"
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise


def _say(text):
    # JupyterLab breaks longer lines inside a word.
    print(textwrap.fill(text, 90, break_on_hyphens=False))


def _judged(number, answer, given):
    """The state of an answer and a sentence why; kept for ``progress``."""
    judge = find(number).judge
    try:
        found = "right", judge(answered(answer), **given)
    except Blank:
        found = "not begun", "Replace the ... and run this cell again."
    except Hint as wrong:
        found = "not yet", str(wrong)
    except Exception as error:  # of the learner's own function
        found = "not yet", f"Your code stopped with {type(error).__name__}: {error}"
    _states[number] = found[0]
    return found
