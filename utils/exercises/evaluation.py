"""Exercises of the lesson evaluation."""

import numpy as np

from utils.evaluation import Estimate
from utils.exercises.registry import (
    Hint,
    answered,
    check_word,
    exercise,
    near,
    number,
    parts,
    refuse,
    refuse_array,
)


@exercise(
    "evaluation.1",
    hint="A row is one truth, a column one answer; the first of each is benign. `&` joins two "
    "conditions, `~` turns one round, np.sum counts what is True.",
    blank=lambda y, called: ...,
    right=lambda y, called: np.histogram2d(y, called, bins=2)[0],
    wrong=[
        (lambda y, called: [[4, 1], [2, 3]], "rows are the truth"),
        (lambda y, called: [[3, 1], [2, 4]], "Melanoma stands first"),
        (lambda y, called: [[1, 3], [4, 2]], "Only the rows"),
        (lambda y, called: [[2, 4], [3, 1]], "Only the columns"),
        (lambda y, called: [[0.4, 0.2], [0.1, 0.3]], "Those are shares"),
        (lambda y, called: [[4 / 6, 2 / 6], [1 / 4, 3 / 4]], "Those are shares"),
        (lambda y, called: [4, 2, 1, 3], "has shape (4,)"),
        (lambda y, called: [[5, 1], [1, 3]], "count one cell"),
        (lambda y, called: None, "return"),
    ],
)
def _counts(answer):
    y = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    called = np.array([0, 0, 0, 1, 1, 0, 1, 1, 1, 0]) == 1
    found, right = np.asarray(answered(answer(y, called))), np.array([[4, 2], [1, 3]])
    if found.shape != (2, 2):
        raise Hint(f"The result has shape {found.shape}, not (2, 2): two rows of two counts.")
    typical = (
        ("Rows and columns are exchanged: here the rows are the truth.", right.T),
        ("Melanoma stands first: here benign has the first row and column.", right[::-1, ::-1]),
        ("Only the rows are in the wrong order: truly benign comes first.", right[::-1]),
        ("Only the columns are in the wrong order: called benign comes first.", right[:, ::-1]),
        ("Those are shares: counts say how many images they rest on.", right / 10),
        ("Those are shares: counts say how many images they rest on.", right / [[6], [4]]),
    )
    refuse_array(found, typical)
    if not np.array_equal(found, right):
        said = called.astype(int).tolist()
        raise Hint(f"For y {y.tolist()} and called {said}: count one cell by hand.")
    return "All other measures at a threshold are made of these four counts."


def _highest(sensitivity, y, p):
    """The highest probability of a melanoma from which on enough melanomas are called."""
    own = np.sort(p[y == 1])[::-1]
    return own[np.flatnonzero(np.arange(1, len(own) + 1) / len(own) >= sensitivity)[0]]


Y = np.array([0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1])
P = np.arange(16) / 16
ALARMS = int(np.sum((_highest(0.9, Y, P) <= P) & (Y == 0)))


@exercise(
    "evaluation.2",
    hint="Try every probability that occurs as a threshold, from low to high. Sensitivity falls on "
    "the way: which one do you keep?",
    given={"y": Y, "p": P},
    blank=(lambda sensitivity, y, p: ..., ...),
    right=(_highest, ALARMS),
    wrong=[
        (lambda sensitivity, y, p: 0.5, "two things"),
        ((lambda sensitivity, y, p: 0.0, 6), "a higher threshold"),
        ((lambda sensitivity, y, p: p[y == 1].max(), 0), "finds too few"),
        ((lambda sensitivity, y, p: np.quantile(p, 0.1), 6), "of the melanomas"),
        (
            (lambda sensitivity, y, p: np.quantile(p[y == 1], 0.1, method="lower"), 4),
            "a higher threshold",
        ),
        ((lambda sensitivity, y, p: _highest(0.9, y, p), 4), "another share"),
        ((lambda sensitivity, y, p: sensitivity, 4), "finds too few"),
        ((lambda sensitivity, y, p: None, 4), "return"),
        ((_highest, ALARMS + 2), "the false alarms are not"),
        ((_highest, 12 - ALARMS), "the false alarms are not"),
        ((_highest, ALARMS / 6), "a count"),
    ],
)
def _threshold_for(answer, y, p):
    threshold_for, alarms = parts(answer, 2, "Give two things: (threshold_for, false_alarms).")
    for share in (0.9, 0.5, 0.75):
        right = _highest(share, Y, P)
        given = number(threshold_for(share, Y, P))
        if np.array_equal(given <= P, right <= P):
            continue
        found = np.mean(P[Y == 1] >= given)
        if near(given, np.quantile(P, 1 - share)):
            raise Hint("That is a quantile of all images: take that share of the melanomas only.")
        if found < share:
            raise Hint(f"For a share of {share} it finds too few: {found:.2f} of the melanomas.")
        if share == 0.9:
            raise Hint(f"It finds {found:.2f}, and a higher threshold still finds enough.")
        raise Hint(f"0.9 works, another share does not: with {share} a higher threshold will do.")
    alarms = number(alarms)
    expected = np.sum((p >= _highest(0.9, y, p)) & (y == 0))
    if 0 < alarms < 1:
        raise Hint("false_alarms is a count, not a share.")
    if alarms != expected:
        raise Hint(
            "The function is right, the false alarms are not: count the validation images "
            "that are called and are no melanoma, for a share of 0.9."
        )
    return f"{expected} false alarms among {np.sum(y == 0)} other images."


LOW = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]) == 1
HIGH = np.array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0]) == 1
TRUTH = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 1])


