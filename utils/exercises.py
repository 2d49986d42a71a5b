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


# --- 01 data loading -----------------------------------------------------------------------------


@exercise("01.1")
def _share_of_lesions(answer, table):
    answer = number(answer)
    share = (table.drop_duplicates("lesion_id")["dx"] == "mel").mean()
    if near(answer, (table["dx"] == "mel").mean()):
        raise Hint("That is the share of the photographs: some lesions have several.")
    if near(answer, 1 - share):
        raise Hint("That is the share of the benign lesions.")
    if answer > 1:
        raise Hint("Write it as a share between 0 and 1: divide by the number of lesions.")
    if not near(answer, share):
        raise Hint("Keep one row a lesion, then ask in how many of them dx is mel.")
    return "Melanomas are photographed more often than other lesions."


@exercise("01.2")
def _allowed_columns(answer):
    if isinstance(answer, str):
        raise Hint('Give a set of names, such as {"age"}.')
    answer = set(answer)
    if "dx" in answer:
        raise Hint("dx is what the model shall find out.")
    if "dx_type" in answer:
        raise Hint("dx_type says how the diagnosis was confirmed. When is that known?")
    if answer & {"lesion_id", "image_id"}:
        raise Hint("An id is a name: the next patient's lesion has another one.")
    missing = {"age", "sex", "localization"} - answer
    if missing:
        raise Hint(f"The doctor knows one more thing: what of {min(missing)}?")
    if answer != {"age", "sex", "localization"}:
        raise Hint("Take names of the list only.")
    return "The patient brings them along. All other columns come from, or after, the diagnosis."


@exercise("01.3")
def _middle_square(answer):
    for height, width in ((150, 200), (200, 150), (4, 9), (5, 5)):
        image = np.arange(height * width * 3).reshape(height, width, 3)
        found, side = np.asarray(answered(answer(image))), min(height, width)
        shape = f"from a picture of shape {image.shape}"
        if found.shape == image.shape and height != width:
            raise Hint(f"Nothing is cut {shape}.")
        if found.shape != (side, side, 3):
            raise Hint(f"The result has shape {found.shape} {shape}, not {(side, side, 3)}.")
        top, left = (height - side) // 2, (width - side) // 2
        if np.array_equal(found, image[:side, :side]) and (top or left):
            raise Hint("That is the top left corner. Where does the middle square begin?")
        if not np.array_equal(found, image[top : top + side, left : left + side]):
            raise Hint("The shape is right, but it is not the middle, or not the picture's pixels.")
    return "It keeps every pixel of the middle, and nothing is squashed."


@exercise("01.4")
def _pipeline(answer):
    answer = list(answer)
    names = ["augment", "batch", "cache", "prefetch", "shuffle"]
    if sorted(answer) != names:
        raise Hint(f"Use each of {', '.join(names)} once.")
    place = {name: answer.index(name) for name in names}
    if answer[-1] != "prefetch":
        raise Hint("prefetch prepares what the network gets next: nothing may come after it.")
    if place["shuffle"] < place["cache"]:
        raise Hint("What is cached is repeated: every epoch would come in the same order.")
    if place["augment"] < place["cache"]:
        raise Hint("What is cached is repeated: every epoch would see the same flips.")
    if place["batch"] < place["shuffle"]:
        raise Hint("Shuffling after batching moves whole batches: the same 32 stay together.")
    return "Decode once, mix anew in each epoch, flip, pack, and prepare ahead."
