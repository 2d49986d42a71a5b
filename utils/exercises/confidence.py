"""Exercises of the lesson confidence."""

import numpy as np
from sklearn.covariance import EmpiricalCovariance

from utils.exercises.registry import Hint, answered, exercise, near, refuse, refuse_array


def _yes_or_no(found, n):
    """An array of n times True or False, or a ``Hint``."""
    found = np.asarray(answered(found))
    if found.shape != (n,) or found.dtype != bool:
        raise Hint("Give True or False for each image: a comparison of arrays makes them.")
    return found


def _answered(p, coverage):
    confidence = np.maximum(p, 1 - p)
    return confidence >= np.quantile(confidence, 1 - coverage)


@exercise(
    "confidence.1",
    hint="Which quantile of the confidence lies below the share `coverage` of the images? "
    "`np.maximum` compares two arrays image by image.",
    blank=lambda p, coverage: ...,
    right=_answered,
    wrong=[
        (lambda p, c: p >= np.quantile(p, 1 - c), "highest probability of melanoma"),
        (
            lambda p, c: np.maximum(p, 1 - p) >= np.quantile(np.maximum(p, 1 - p), c),
            "1 - coverage",
        ),
        (lambda p, c: ~_answered(p, c), "least confident"),
        (lambda p, c: np.maximum(p, 1 - p) >= c, "share of the images"),
        (lambda p, c: np.maximum(p, 1 - p), "True or False"),
        (lambda p, c: None, "return"),
    ],
)
def _coverage(answer):
    p = np.random.default_rng(3).beta(1, 2, 100)
    found = _yes_or_no(answer(p.copy(), 0.3), 100)
    confidence = np.maximum(p, 1 - p)
    typical = {
        "Those have the highest probability of melanoma. A low one is confident too.": (
            p >= np.quantile(p, 0.7)
        ),
        "That is not the share `coverage`: the quantile is at `1 - coverage`.": (
            confidence >= np.quantile(confidence, 0.3)
        ),
        "Those are the least confident.": ~_answered(p, 0.3),
        "You compare the confidence with the coverage. The coverage is a share of the images.": (
            confidence >= 0.3
        ),
    }
    refuse_array(found, typical.items())
    if not np.array_equal(found, _answered(p, 0.3)):
        raise Hint(f"At a coverage of 0.3, 30 of 100 images are answered, not {found.sum()}.")
    return "At a coverage of 0.3 it answers 30 of 100 images."


def _limit(scores, level):
    rank = int(np.ceil((len(scores) + 1) * level))
    return np.sort(scores)[rank - 1] if rank <= len(scores) else np.inf


@exercise(
    "confidence.2",
    hint="Python counts from 0: the first of the sorted scores is `[0]`. `np.ceil` gives a float.",
    blank=lambda scores, level: ...,
    right=_limit,
    wrong=[
        (lambda s, level: np.sort(s)[int(np.ceil((len(s) + 1) * level))], "counts from 0"),
        (lambda s, level: np.sort(s)[int(np.ceil(len(s) * level)) - 1], "n + 1"),
        (lambda s, level: np.quantile(s, level), "n + 1"),
        (lambda s, level: np.sort(s)[::-1][int(np.ceil((len(s) + 1) * level)) - 1], "from below"),
        (lambda s, level: s[int(np.ceil((len(s) + 1) * level)) - 1], "Sort"),
        (lambda s, level: np.sort(s)[int(np.ceil((len(s) + 1) * level)) - 1], "too few"),
        (lambda s, level: np.sort(s)[min(int((len(s) + 1) * level + 1), len(s)) - 1], "too few"),
        (lambda s, level: None, "return"),
    ],
)
def _conformal(answer):
    scores = np.random.default_rng(4).permutation(np.arange(1, 22) ** 2 / 500)
    found = answer(scores.copy(), 0.9)
    rank = 20  # ceil(22 * 0.9)
    refuse(
        found,
        {
            "One too far: Python counts from 0.": np.sort(scores)[rank],
            "The rank is `ceil((n + 1) * level)`: mind n + 1.": np.sort(scores)[rank - 2],
            "`np.quantile` takes between two scores; the promise needs n + 1.": (
                np.quantile(scores, 0.9)
            ),
            "Count from below: the smallest score first.": np.sort(scores)[::-1][rank - 1],
            "Sort the scores first.": scores[rank - 1],
        },
        1e-6,
    )
    if not near(found, _limit(scores, 0.9), 1e-6):
        raise Hint("Sort, then take the number `ceil((n + 1) * level)` from below.")
    try:
        few = answer(np.arange(5.0), 0.9)
    except IndexError:
        few = np.nan
    if few != np.inf:
        raise Hint(
            "Five scores are too few for a level of 0.9: the number would be 6. Only `np.inf`, "
            "which no score exceeds, keeps the promise."
        )
    return "Of 21 scores at a level of 0.9 it is the 20th."


