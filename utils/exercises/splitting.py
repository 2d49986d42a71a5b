"""Exercises of the lesson splitting."""

import hashlib

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split

from utils.exercises.registry import Hint, answered, exercise, near, number, refuse

TRAIN = pd.DataFrame({"lesion_id": list("aabbcdef"), "dx": ["mel"] * 5 + ["nv"] * 3})
TEST = pd.DataFrame({"lesion_id": list("acghdxyz"), "dx": ["mel"] * 3 + ["nv"] * 5})


@exercise(
    "splitting.1",
    hint="First keep the melanomas of test. Then ask of each lesion_id whether it is in training.",
    given={"train": TRAIN, "test": TEST},
    right=2 / 3,
    wrong=[
        (3 / 8, "share of all test images"),
        (2 / 8, "share of all test images that"),
        (2, "number of melanomas"),
        (3 / 5, "The other way round"),
        (1 / 3, "is *not* in training"),
        (0.5, "Keep the test rows"),
    ],
)
def _share_of_melanomas(answer, train, test):
    answer, of_train = number(answer), train[train["dx"] == "mel"]
    melanoma, leaked = test["dx"] == "mel", test["lesion_id"].isin(train["lesion_id"])
    share = leaked[melanoma].mean()
    refuse(
        answer,
        {
            "That is the share of all test images, the number above.": leaked.mean(),
            "That is the share of all test images that are melanomas and leak: divide by the "
            "number of melanomas.": (leaked & melanoma).mean(),
            "That is the number of melanomas: divide it by all melanomas of the test.": (
                (leaked & melanoma).sum()
            ),
            "The other way round: ask of the test images, not of the training images.": (
                of_train["lesion_id"].isin(test["lesion_id"]).mean()
            ),
            "That is the share whose lesion is *not* in training.": 1 - share,
        },
    )
    if not near(answer, share):
        raise Hint("Keep the test rows with dx mel. The share of these is asked for.")
    return (
        f"{share:.2f}, against {leaked.mean():.2f} of all images: melanomas are photographed more "
        "often. So the images that matter most leak most."
    )


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


def _development(n=400):
    """Images in groups of two, named in the order of their diagnoses."""
    group = np.arange(n) // 2
    dx = np.where(group < n // 8, "mel", "nv")
    names = [f"HAM_{g:07}" for g in group]
    return pd.DataFrame({"image_id": [f"ISIC_{i:07}" for i in range(n)], "dx": dx, "group": names})


def _by_folds(table, n=4):
    folds = StratifiedGroupKFold(n, shuffle=True, random_state=0)
    _, rows = next(folds.split(table, table["dx"], table["group"]))
    here = np.isin(np.arange(len(table)), rows)
    return table.assign(split=np.where(here, "validation", "train"))


def _by_image(table):
    _, rows = train_test_split(np.arange(len(table)), test_size=0.25, random_state=0)
    return table.assign(split=np.where(np.isin(np.arange(len(table)), rows), "validation", "train"))


def _by_rank(table):
    position = np.arange(len(table)) / len(table)
    return table.assign(split=np.where(position < 0.25, "validation", "train"))


def _by_groups_alone(table):
    split = GroupShuffleSplit(1, test_size=0.1, random_state=0)
    _, rows = next(split.split(table, groups=table["group"]))
    return table.assign(split=np.where(table.index.isin(rows), "validation", "train"))


@exercise(
    "splitting.3",
    hint="The lesson makes five folds and takes one. How many folds give a quarter? The second "
    "thing that folds.split gives are row numbers of one fold.",
    given={"table": _development()},
    blank=lambda table: ...,
    right=_by_folds,
    wrong=[
        (lambda table: table, "column split"),
        (lambda table: table["group"], "DataFrame"),
        (lambda table: _by_folds(table).head(50), "every image"),
        (lambda table: _by_folds(table).replace("validation", "test"), '"train" and "validation"'),
        (_by_image, "on both sides"),
        (lambda table: _by_folds(table, 5), "about a quarter"),
        (_by_groups_alone, "about a quarter"),
        (_by_rank, "share of melanomas"),
        (lambda table: None, "return"),
    ],
)
def _train_validation(answer, table):
    found = answered(answer(table.copy()))
    if not isinstance(found, pd.DataFrame):
        raise Hint(f"Return a DataFrame, not {type(found).__name__}.")
    if "split" not in found:
        raise Hint("The table has no column split yet: table.assign(split=...) adds it.")
    if sorted(found["image_id"]) != sorted(table["image_id"]):
        raise Hint("Return every image of the table once.")
    if set(found["split"]) != {"train", "validation"}:
        raise Hint('The column split holds two words: "train" and "validation".')
    sides = found.groupby("group")["split"].nunique()
    if (sides > 1).any():
        raise Hint(f"{(sides > 1).sum()} groups are on both sides: split groups, not images.")
    share = (found["split"] == "validation").mean()
    if not near(share, 0.25, 0.02):
        raise Hint(f"Validation has {share:.2f} of the images; it should have about a quarter.")
    melanoma = (found["dx"] == "mel").groupby(found["split"]).mean()
    if not near(melanoma["validation"], melanoma["train"], 0.03):
        raise Hint(
            f"The share of melanomas is {melanoma['train']:.2f} in training and "
            f"{melanoma['validation']:.2f} in validation: stratify by dx."
        )
    return "Whole groups, a quarter of the images, and melanomas on both sides alike."


class _Name(str):
    """A lesion's name whose built-in hash is another than that of the same text."""

    def __hash__(self):
        return 3


def _digest(name):
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)


ANY = np.random.default_rng(0)


@exercise(
    "splitting.4",
    hint="int(text, 16) turns the hexdigest into a whole number. When you divide whole numbers by "
    "the same small number, what can be left over?",
    blank=lambda name: ...,
    right=lambda name: _digest(name) % 5 == 3,
    wrong=[
        (lambda name: hash(name) % 5 == 0, "every start of Python"),
        (lambda name: ANY.random() < 0.2, "another answer"),
        (lambda name: np.random.default_rng(0).random() < 0.2, "hardly differ"),
        (lambda name: int(name[-1]) < 2, "digits of the name"),
        (lambda name: int(name[-7:]) % 5 == 0, "digits of the name"),
        (lambda name: _digest(name) % 2 == 0, "one in five"),
        (lambda name: _digest(name) % 5, "True or False"),
        (lambda name: hashlib.sha256(name).hexdigest(), "TypeError"),
        (lambda name: None, "return"),
    ],
)
def _in_test(answer):
    names = [f"HAM_{i:07}" for i in range(2000)]
    found = [answered(answer(name)) for name in names]
    if not all(isinstance(value, bool | np.bool_) for value in found):
        raise Hint(f"Return True or False, not {found[0]!r}.")
    if found != [answer(name) for name in names]:
        raise Hint("The same name got another answer the second time.")
    if found != [answer(_Name(name)) for name in names]:
        raise Hint("hash(name) is another number at every start of Python: use hashlib.")
    if len(set(found)) == 1:
        raise Hint("The answers hardly differ: all names got the same one.")
    alike = [np.mean([answer(f"HAM_{i:06}{digit}") for i in range(500)]) for digit in (0, 5)]
    if max(alike) > 0.9 or min(alike) < 0.01:
        raise Hint("You use digits of the name: who is in the test should not depend on them.")
    share = np.mean(found)
    if not near(share, 0.2, 0.03):
        raise Hint(f"{share:.2f} of the names are in the test; it should be one in five.")
    return f"{share:.2f} of 2,000 names, in any order, on any computer."