@exercise(
    "evaluation.3",
    hint="The low threshold has more false alarms and fewer misses. How many alarms does it pay "
    "for each melanoma more that it finds?",
    given={"y": TRUTH, "low": LOW, "high": HIGH},
    blank=lambda y, low, high: ...,
    right=lambda y, low, high: np.sum((y == 0) & (low != high)) / np.sum((y == 1) & (low != high)),
    wrong=[
        (lambda y, low, high: 3 / 4, "Upside down"),
        (lambda y, low, high: 4.0, "share it"),
        (lambda y, low, high: -4 / 3, "minus sign"),
        (lambda y, low, high: 5 / 1, "low threshold alone"),
        (lambda y, low, high: 1 / 4, "high threshold alone"),
        (lambda y, low, high: 2.0, "the same cost"),
        (lambda y, low, high: None, "return"),
    ],
)
def _break_even(answer, y, low, high):
    truth = np.array([1] * 6 + [0] * 10)
    a = np.array([1] * 5 + [0] + [1] * 5 + [0] * 5) == 1  # misses 1, 5 alarms
    b = np.array([1] * 2 + [0] * 4 + [1] + [0] * 9) == 1  # misses 4, 1 alarm
    refuse(
        answered(answer(truth, a, b)),
        {
            "Upside down: how many false alarms for one melanoma?": 3 / 4,
            "That is what all the melanomas together cost: share it among them.": 4,
            "The size is right. A minus sign came in: compare low with high in one order.": -4 / 3,
            "That is the low threshold alone: compare it with the high one.": 5,
            "That is the high threshold alone: compare it with the low one.": 1 / 4,
        },
    )
    if not near(answer(truth, a, b), 4 / 3):
        raise Hint(
            "Set both sums equal: cost of a miss times misses, plus false alarms, must be the same "
            "cost for low and high."
        )
    found, alarms = (np.sum((y == k) & low) - np.sum((y == k) & high) for k in (1, 0))
    if not found:
        return "Here both thresholds find the same melanomas, so no cost makes up for more alarms."
    return (
        f"Here it is {alarms / found:.1f}. If a missed melanoma is worth more false alarms than "
        "that, the low threshold is cheaper."
    )


def _mean_cost(y, called):
    return np.mean(np.where(y == 1, 5 * (called == 0), called))


COSTS = {
    "y": np.array([1, 1, 1, 1, 0, 0, 0, 0]),
    "network": np.array([1, 1, 1, 0, 1, 1, 0, 0]) == 1,
    "colours": np.array([1, 1, 0, 0, 1, 0, 0, 0]) == 1,
    "cost": 5.0,
}  # the network costs 7 of 8, the colours 11


@exercise(
    "evaluation.4",
    hint="evaluation.difference calls your function with y and the answers of one model; it takes "
    "the function, y, both answers and the lesion groups. Where does zero lie?",
    given=COSTS,
    blank=(lambda y, called: ..., ..., ...),
    right=(_mean_cost, Estimate(-0.5, -1.5, 0.5), "inconclusive"),
    wrong=[
        ("inconclusive", "three things"),
        (
            (lambda y, called: 8 * _mean_cost(y, called), Estimate(-4, -9, 1), "shown"),
            "expected 0.7",
        ),
        ((lambda y, called: 10 * _mean_cost(y, called), Estimate(-5, -9, 1), "shown"), "divide"),
        ((lambda y, called: np.mean(y != called), Estimate(0, -1, 1), "shown"), "like a false"),
        ((lambda y, called: 0.0, Estimate(0, -1, 1), "inconclusive"), "1 miss and 2 false"),
        ((lambda y, called: None, Estimate(0, -1, 1), "inconclusive"), "return"),
        ((_mean_cost, -0.5, "inconclusive"), "no interval"),
        ((_mean_cost, Estimate(0.5, -0.5, 1.5), "inconclusive"), "network minus colours"),
        ((_mean_cost, Estimate(0.1, -0.5, 1.5), "inconclusive"), "test set"),
        ((_mean_cost, Estimate(-0.5, -1.5, 0.5), "equal"), "One of two words"),
        ((_mean_cost, Estimate(-0.5, -1.5, 0.5), "shown"), "Look where zero lies"),
        ((_mean_cost, Estimate(-0.5, -1.5, -0.1), "inconclusive"), "Look where zero lies"),
    ],
)
def _paired_cost(answer, y, network, colours, cost):
    cost_per_image, gain, word = parts(
        answer, 3, "Give three things: (cost_per_image, gain, word)."
    )
    truth = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    called = np.array([1, 0, 1, 1, 0, 0, 0, 0, 0, 0])
    right = (cost + 2) / 10
    mean = number(cost_per_image(truth, called.astype(float)))
    if near(mean, cost + 2):
        raise Hint("That is the whole cost: divide it by the number of images.")
    if near(mean, 0.3) and not near(right, 0.3):
        raise Hint("Here a miss counts like a false alarm: it costs COST_OF_MISS of them.")
    if not near(mean, right):
        raise Hint(f"1 miss and 2 false alarms among 10 images: expected {right}, not {mean:.2f}.")
    if not isinstance(gain, Estimate):
        raise Hint("That gain has no interval. evaluation.difference gives both.")

    def mean_cost(called):
        return np.mean(np.where(y == 1, cost * ~called, called))

    expected = mean_cost(network) - mean_cost(colours)
    if near(gain.value, -expected, 0.0005) and expected:
        raise Hint("Take the network minus colours: its answers come first.")
    if not near(gain.value, expected, 0.0005):
        raise Hint("Compare network_called with colours_called by your function, on the test set.")
    check_word(word, gain)
    return f"{gain:.2f} false alarms an image; below zero the network costs less."
