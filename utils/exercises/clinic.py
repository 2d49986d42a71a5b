"""Exercises of the lesson clinic."""

import numpy as np

from utils.exercises.registry import (
    Hint,
    answered,
    exercise,
    near,
    number,
    parts,
    refuse,
    refuse_array,
)


def _missed_share(sensitivity, specificity, prevalence):
    missed, left_alone = (1 - sensitivity) * prevalence, specificity * (1 - prevalence)
    return missed / (missed + left_alone)


@exercise(
    "clinic.1",
    hint="Imagine 10,000 lesions. How many melanomas are called benign, and how many lesions are "
    "called benign altogether?",
    blank=lambda sensitivity, specificity, prevalence: ...,
    right=_missed_share,
    wrong=[
        (lambda sensitivity, specificity, prevalence: 0.18 / (0.18 + 0.16), "of the alarms"),
        (lambda sensitivity, specificity, prevalence: 1 - sensitivity, "of the melanomas"),
        (lambda sensitivity, specificity, prevalence: 0.02, "divide it by all"),
        (lambda sensitivity, specificity, prevalence: 1 - 0.02 / 0.66, "turn it round"),
        (lambda sensitivity, specificity, prevalence: 0.02 / 0.64, "belong to those"),
        (lambda sensitivity, specificity, prevalence: 0.02 / 0.18, "false alarms"),
        (lambda sensitivity, specificity, prevalence: 0.02 / 0.66, "prevalence of 0.02"),
        (lambda sensitivity, specificity, prevalence: 0.5, "10,000 lesions"),
        (lambda sensitivity, specificity, prevalence: None, "return"),
    ],
)
def _share_of_the_benign(answer):
    found = answered(answer(0.9, 0.8, 0.2))
    typical = {
        "That is the share of the alarms that are true. Look at the others, without an alarm.": (
            0.18 / 0.34
        ),
        "That is the share of the melanomas that are missed: here all are melanomas.": 0.1,
        "That is the share of missed melanomas among all lesions: divide it by all that are called "
        "benign.": 0.02,
        "That is the share of the others among those called benign: turn it round.": 0.64 / 0.66,
        "The missed melanomas belong to those called benign, too.": 0.02 / 0.64,
        "Below the line you have the false alarms. Take the lesions that are left alone.": (
            0.02 / 0.18
        ),
    }
    refuse(found, typical, 0.0005)
    if not near(found, 0.02 / 0.66, 0.0005):
        raise Hint(
            "Take 10,000 lesions, 2,000 of them melanomas, sensitivity 0.9, specificity 0.8: how "
            "many are called benign, and how many of these are melanomas?"
        )
    right = _missed_share(0.95, 0.5, 0.02)
    if not near(answer(0.95, 0.5, 0.02), right, right / 50):
        raise Hint("It works at one prevalence and not at a prevalence of 0.02: use all three.")
    return (
        f"With 0.95, 0.5 and a prevalence of 0.02 it is {right:.4f}. Where melanomas are rare, "
        'nearly every "benign" is right, even that of a poor network.'
    )


def _recalibrated(p, before, after):
    odds = p / (1 - p) * (after / (1 - after)) / (before / (1 - before))
    return odds / (1 + odds)


def _back(p, before, after):
    return _recalibrated(p, after, before)


def _scaled_odds(p, before, after):
    return p / (1 - p) * (after / (1 - after)) / (before / (1 - before))


NOW = _recalibrated(0.5, 0.24, 0.02)