def _decide(p, low, high):
    return np.select([p < low, p > high], ["benign", "melanoma"], "refer")


@exercise(
    "confidence.3",
    hint="`np.where` chooses between two words, `np.select` between several.",
    blank=lambda p, low, high: ...,
    right=_decide,
    wrong=[
        (lambda p, low, high: np.where(p > high, "melanoma", "benign"), "never refers"),
        (
            lambda p, low, high: np.select([p > high, p < low], ["benign", "melanoma"], "refer"),
            "the other way round",
        ),
        (
            lambda p, low, high: np.select([p <= low, p >= high], ["benign", "melanoma"], "refer"),
            "both ends",
        ),
        (lambda p, low, high: "refer", "a word for each image"),
        (lambda p, low, high: None, "return"),
    ],
)
def _three_ways(answer):
    p, low, high = np.array([0.02, 0.1, 0.3, 0.4, 0.9, 0.05]), 0.1, 0.4
    found = np.asarray(answered(answer(p.copy(), low, high)))
    if found.shape != p.shape:
        raise Hint("Give a word for each image: an array as long as `p`.")
    if "refer" not in found:
        raise Hint("It never refers: what is said between `low` and `high`?")
    if found[4] == "benign":
        raise Hint('It is the other way round: a low probability is "benign".')
    if "refer" not in found[[1, 3]] or not (found[[1, 3]] == "refer").all():
        raise Hint('At `low` and at `high` themselves it refers: both ends belong to "refer".')
    if not np.array_equal(found, _decide(p, low, high)):
        raise Hint('The words are "benign", "refer" and "melanoma".')
    return "Two limits make three decisions."


def _refused(train, validation, new):
    guard = EmpiricalCovariance().fit(train)
    limit = np.quantile(guard.mahalanobis(validation), 0.99)
    return guard.mahalanobis(new) > limit


def _with(fit, limit):
    """A wrong guard, fitted on and limited by other sets than it should be."""

    def guard(*sets):
        fitted = EmpiricalCovariance().fit(sets[fit])
        return fitted.mahalanobis(sets[2]) > np.quantile(fitted.mahalanobis(sets[limit]), 0.99)

    return guard


@exercise(
    "confidence.4",
    hint="Three lines: fit on the training features, take the quantile of the validation "
    "distances, compare the new distances with it.",
    blank=lambda train, validation, new: ...,
    right=_refused,
    wrong=[
        (lambda a, b, c: ~_refused(a, b, c), "accepted"),
        (_with(0, 0), "limit from the training"),
        (_with(1, 1), "Fit on the training"),
        (_with(0, 2), "new images"),
        (lambda a, b, c: EmpiricalCovariance().fit(a).mahalanobis(c), "True or False"),
        (lambda a, b, c: None, "return"),
    ],
)
def _guard(answer):
    rng = np.random.default_rng(5)
    mix = rng.normal(size=(4, 4))
    train, validation = rng.normal(size=(60, 4)) @ mix, 1.4 * rng.normal(size=(300, 4)) @ mix
    new = np.concatenate([rng.normal(size=(100, 4)) @ mix, 3 * rng.normal(size=(100, 4)) @ mix])
    sets = train, validation, new
    found = _yes_or_no(answer(*(part.copy() for part in sets)), 200)
    typical = {
        "Those are the accepted images: refused is what lies farther away.": ~_refused(*sets),
        "You take the limit from the training images. They lie closer to their own mean: "
        "take it from validation images.": _with(0, 0)(*sets),
        "Fit on the training images; the validation images give the limit.": _with(1, 1)(*sets),
        "You take the limit from the new images: then it refuses 1 % of anything.": (
            _with(0, 2)(*sets)
        ),
    }
    refuse_array(found, typical.items())
    if not np.array_equal(found, _refused(*sets)):
        raise Hint("Compare `mahalanobis(new)` with the 0.99 quantile of the validation images.")
    return f"It refuses {found[:100].sum()} of 100 similar and {found[100:].sum()} of 100 others."
