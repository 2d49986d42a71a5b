"""Exercises of the lesson splitting."""

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split

from utils.exercises.registry import Hint, answered, exercise, near, number, refuse

TRAIN = pd.DataFrame({"lesion_id": list("aabbcdef"), "dx": ["mel"] * 5 + ["nv"] * 3})
TEST = pd.DataFrame({"lesion_id": list("acghdxyza"), "dx": ["mel"] * 3 + ["nv"] * 6})


def _leak(train, test):
    return test["lesion_id"].isin(train["lesion_id"]).mean()


def _leak_of_lesions(train, test):
    return _leak(train, test.drop_duplicates("lesion_id"))


@exercise(
    "splitting.1",
    hint="A Series has a method that tells, for each value, whether it is in another Series. And "
    "what is the mean of True and False?",
    blank=lambda train, test: ...,
    right=_leak,
    wrong=[
        (lambda train, test: test["lesion_id"].isin(train["lesion_id"]), "one number"),
        (lambda train, test: test["lesion_id"].isin(train["lesion_id"]).sum(), "how many"),
        (lambda train, test: _leak(test, train), "other way round"),
        (lambda train, test: 1 - _leak(train, test), "not* in training"),
        (_leak_of_lesions, "lesions, not of the images"),
        (lambda train, test: 0.387, "another pair"),
        (lambda train, test: len(set(train["lesion_id"]) & set(test["lesion_id"])) / 9, "asked"),
        (lambda train, test: None, "return"),
        (lambda train, test: test["lesion"].isin(train["lesion"]).mean(), "KeyError"),
    ],
)
def _leak_is_found(answer):
    found, right = number(answered(answer(TRAIN.copy(), TEST.copy()))), _leak(TRAIN, TEST)
    if near(found, right) and not near(answered(answer(TEST, TEST)), 1):
        raise Hint("For another pair of tables it gives the wrong share: use train and test.")
    if found > 1:
        raise Hint("That says how many: divide by the number of test images.")
    refuse(
        found,
        {
            "It is the other way round: ask of the images of test.": _leak(TEST, TRAIN),
            "That is the share whose lesion is *not* in training.": 1 - right,
            "That is a share of lesions, not of the images: keep every row of test.": (
                _leak_of_lesions(TRAIN, TEST)
            ),
            "That is one number for all tables, and wrong for another pair of them.": 0.387,
        },
    )
    if not near(found, right):
        raise Hint(
            "Not the share that is asked for: of all images of test, those whose lesion leaks."
        )
    return "Five lines at most, and they find this leak in any split."


ROWS, TAKEN, EPOCHS = 200, 50, 10


def _cases_of_two_sets():
    def leaking(dataset, seed=None):
        shuffled = dataset.shuffle(ROWS, seed=seed)
        return shuffled.skip(TAKEN), shuffled.take(TAKEN)

    def mended(dataset, order=slice(None), taken=TAKEN):
        shuffled = dataset.shuffle(ROWS, reshuffle_each_iteration=False)
        return (shuffled.skip(TAKEN), shuffled.take(taken))[order]

    return {
        "blank": lambda dataset: ...,
        "right": mended,
        "wrong": [
            (leaking, "In ten epochs"),
            (lambda dataset: leaking(dataset, seed=0), "In ten epochs"),
            (lambda dataset: (dataset.skip(TAKEN), dataset.take(TAKEN)), "first rows"),
            (lambda dataset: mended(dataset, slice(None, None, -1)), "training first"),
            (lambda dataset: mended(dataset, taken=20), "50 images"),
            (lambda dataset: mended(dataset, slice(1)), "two data sets"),
            (lambda dataset: dataset, "two data sets"),
            (lambda dataset: None, "return"),
        ],
    }