@exercise(
    "clinic.2",
    hint="Go to log-odds, subtract those of one prevalence, add those of the other, come back. The "
    "lesson did it for one prevalence.",
    blank=(lambda p, before, after: ..., ...),
    right=(_recalibrated, NOW),
    wrong=[
        (_recalibrated, "two things"),
        ((lambda p, before, after: p * after / before, NOW), "not the probability"),
        ((_scaled_odds, NOW), "turn them back"),
        ((_back, NOW), "other direction"),
        ((lambda p, before, after: p, NOW), "Nothing changed"),
        ((lambda p, before, after: _recalibrated(p, 0.24, 0.11), NOW), "other prevalences"),
        ((lambda p, before, after: p - before + after, NOW), "log-odds"),
        ((lambda p, before, after: float(_recalibrated(p, before, after)[0]), NOW), "array"),
        ((lambda p, before, after: None, NOW), "return"),
        ((_recalibrated, 0.5), "Nothing changed"),
        ((_recalibrated, 0.02), "the prevalence itself"),
        ((_recalibrated, 0.94), "other direction"),
        ((_recalibrated, 0.3), "p = 0.5"),
    ],
)
def _prior_shift(answer):
    function, says_now = parts(answer, 2, "Give two things: (recalibrated, says_now).")
    p = np.array([0.1, 0.5, 0.8])
    right = _recalibrated(p, 0.24, 0.11)
    found = np.asarray(answered(function(p, 0.24, 0.11)), dtype=float)
    if found.shape != p.shape:
        raise Hint("For an array of three probabilities return an array of three.")
    typical = (
        ("Scale the odds, not the probability: else some come out above 1.", p * 0.11 / 0.24),
        ("Those are the odds: turn them back into probabilities.", _scaled_odds(p, 0.24, 0.11)),
        (
            "That is the other direction: rarer melanomas make a probability smaller.",
            _back(p, 0.24, 0.11),
        ),
        ("Nothing changed: melanomas are rarer after than before.", p),
    )
    refuse_array(found, typical, 0.001)
    if not np.allclose(found, right, atol=0.001):
        raise Hint("Shift the log-odds, log(p / (1 - p)), and turn the sum back into p.")
    if not np.allclose(function(p, 0.3, 0.05), _recalibrated(p, 0.3, 0.05), atol=0.001):
        raise Hint("It works from 0.24 to 0.11, and not for other prevalences: use both arguments.")
    typical = {
        "Nothing changed: melanomas are rarer there.": 0.5,
        "That is the prevalence itself: the image has said something, too.": 0.02,
        "That is the other direction: rarer melanomas make a probability smaller.": 1 - NOW,
    }
    refuse(says_now, typical)
    if not near(says_now, NOW):
        raise Hint("The function is right. Call it with p = 0.5, before 0.24, after 0.02.")
    return f"{NOW:.2f}. The image shows the same, but melanomas are rarer there."


def _fits(images, melanomas, digits=(3, 2, 2, 2), claims=(0.852, 0.83, 0.79, 0.81)):
    for tp in range(1, melanomas + 1):
        for fp in range(images - melanomas + 1):
            wrong = melanomas - tp + fp
            measures = (
                1 - wrong / images,
                tp / (tp + fp),
                tp / melanomas,
                2 * tp / (2 * tp + wrong),
            )
            if tuple(map(round, measures, digits)) == claims:
                return True
    return False


@exercise(
    "clinic.3",
    hint="Two loops are enough: over the melanomas found and over the false alarms. The other two "
    "counts of the matrix follow from these.",
    blank=lambda images, melanomas: ...,
    right=_fits,
    wrong=[
        (lambda images, melanomas: True, "round(k / 200, 3)"),
        (lambda images, melanomas: False, "never finds a matrix"),
        (lambda images, melanomas: images == 250, "60 melanomas"),
        (lambda images, melanomas: "no", "True or False"),
        (lambda images, melanomas: _fits(images, melanomas, (2, 2, 2, 2)), "never finds"),
        (lambda images, melanomas: images == 250 and melanomas == 100, "101 melanomas"),
        (lambda images, melanomas: None, "return"),
    ],
)
def _audit(answer):
    cases = {
        (200, 48): "200 images cannot have an accuracy of 0.852: look at round(k / 200, 3) for k "
        "near 170. Your function finds a matrix.",
        (250, 60): "With 250 images and 60 melanomas no matrix fits, and your function finds one. "
        "Are all four claims checked?",
        (250, 100): "Your function never finds a matrix. With 250 images and 100 melanomas there "
        "is one: 79 found, 16 false alarms.",
        (250, 101): "With 250 images and 101 melanomas a matrix fits: do both loops reach the end?",
        (250, 90): "With 250 images and 90 melanomas no matrix fits, and your function finds one.",
    }
    for (images, melanomas), hint in cases.items():
        found = answered(answer(images, melanomas))
        if not isinstance(found, bool | np.bool_ | int | np.integer) or number(found) < 0:
            raise Hint("Return True or False.")
        if bool(found) != _fits(images, melanomas):
            raise Hint(hint)
    return (
        "No matrix of 200 images with 48 melanomas gives the four claims, nor of 250 with 60. Of "
        "250 images, 98 to 101 would have to be melanomas."
    )
