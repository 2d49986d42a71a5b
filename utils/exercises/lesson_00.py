"""Exercises of lesson 00, quickstart."""

import numpy as np

from utils.exercises.registry import Hint, exercise, near, number, refuse


@exercise(
    "00.1",
    hint="For how many of the images is the answer benign right?",
    given={"melanomas": 240, "images": 1000},
    right=0.76,
    wrong=[
        (76, "share between 0 and 1"),
        (0.24, "how often it is wrong"),
        (0.5, "toss a coin"),
        (0.9, "Count the images"),
        ("0,76", "one number"),
        (None, "return"),
    ],
)
def _accuracy_of_the_majority_class(answer, melanomas, images):
    answer, benign = number(answer), 1 - melanomas / images
    if near(answer, 100 * benign, 0.5):
        raise Hint("Write it as a share between 0 and 1.")
    refuse(
        answer,
        {
            "That is how often it is wrong: it misses every melanoma.": melanomas / images,
            "It does not toss a coin: it says benign every time. How often is that so?": 0.5,
        },
    )
    if not near(answer, benign):
        raise Hint("Count the images for which the answer benign is right.")
    return "It looks at no image: an accuracy means nothing until this number stands beside it."


@exercise(
    "00.2",
    hint="Only the row of true melanomas counts here.",
    given={"confusion": [[130, 22], [20, 28]]},
    right=28 / 48,
    wrong=[
        (28 / 50, "precision"),
        (130 / 152, "specificity"),
        (158 / 200, "accuracy"),
        (20 / 48, "missed"),
        (0.1, "row of true melanomas"),
    ],
)
def _sensitivity(answer, confusion):
    (tn, fp), (fn, tp) = np.asarray(confusion)
    refuse(
        answer,
        {
            "That is the precision: of those called melanoma, how many are.": tp / (tp + fp),
            "That is the specificity: it belongs to the benign row.": tn / (tn + fp),
            "That is the accuracy, which mixes both rows.": (tn + tp) / (tn + fp + fn + tp),
            "That is the share that was missed. Who was found?": fn / (fn + tp),
        },
    )
    if not near(answer, tp / (tp + fn)):
        raise Hint("Stay in the row of true melanomas: found, divided by all of them.")
    return f"Of {fn + tp} melanomas it finds {tp}: that is what a patient would ask first."


@exercise(
    "00.3",
    hint="Compare the difference of the two numbers with the width of their intervals.",
    right="neither",
    wrong=[("colours", "intervals"), ("MobileNetV2", "intervals"), ("both", "Answer")],
)
def _is_one_better(answer):
    if answer in ("MobileNetV2", "colours"):
        raise Hint(
            "Look at the intervals: each number lies well inside the other's. Would another 200 "
            "images have to give the same order?"
        )
    if answer != "neither":
        raise Hint('Answer "MobileNetV2", "colours" or "neither".')
    return "These numbers are inconclusive: another test set may well turn the order round."
