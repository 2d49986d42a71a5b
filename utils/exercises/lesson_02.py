"""Exercises of lesson 02, splitting."""

import numpy as np

from utils.exercises.registry import Hint, answered, exercise, near, number


@exercise(
    "02.1",
    hint="A Python set holds each name once; two sets have a common part.",
    blank=lambda train, validation: ...,
    right=lambda train, validation: len(set(train) & set(validation)),
    wrong=[
        (lambda a, b: set(a) & set(b), "how many are they"),
        (lambda a, b: sum(i in a for i in b), "counted images"),
        (lambda a, b: len(set(b) - set(a)), "*not* shared"),
        (lambda a, b: 2, "two lesions are in both"),
    ],
)
def _shared_lesions(answer):
    train, validation = ["a", "a", "b", "c", "d"], ["a", "c", "c", "e"]
    found = answered(answer(train, validation))
    if isinstance(found, (set, list, tuple)):
        raise Hint("Those are the lesions themselves: how many are they?")
    found = number(found)
    if found == 3:
        raise Hint("You counted images: a lesion photographed twice is still one lesion.")
    if found == 1:
        raise Hint("You counted the lesions that are *not* shared.")
    if found != 2 or number(answer(["x", "x"], ["y"])) != 0:
        raise Hint(f"For {train} and {validation} two lesions are in both, a and c.")
    return "A clean split answers 0."


@exercise(
    "02.2",
    hint="Draw a point for each lesion and a line for each pair that was found to be the same.",
    right=3,
    wrong=[(6, "names"), (4, "third pair"), (1, "B and F"), (2, "islands")],
)
def _groups_left(answer):
    answer = number(answer)
    if answer == 6:
        raise Hint("That is the number of names. Which of them mean the same lesion?")
    if answer == 4:
        raise Hint("A-C and D-E are joined: follow the third pair too.")
    if answer == 1:
        raise Hint("Nobody said anything about B and F.")
    if answer != 3:
        raise Hint("Draw six points and three lines: how many islands are there?")
    return "Lesions that are joined by a chain of lines belong to one group."


@exercise(
    "02.3",
    hint="Choose groups first; which images follow from them?",
    blank=lambda groups, n_groups: ...,
    right=lambda groups, n_groups: np.isin(groups, np.unique(groups)[-n_groups:]),
    wrong=[
        (lambda groups, n: np.arange(n), "True or False"),
        (lambda groups, n: np.arange(len(groups)) % 4 < 1, "both sets"),
        (lambda groups, n: np.isin(groups, ["a", "b"]), "2 went to validation"),
        (lambda groups, n: np.isin(groups, list(dict.fromkeys(groups))[:n]), "sort the names"),
    ],
)
def _validation_rows(answer):
    groups = np.array(list("aabcdddeefgghiij"))
    rows = np.asarray(answered(answer(groups, 4)))
    if rows.dtype != bool or rows.shape != groups.shape:
        raise Hint("Return one True or False for each image: try np.isin.")
    if set(groups[rows]) & set(groups[~rows]):
        raise Hint("A group is in both sets: choose among the groups, not among the images.")
    if len(set(groups[rows])) != 4:
        n = len(set(groups[rows]))
        raise Hint(f"Of 4 groups that were asked for, {n} went to validation.")
    again = np.asarray(answer(groups[::-1], 4))
    if set(groups[::-1][again]) != set(groups[rows]):
        raise Hint("In another order of the images other groups are chosen: sort the names first.")
    return "Whole groups only, and the order of the rows does not matter."


@exercise(
    "02.4",
    hint="Read off the figure what four times as many images do to the width.",
    right=9,
    wrong=[
        (3, "at four times"),
        (1 / 9, "more images"),
        (1.73, "the root"),
        (27, "squared"),
    ],
)
def _times_as_many(answer):
    answer = number(answer)
    if near(answer, 3):
        raise Hint("In the figure the width falls by half at four times the images, not at two.")
    if near(answer, 1 / 9) or near(answer, 1 / 3):
        raise Hint("A smaller interval needs more images, not fewer.")
    if near(answer, 3**0.5, 0.02):
        raise Hint("The other way round: the width falls with the root of the number.")
    if not near(answer, 9):
        raise Hint("Three times as narrow: what must be squared?")
    return "That is why medical studies are large, and why 200 images prove little."
