"""Exercises of the lesson groups."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from utils.exercises.registry import Hint, answered, exercise, near, number, refuse

BANDS = ("very light", "bluish")


def _melanomas(n=120):
    """Made-up melanomas, up to three images a lesion."""
    rng = np.random.default_rng(6)
    lesion = np.repeat(np.arange(n), rng.integers(1, 4, n))
    site = np.array(["back", "face", "foot"])[lesion % 3]
    chance = pd.Series(site).map({"back": 0.9, "face": 0.7, "foot": 0.4})
    table = pd.DataFrame({"group": [f"HAM_{one:07}" for one in lesion], "site": site})
    return table.assign(found=rng.random(len(table)) < chance)


def _by_group(melanomas, column):
    return melanomas.groupby(column).agg(lesions=("group", "nunique"), found=("found", "mean"))


def _with(melanomas, column, lesions=("group", "nunique"), found=("found", "mean")):
    return melanomas.groupby(column).agg(lesions=lesions, found=found)


@exercise(
    "groups.1",
    hint="groupby and agg make a table in one line; each new column gets a pair: the old column "
    "and the name of a method. Which method of pandas counts different names?",
    blank=lambda melanomas, column: ...,
    right=_by_group,
    wrong=[
        (lambda m, c: _with(m, c, lesions=("group", "size")), "images"),
        (lambda m, c: _with(m, c, found=("found", "sum")), "share"),
        (lambda m, c: m.groupby(c)["found"].mean(), "two columns"),
        (lambda m, c: _by_group(m, c).rename(columns={"found": "share"}), "two columns"),
        (lambda m, c: _by_group(m, "site" if c == "group" else "group"), "values of the column"),
        (lambda m, c: _by_group(m.drop_duplicates("group"), c), "all images"),
        (lambda m, c: _by_group(m, c).assign(found=0.5), "is not the share"),
        (lambda m, c: None, "return"),
    ],
)
def _sensitivities(answer):
    melanomas = _melanomas()
    found, right = answered(answer(melanomas.copy(), "site")), _by_group(melanomas, "site")
    if not isinstance(found, pd.DataFrame) or not {"lesions", "found"} <= set(found):
        raise Hint('Return a DataFrame with two columns, "lesions" and "found".')
    if sorted(found.index) != sorted(right.index):
        raise Hint("Give one row for each of the values of the column: group by it.")
    found = found.loc[right.index]
    if not np.array_equal(found["lesions"], right["lesions"]):
        raise Hint("Count the lesions, by the names in group. These are not lesions but images.")
    if (found["found"] > 1).any():
        raise Hint("found is a share here, from 0 to 1: what is the mean of True and False?")
    once = _by_group(melanomas.drop_duplicates("group"), "site")
    if np.allclose(found["found"], once["found"]):
        raise Hint("Take the share over all images of these melanomas, not over one of each.")
    if not np.allclose(found["found"], right["found"]):
        raise Hint("That is not the share that is found in each group.")
    return "Every share has its number of lesions beside it."


def _images(n=400):
    """Made-up images of three bands, with what may differ between them."""
    rng = np.random.default_rng(4)
    tone = rng.choice([*BANDS, "tan"], n)
    melanoma = (rng.random(n) < 0.3).astype(int)
    noise = np.where(tone == "bluish", 1.2, np.where(tone == "tan", 3, 0.6)) * rng.normal(size=n)
    table = pd.DataFrame({"tone": tone, "melanoma": melanoma})
    table["probability"] = 1 / (1 + np.exp(-2 * melanoma - noise))
    table["sex"] = rng.choice(["male", "female"], n)
    early = rng.random(n) < np.where(tone == "bluish", 0.2, 0.6)
    table["visit"] = np.where(early, "first", rng.choice(["second", "third"], n))
    return table


def _auc(table):
    return roc_auc_score(table["melanoma"], table["probability"])


def _gap(table, first=BANDS[0], second=BANDS[1]):
    return _auc(table[table["tone"] == first]) - _auc(table[table["tone"] == second])


def _of_mean_probabilities(table):
    mean = table.groupby("tone")["probability"].mean()
    return mean[BANDS[0]] - mean[BANDS[1]]


@exercise(
    "groups.2",
    hint="Take the rows of one band, and ask roc_auc_score with two columns of them. Then the "
    "other band.",
    blank=lambda table: ...,
    right=_gap,
    wrong=[
        (lambda table: -_gap(table), "other way round"),
        (lambda table: _auc(table[table["tone"] == BANDS[0]]), "first band alone"),
        (lambda table: _auc(table[table["tone"] == BANDS[1]]), "second band alone"),
        (
            lambda table: (
                _auc(table[table["tone"] == BANDS[0]]) - _auc(table[table["tone"] != BANDS[0]])
            ),
            "all other bands",
        ),
        (lambda table: _auc(table[table["tone"] == BANDS[0]]) - _auc(table), "all images"),
        (_of_mean_probabilities, "mean probabilities"),
        (lambda table: None, "return"),
    ],
)
def _difference_of_bands(answer):
    table = _images()
    found = number(answered(answer(table.copy())))
    light = table["tone"] == BANDS[0]
    refuse(
        found,
        {
            "It is the other way round: very light minus bluish.": -_gap(table),
            "That is the AUC of the first band alone.": _auc(table[light]),
            "That is the AUC of the second band alone.": _auc(table[table["tone"] == BANDS[1]]),
            "You compare with all other bands. Take the bluish one.": (
                _auc(table[light]) - _auc(table[~light])
            ),
            "You compare with all images. Take the bluish ones.": _auc(table[light]) - _auc(table),
            "Those are mean probabilities. Compare the AUCs.": _of_mean_probabilities(table),
        },
        1e-6,
    )
    if not near(found, _gap(table), 1e-6):
        raise Hint("Not the AUC of the very light images minus that of the bluish ones.")
    return f"{found:+.2f} on made-up images. Now ask it about the real table."


def _shares(table, column, normalize="columns"):
    return pd.crosstab(table[column], table["tone"], normalize=normalize)


def _differences(table, column, normalize="columns"):
    shares = _shares(table, column, normalize)
    return (shares[BANDS[0]] - shares[BANDS[1]]).abs()


def _uneven(table, column):
    return _differences(table, column).max()


@exercise(
    "groups.3",
    hint="pd.crosstab counts two columns against each other; its argument normalize turns counts "
    "into shares, of the rows or of the columns. Then subtract, and forget the sign.",
    blank=lambda table, column: ...,
    right=_uneven,
    wrong=[
        (lambda t, c: _differences(t, c), "one number"),
        (lambda t, c: _differences(t, c, "index").max(), "of each band"),
        (lambda t, c: _differences(t, c, False).max(), "counts"),
        (lambda t, c: _differences(t, c).sum(), "sum"),
        (lambda t, c: _differences(t, c).mean(), "mean"),
        (
            lambda t, c: (_shares(t, c)[BANDS[1]] - _shares(t, c)[BANDS[0]]).max(),
            "sign",
        ),
        (lambda t, c: _uneven(t, "sex"), "column"),
        (lambda t, c: None, "return"),
    ],
)
def _most_uneven(answer):
    table, column = _images(), "visit"
    found = number(answered(answer(table.copy(), column)))
    shares = _shares(table, column)
    refuse(
        found,
        {
            "Take the shares of each band: its column of the crosstab must add up to 1.": (
                _differences(table, column, "index").max()
            ),
            "Those are counts, and one band has more images. Take shares.": (
                _differences(table, column, False).max()
            ),
            "That is the sum of the differences: take the largest.": (
                _differences(table, column).sum()
            ),
            "That is the mean of the differences: take the largest.": (
                _differences(table, column).mean()
            ),
            "Forget the sign: the largest may be negative.": min(
                (shares[BANDS[0]] - shares[BANDS[1]]).max(),
                (shares[BANDS[1]] - shares[BANDS[0]]).max(),
            ),
            "Use the column that is given, not another one.": _uneven(table, "sex"),
        },
        1e-6,
    )
    if not near(found, _uneven(table, column), 1e-6):
        raise Hint("Not the largest difference between the shares of the two bands.")
    return "A column that differs between the bands can explain a gap between them."
