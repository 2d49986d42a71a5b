"""Exercises of the optional notebook audit."""

import numpy as np

from utils.exercises.registry import Hint, answered, exercise


def _possible(claim, images, digits=3):
    return any(round(right / images, digits) == claim for right in range(images + 1))


CASES = {
    (
        0.852,
        250,
    ): "213 of 250 images are 0.852, and your function says no. Is the loop long enough?",
    (0.852, 200): "200 images have no such accuracy: look at 170 and 171 of them. Round to digits.",
    (0.852, 27): "23 of 27 images are 0.852 when it is rounded. Your function says no.",
    (1.0, 9): "All images can be right: the loop ends one too early.",
    (0.0, 9): "All images can be wrong: the loop begins too late.",
    (0.25, 200): "50 of 200 images are 0.25. Your function says no.",
}


@exercise(
    "audit.1",
    hint="Try every count of right answers, none and all included. Does one of them, divided by "
    "the images and rounded, give the claim?",
    blank=lambda claim, images, digits=3: ...,
    right=_possible,
    wrong=[
        (lambda claim, images, digits=3: True, "170 and 171"),
        (lambda claim, images, digits=3: False, "213 of 250"),
        (lambda claim, images, digits=3: (claim * images).is_integer(), "23 of 27"),
        (lambda claim, images, digits=3: _possible(claim, images, 2), "213 of 250"),
        (
            lambda claim, images, digits=3: claim in np.round(np.arange(images) / images, digits),
            "one too early",
        ),
        (
            lambda claim, images, digits=3: (
                claim in np.round(np.arange(1, images + 1) / images, digits)
            ),
            "too late",
        ),
        (lambda claim, images, digits=3: _possible(claim, images), "digits"),
        (lambda claim, images, digits=3: "no", "True or False"),
        (lambda claim, images, digits=3: None, "return"),
    ],
)
def _count(answer):
    for (claim, images), hint in CASES.items():
        found = answered(answer(claim, images))
        if not isinstance(found, bool | np.bool_):
            raise Hint("Return True or False.")
        if found != _possible(claim, images):
            raise Hint(hint)
    if not answer(0.83, 6, digits=2):
        raise Hint("5 of 6 images are 0.83 with two digits: use digits.")
    return "One division is enough to know."
