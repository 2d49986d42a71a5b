"""Exercises of the lesson not_a_lesion."""

import numpy as np
import pandas as pd
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import roc_auc_score

from utils.evaluation import Estimate, difference
from utils.exercises.registry import Hint, answered, exercise, near, refuse_array


def _refused(train, validation, new):
    fitted = EmpiricalCovariance().fit(train)
    return fitted.mahalanobis(new) > np.quantile(fitted.mahalanobis(validation), 0.99)


def _with(fit_on, limit_from):
    """The same with the data at these places instead."""

    def wrong(*sets):
        fitted = EmpiricalCovariance().fit(sets[fit_on])
        return fitted.mahalanobis(sets[2]) > np.quantile(fitted.mahalanobis(sets[limit_from]), 0.99)

    return wrong


@exercise(
    "not_a_lesion.1",
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
        (lambda a, b, c: _refused(a, b, b), "each image of new"),
        (lambda a, b, c: None, "return"),
    ],
)
def _detector(answer):
    rng = np.random.default_rng(5)
    mix = rng.normal(size=(4, 4))
    train, validation = rng.normal(size=(60, 4)) @ mix, 1.4 * rng.normal(size=(300, 4)) @ mix
    new = np.concatenate([rng.normal(size=(100, 4)) @ mix, 3 * rng.normal(size=(100, 4)) @ mix])
    sets = train, validation, new
    found = np.asarray(answered(answer(*(part.copy() for part in sets))))
    if found.shape != (200,):
        raise Hint("Give one answer for each image of new.")
    if found.dtype != bool:
        raise Hint("Give True or False for each image: a comparison of arrays makes them.")
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
        raise Hint("Compare the distances of new with the 0.99 quantile of those of validation.")
    return f"It refuses {found[:100].sum()} of 100 similar and {found[100:].sum()} of 100 others."


def _rows():
    """Made-up shifts."""
    return pd.DataFrame(
        {
            "shift": ["darker", "darker", "blurred", "blurred", "warmer", "turned"],
            "severity": [1, 2, 1, 2, 3, 4],
            "refused": [0.01, 0.2, 0.05, 0.6, 0.04, 0.03],
            "sensitivity": [0.8, 0.3, 0.6, 0.1, 0.5, 0.84],
        },
        index=[7, 3, 5, 2, 9, 4],
    )


def _unnoticed(rows):
    return rows[rows["refused"] <= 0.05].sort_values("sensitivity")


@exercise(
    "not_a_lesion.2",
    hint="Two steps: a comparison inside square brackets keeps rows, and a DataFrame has a method "
    "that sorts by a column.",
    blank=lambda rows: ...,
    right=_unnoticed,
    wrong=[
        (lambda rows: rows.sort_values("sensitivity"), "more than 5 %"),
        (lambda rows: rows[rows["refused"] > 0.05].sort_values("sensitivity"), "other way round"),
        (lambda rows: rows[rows["refused"] < 0.05].sort_values("sensitivity"), "exactly 5 %"),
        (lambda rows: rows[rows["refused"] <= 0.05], "sort"),
        (lambda rows: _unnoticed(rows)[::-1], "lowest sensitivity first"),
        (lambda rows: rows[rows["refused"] <= 5].sort_values("sensitivity"), "more than 5 %"),
        (lambda rows: _unnoticed(rows).head(1), "all rows"),
        (lambda rows: _unnoticed(rows)["sensitivity"], "DataFrame"),
        (lambda rows: None, "return"),
    ],
)
def _quiet_rows(answer):
    rows = _rows()
    found, right = answered(answer(rows.copy())), _unnoticed(rows)
    if not isinstance(found, pd.DataFrame) or not set(rows) <= set(found):
        raise Hint("Return a DataFrame with all columns of rows.")
    names = [list(table["shift"] + table["severity"].astype(str)) for table in (found, right)]
    kept, wanted = map(set, names)
    if kept and not kept & wanted:
        raise Hint("It is the other way round: keep rows where few images are refused.")
    if kept - wanted:
        raise Hint("Some rows have more than 5 % refused (0.05).")
    if kept == wanted - {"blurred1"}:
        raise Hint("Keep the rows with exactly 5 % too.")
    if kept != wanted:
        raise Hint("Keep all rows where at most 5 % are refused.")
    if names[0] == names[1][::-1]:
        raise Hint("Turn it round: the lowest sensitivity first.")
    if names[0] != names[1]:
        raise Hint("Now sort them by sensitivity.")
    return "The first row is the disturbance that costs most while nothing warns you."


def _lesions(n=160):
    rng = np.random.default_rng(8)
    y = (np.arange(n) % 3 == 0).astype(int)
    return y, rng.random(n) + 0.2 * y, rng.random(n) + 0.5 * y


def _gain(y, before, after):
    return difference(roc_auc_score, y, after, before, np.arange(len(y)))


def _accuracy(y, p):
    return np.mean(np.asarray(y) == (p >= 0.5))


@exercise(
    "not_a_lesion.3",
    hint="evaluation.difference takes the measure first, then the truth, the new probabilities, "
    "the old ones and the lesions. In which order does after minus before need the probabilities?",
    blank=lambda y, before, after: ...,
    right=_gain,
    wrong=[
        (lambda y, b, a: _gain(y, a, b), "after minus before"),
        (lambda y, b, a: _gain(y, b, a).value, "no interval"),
        (lambda y, b, a: roc_auc_score(y, a) - roc_auc_score(y, b), "no interval"),
        (lambda y, b, a: difference(_accuracy, y, a, b, np.arange(len(y))), "accuracy"),
        (lambda y, b, a: difference(lambda t, p: p.mean(), y, a, b, np.arange(len(y))), "measure"),
        (lambda y, b, a: difference(roc_auc_score, y, a, b, y), "each row is a lesion"),
        (lambda y, b, a: None, "return"),
    ],
)
def _paired_gain(answer):
    y, before, after = _lesions()
    found = answered(answer(y.copy(), before.copy(), after.copy()))
    if not isinstance(found, Estimate):
        raise Hint("That has no interval. evaluation.difference gives both.")
    right = _gain(y, before, after)
    if near(found.value, -right.value, 1e-6):
        raise Hint("Take after minus before: the new probabilities come first.")
    if near(found.value, _accuracy(y, after) - _accuracy(y, before), 1e-6):
        raise Hint("That is the accuracy. Take roc_auc_score.")
    if not near(found.value, right.value, 1e-6):
        raise Hint("Not the difference of the two AUCs. Which measure did you take?")
    if not near(found.high - found.low, right.high - right.low, 0.05):
        raise Hint("The interval is not that of lesions: here each row is a lesion of its own.")
    return f"Here {found:+.2f}. The same lesions were scored twice, so the difference is paired."
