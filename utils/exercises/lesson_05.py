"""Exercises of lesson 05, evaluation."""

import numpy as np

from utils.exercises.registry import Hint, answered, exercise, near, number, refuse


@exercise(
    "05.1",
    hint="A row is one truth, a column one answer; the first of each is benign.",
    blank=lambda truth, called: ...,
    right=lambda truth, called: np.histogram2d(truth, called, bins=2)[0],
    wrong=[
        (lambda t, c: [[4, 1], [2, 3]], "rows are the truth"),
        (lambda t, c: [[3, 1], [2, 4]], "Melanoma stands first"),
        (lambda t, c: [[1, 3], [4, 2]], "Only the rows"),
        (lambda t, c: [[2, 4], [3, 1]], "Only the columns"),
        (lambda t, c: [[0.4, 0.2], [0.1, 0.3]], "Those are shares"),
        (lambda t, c: [[4 / 6, 2 / 6], [1 / 4, 3 / 4]], "Those are shares"),
        (lambda t, c: [4, 2, 1, 3], "has shape (4,)"),
        (lambda t, c: [[5, 1], [1, 3]], "count one cell"),
        (lambda t, c: None, "return"),
    ],
)
def _matrix_by_hand(answer):
    truth = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    called = np.array([0, 0, 0, 1, 1, 0, 1, 1, 1, 0])
    found, right = np.asarray(answered(answer(truth, called))), np.array([[4, 2], [1, 3]])
    if found.shape != (2, 2):
        raise Hint(f"The result has shape {found.shape}, not (2, 2): two rows of two counts.")
    for wrong, value in (
        ("Rows and columns are exchanged: here the rows are the truth.", right.T),
        ("Melanoma stands first: here benign has the first row and column.", right[::-1, ::-1]),
        ("Only the rows are in the wrong order: truly benign comes first.", right[::-1]),
        ("Only the columns are in the wrong order: called benign comes first.", right[:, ::-1]),
        ("Those are shares: counts say how many images they rest on.", right / 10),
        ("Those are shares: counts say how many images they rest on.", right / [[6], [4]]),
    ):
        if np.allclose(found, value):
            raise Hint(wrong)
    if not np.array_equal(found, right):
        raise Hint(f"For truth {truth.tolist()} and called {called.tolist()}: count one cell.")
    return "All other measures at this threshold are made of these four counts."


@exercise(
    "05.2",
    hint="Write the cost of each threshold as a sum with an unknown cost of a miss.",
    given={"careful": (2, 110), "brisk": (6, 60)},
    right=12.5,
    wrong=[
        (0.08, "Upside down"),
        (50, "share it among them"),
        (55, "careful threshold alone"),
        (10, "brisk threshold alone"),
        (50 / 6, "all that the brisk one misses"),
        (3, "sums of costs equal"),
    ],
)
def _break_even_cost(answer, careful, brisk):
    (missed, alarms), (missed_more, alarms_less) = careful, brisk
    more = alarms - alarms_less
    right = more / (missed_more - missed)
    refuse(
        answer,
        {
            "Upside down: how many false alarms for one melanoma?": 1 / right,
            "That is what all the melanomas together cost: share it among them.": more,
            "That is within the careful threshold alone: what does it cost *more*?": (
                alarms / missed
            ),
            "That is within the brisk threshold alone.": alarms_less / missed_more,
            "You divided by all that the brisk one misses.": more / missed_more,
        },
    )
    if not near(answer, right):
        raise Hint("Set the two sums of costs equal, and solve for the cost of a miss.")
    return "If a miss is worse than that for you, take the careful threshold."


@exercise(
    "05.3",
    hint="Imagine 10,000 lesions. How many of them are melanomas, and how many alarms are there?",
    given={"sensitivity": 0.9, "specificity": 0.8, "prevalence": 0.01},
    right=0.009 / (0.009 + 0.198),
    wrong=[
        (0.9, "sensitivity"),
        (0.9 / 1.1, "every second lesion"),
        (0.009, "divide by all alarms"),
        (0.207, "which share of them"),
        (0.9565, "share of false alarms"),
        (0.01124, "1 minus the specificity"),
        (4.35, "between 0 and 1"),
        (0.5, "10,000 people"),
    ],
)
def _precision_at(answer, sensitivity, specificity, prevalence):
    hits, alarms = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    refuse(
        answer,
        {
            "That is the sensitivity: it starts from the melanomas, not from the alarms.": (
                sensitivity
            ),
            "That holds where every second lesion is a melanoma.": (
                sensitivity / (sensitivity + 1 - specificity)
            ),
            "Those are the true alarms: divide by all alarms.": hits,
            "Those are all alarms: which share of them is true?": hits + alarms,
            "That is the share of false alarms among the alarms.": alarms / (hits + alarms),
            "The share of benign lesions with an alarm is 1 minus the specificity.": (
                hits / (hits + specificity * (1 - prevalence))
            ),
        },
        0.0005,
    )
    if near(answer, 100 * hits / (hits + alarms), 0.05):
        raise Hint("Write it as a share between 0 and 1.")
    if not near(answer, hits / (hits + alarms), 0.0005):
        raise Hint("Imagine 10,000 people: how many true alarms, how many false ones?")
    return "Nearly all alarms are false, though the model is the same."