@exercise(
    "splitting.2",
    hint="Look at the arguments of tf.data.Dataset.shuffle in its documentation. Which one says "
    "what happens when the data are read again?",
    cases=_cases_of_two_sets,
)
def _two_sets(answer):
    import tensorflow as tf  # here: the other checks do without

    found = answered(answer(tf.data.Dataset.range(ROWS)))
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise Hint("Return two data sets: training, validation.")

    def passes(dataset):
        return [list(dataset.as_numpy_iterator()) for _ in range(EPOCHS)]

    training, validation = map(passes, found)
    if len(training[0]) == TAKEN and len(validation[0]) == ROWS - TAKEN:
        raise Hint("Return training first, then validation.")
    if len(validation[0]) != TAKEN or len(training[0]) != ROWS - TAKEN:
        raise Hint(f"Validation has {TAKEN} images, training the other {ROWS - TAKEN}.")
    seen = set(np.unique(training)) & set(np.unique(validation))
    if seen:
        raise Hint(
            f"In ten epochs training saw {len(seen)} images that are in validation in some epoch: "
            "the order must be drawn once only."
        )
    if sorted(validation[0]) == list(range(TAKEN)):
        raise Hint("Validation holds the first rows: a sorted table would put one diagnosis there.")
    return "Drawn once, so no validation image ever reaches training."


def _table(n=400):
    """Images, two a lesion, named in the order of their diagnoses."""
    lesion = np.arange(n) // 2
    return pd.DataFrame(
        {
            "image_id": [f"ISIC_{i:07}" for i in range(n)],
            "lesion_id": [f"HAM_{number:07}" for number in lesion],
            "dx": np.where(lesion < n // 8, "mel", "nv"),
        }
    )


def _by_folds(table, n=5):
    folds = StratifiedGroupKFold(n, shuffle=True, random_state=0)
    train, test = next(folds.split(table, table["dx"], table["lesion_id"]))
    return table.iloc[train], table.iloc[test]


def _by_groups(table, share=0.2):
    split = GroupShuffleSplit(1, test_size=share, random_state=0)
    train, test = next(split.split(table, groups=table["lesion_id"]))
    return table.iloc[train], table.iloc[test]


def _rows_alone(table):
    return next(GroupShuffleSplit(1, test_size=0.2).split(table, groups=table["lesion_id"]))


def _one_a_lesion(table):
    return _by_folds(table.drop_duplicates("lesion_id"))


def _in_order(table):
    return table.iloc[len(table) // 5 :], table.iloc[: len(table) // 5]


@exercise(
    "splitting.3",
    hint="Both classes have a method split, which takes the table, the labels and groups=. It "
    "gives pairs of row numbers: next(...) takes the first pair, table.iloc[...] the rows.",
    given={"table": _table()},
    blank=lambda table: ...,
    right=_by_folds,
    wrong=[
        (lambda table: table, "Return two tables"),
        (_rows_alone, "row numbers"),
        (lambda table: _by_folds(table)[::-1], "training first"),
        (lambda table: train_test_split(table, test_size=0.2, random_state=0), "on both sides"),
        (_one_a_lesion, "every image"),
        (lambda table: _by_groups(table, 0.4), "about a fifth"),
        (_in_order, "share of melanomas"),
        (lambda table: None, "return"),
    ],
)
def _whole_lesions(answer, table):
    found = answered(answer(table.copy()))
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise Hint("Return two tables: train, test.")
    train, test = found
    if not isinstance(train, pd.DataFrame) or not isinstance(test, pd.DataFrame):
        raise Hint("These are row numbers: table.iloc[...] gives the rows.")
    if sorted([*train["image_id"], *test["image_id"]]) != sorted(table["image_id"]):
        raise Hint("Put every image of the table into one of the two, once.")
    share = len(test) / len(table)
    if share > 0.7:
        raise Hint("Return training first, then the test.")
    if shared := set(train["lesion_id"]) & set(test["lesion_id"]):
        raise Hint(f"{len(shared):,} lesions are on both sides: split lesions, not images.")
    if not near(share, 0.2, 0.03):
        raise Hint(f"The test has {share:.2f} of the images; it should have about a fifth.")
    of_train, of_test = ((part["dx"] == "mel").mean() for part in (train, test))
    if not near(of_test, of_train, 0.05):
        raise Hint(
            f"The share of melanomas is {of_train:.2f} in training and {of_test:.2f} in the test: "
            "shuffle, or stratify by dx."
        )
    return "Whole lesions, a fifth of the images, and melanomas on both sides alike."