@exercise(
    "05.4",
    hint="Odds are p / (1 - p). Which factor changes them when melanomas become rarer?",
    given={"says": 0.5, "before": 0.24, "after": 0.11},
    right=0.2813,
    wrong=[
        (0.2292, "not the probability"),
        (0.3914, "turn them back"),
        (0.7187, "other direction"),
        (0.5, "Nothing changed"),
        (0.11, "the prevalence"),
        (0.9, "new odds"),
    ],
)
def _prior_shift(answer, says, before, after):
    odds = says / (1 - says) * (after / (1 - after)) / (before / (1 - before))
    back = says / (1 - says) * (before / (1 - before)) / (after / (1 - after))
    refuse(
        answer,
        {
            "Scale the odds, not the probability: else some would come out above 1.": (
                says * after / before
            ),
            "Those are the odds: turn them back into a probability.": odds,
            "That is the other direction: rarer melanomas make a probability smaller.": (
                back / (1 + back)
            ),
            "Nothing changed: melanomas are rarer here than where it learned.": says,
            "That is the prevalence: the image has said something too.": after,
        },
    )
    if not near(answer, odds / (1 + odds)):
        raise Hint("Odds p / (1 - p); times new odds of the prevalence over old; back again.")
    return "The image's evidence stays, what was known before it changes."


@exercise(
    "05.5",
    hint="Sensitivity gives the melanomas found; precision then gives the alarms.",
    given={"melanomas": 48, "images": 200, "sensitivity": 0.79, "precision": 0.83},
    right=0.91,
    wrong=[
        (0.852, "what was claimed"),
        (182, "between 0 and 1"),
        (0.8095, "F1"),
        (0.9496, "forgot the false alarms"),
        (0.9612, "forgot the missed"),
        (0.8204, "not of the benign"),
        (0.5, "then all wrong"),
    ],
)
def _accuracy_of_the_claim(answer, melanomas, images, sensitivity, precision):
    found = sensitivity * melanomas
    missed, alarms = melanomas - found, found * (1 - precision) / precision
    if near(answer, 0.852, 0.001):
        raise Hint("That is what was claimed. What follows from the other two numbers?")
    if number(answer) > 1:
        raise Hint("Write it as a share between 0 and 1: divide by the number of images.")
    benign_alarms = (1 - precision) * (images - melanomas)
    refuse(
        answer,
        {
            "That is the F1: it leaves out the benign lesions that were called benign.": (
                2 * sensitivity * precision / (sensitivity + precision)
            ),
            "You forgot the false alarms.": 1 - missed / images,
            "You forgot the missed melanomas.": 1 - alarms / images,
            "False alarms: precision is of those *called* melanoma, not of the benign.": (
                1 - (missed + benign_alarms) / images
            ),
        },
        0.002,
    )
    if not near(answer, 1 - (missed + alarms) / images):
        raise Hint(
            "Melanomas found; from these and the precision the false alarms; then all wrong."
        )
    return "The claimed accuracy and the claimed precision and recall exclude each other."


@exercise(
    "05.6",
    hint="Both were tested on the same images, and each recipe was trained once.",
    right="this A",
    wrong=[
        ("nothing shown", "same images"),
        ("B", "its sign"),
        ("the recipe of A", "next seed"),
        ("both", "Answer"),
    ],
)
def _is_a_better(answer):
    if answer == "nothing shown":
        raise Hint("The two intervals overlap, but on the same images luck strikes both alike.")
    if answer == "B":
        raise Hint("The difference is A minus B: what does its sign say?")
    if answer == "the recipe of A":
        raise Hint("One training of each was judged: does the next seed give the same?")
    if answer != "this A":
        raise Hint('Answer "this A", "the recipe of A", "B" or "nothing shown".')
    return "The trained model A, on lesions like these. Of its recipe only several seeds can tell."
