"""Exercises of the lesson elsewhere."""

import numpy as np
import pandas as pd
from sklearn.metrics import recall_score, roc_auc_score

from utils.exercises.registry import Hint, answered, exercise, near, number, refuse


def _table(seed=0, n=120):
    """Images with a score that tells them apart a little; some lie on the threshold of 0.3."""
    rng = np.random.default_rng(seed)
    melanoma = (np.arange(n) % 4 == 0).astype(int)
    scores = np.clip(0.25 + 0.2 * melanoma + 0.15 * rng.normal(size=n), 0, 1).round(1)
    return pd.DataFrame({"melanoma": melanoma, "group": np.arange(n), "probability": scores})


def _judge(table, threshold):
    y, p = table["melanoma"], table["probability"]
    return {
        "AUC": roc_auc_score(y, p),
        "sensitivity": recall_score(y, p >= threshold),
        "false positives": 1 - recall_score(y, p >= threshold, pos_label=0),
    }


def _with(**changed):
    """A judge with other entries, made of table and threshold."""
    names = {"auc": "AUC", "sensitivity": "sensitivity", "false_positives": "false positives"}

    def judge(table, threshold):
        found = _judge(table, threshold)
        for name, make in changed.items():
            found[names[name]] = make(table, threshold)
        return found

    return judge


def _specificity(table, threshold):
    return 1 - _judge(table, threshold)["false positives"]


def _alarms(table, threshold):
    """Images that reach the threshold: which of them are no melanoma."""
    return (table["melanoma"] == 0)[table["probability"] >= threshold]


def _found(table, threshold, above=np.greater_equal):
    return above(table["probability"], threshold)[table["melanoma"] == 1]


@exercise(
    "elsewhere.1",
    hint="roc_auc_score takes the probabilities, recall_score takes True and False. recall_score "
    "is the share of melanomas that are found; its argument pos_label=0 asks of the others.",
    blank=lambda table, threshold: ...,
    right=_judge,
    wrong=[
        (lambda table, threshold: tuple(_judge(table, threshold).values()), "Return a dict"),
        (lambda table, threshold: {"AUC": 0.5}, "three names"),
        (
            _with(auc=lambda t, limit: roc_auc_score(t["melanoma"], t["probability"] >= limit)),
            "probabilities themselves",
        ),
        (_with(false_positives=_specificity), "specificity"),
        (_with(false_positives=lambda t, limit: _alarms(t, limit).mean()), "of the images that"),
        (_with(false_positives=lambda t, limit: _alarms(t, limit).sum()), "how many"),
        (
            _with(sensitivity=lambda t, limit: _found(t, limit, np.greater).mean()),
            "exactly on the threshold",
        ),
        (_with(sensitivity=lambda t, limit: 1 - _found(t, limit).mean()), "missed"),
        (lambda table, threshold: _judge(table, 0.5), "the threshold that it is given"),
        (lambda table, threshold: _judge(_table(), threshold), "another table"),
        (lambda table, threshold: None, "return"),
    ],
)
def _is_judged(answer):
    table, threshold = _table(), 0.3
    found, right = answered(answer(table.copy(), threshold)), _judge(table, threshold)
    if not isinstance(found, dict | pd.Series):
        raise Hint('Return a dict: {"AUC": ..., "sensitivity": ..., "false positives": ...}.')
    if set(found.keys()) != set(right):
        raise Hint('The three names are "AUC", "sensitivity" and "false positives".')
    found = {name: number(found[name]) for name in right}
    if not near(found["AUC"], right["AUC"], 0.001):
        called = roc_auc_score(table["melanoma"], table["probability"] >= threshold)
        hint = "That AUC is of True and False: roc_auc_score takes the probabilities themselves."
        refuse(found["AUC"], {hint: called}, 0.001)
        raise Hint("The AUC is another number: roc_auc_score takes the truth first.")
    if all(near(found[name], _judge(table, 0.5)[name], 0.001) for name in right):
        raise Hint("Use the threshold that it is given, not 0.5.")
    refuse(
        found["sensitivity"],
        {
            "A melanoma exactly on the threshold reaches it: use >=.": (
                _found(table, threshold, np.greater).mean()
            ),
            "That is the share of melanomas that are missed.": 1 - right["sensitivity"],
        },
        0.001,
    )
    refuse(
        found["false positives"],
        {
            "That is the specificity: false positives are the rest.": _specificity(
                table, threshold
            ),
            "That is a share of the images that reach the threshold: take the share of the images "
            "that are no melanoma.": _alarms(table, threshold).mean(),
        },
        0.001,
    )
    if found["false positives"] > 1 or found["sensitivity"] > 1:
        raise Hint("That says how many: divide by the number of images of that kind.")
    for name in right:
        if not near(found[name], right[name], 0.001):
            raise Hint(f"For {name} it gives {found[name]:.2f}, where {right[name]:.2f} is right.")
    other = _table(seed=1)
    found, right = answer(other.copy(), 0.4), _judge(other, 0.4)
    if not all(near(found[name], right[name], 0.001) for name in right):
        raise Hint("For another table it is wrong: use the table that it is given.")
    return "Three numbers, and each needs the truth of every image."


def _local_threshold(few, share):
    scores = few.loc[few["melanoma"] == 1, "probability"]
    return np.quantile(scores, 1 - share, method="lower")


def _few(seed):
    """A table of 100 images with 19 melanomas, no two probabilities equal."""
    rng = np.random.default_rng(seed)
    melanoma = (np.arange(100) < 19).astype(int)
    return pd.DataFrame({"melanoma": melanoma, "probability": rng.beta(1 + melanoma, 3)})


def _of(rows, share=None, method="lower"):
    """A threshold from the probabilities of some rows."""

    def threshold(few, asked):
        scores = few.loc[rows(few), "probability"]
        return np.quantile(scores, 1 - (asked if share is None else share), method=method)

    return threshold


def _melanomas(few):
    return few["melanoma"] == 1


@exercise(
    "elsewhere.2",
    hint="Take the probabilities of the melanomas alone. If 0.9 of them lie at or above the "
    "threshold, what share lies below? np.quantile takes such a share; look at its `method`.",
    blank=lambda few, share: ...,
    right=_local_threshold,
    wrong=[
        (lambda few, share: _local_threshold(few, 1 - share), "of the melanomas only"),
        (_of(lambda few: few["melanoma"] >= 0), "melanomas alone"),
        (_of(lambda few: few["melanoma"] == 0), "melanomas alone"),
        (_of(_melanomas, method="linear"), "between two"),
        (_of(_melanomas, share=0.9), "another share"),
        (lambda few, share: few.loc[few["melanoma"] == 1, "probability"].min(), "A higher one"),
        (lambda few, share: few.loc[few["melanoma"] == 1, "probability"] >= 0.1, "one number"),
        (lambda few, share: None, "return"),
    ],
)
def _is_local(answer):
    for seed, share in ((0, 0.9), (1, 0.9), (1, 0.8)):
        few = _few(seed)
        scores = few.loc[few["melanoma"] == 1, "probability"]
        limit, right = number(answer(few.copy(), share)), _local_threshold(few, share)
        sensitivity = (scores >= limit).mean()
        if near(limit, right, 1e-9):
            continue
        if share == 0.8:
            raise Hint("For another share it is wrong: use the one that it is given.")
        if near(limit, np.quantile(scores, 1 - share), 1e-9):
            raise Hint(
                f"It finds {sensitivity:.3f} of the melanomas, less than {share}: np.quantile took "
                "a value between two of them. Its `method` chooses the lower one."
            )
        for rows in (few["melanoma"] >= 0, few["melanoma"] == 0):
            if near(limit, np.quantile(few.loc[rows, "probability"], 1 - share, method="lower")):
                raise Hint("Take the probabilities of the melanomas alone.")
        if sensitivity < share:
            raise Hint(
                f"It finds {sensitivity:.2f} of the melanomas only, where {share} are asked."
            )
        raise Hint(
            f"It finds {sensitivity:.2f} of the melanomas. A higher one still finds {share}."
        )
    return "It finds enough of these melanomas. New ones may lie elsewhere."


def _needed(s, half):
    return int(np.ceil(1.96**2 * s * (1 - s) / half**2))


@exercise(
    "elsewhere.3",
    hint="Half of the interval is 1.96 times a root. Square both sides of half = 1.96 * root, and "
    "solve for n. np.ceil rounds up.",
    blank=lambda s, half: ...,
    right=_needed,
    wrong=[
        (lambda s, half: 1.96**2 * s * (1 - s) / half**2, "whole number"),
        (lambda s, half: int(1.96**2 * s * (1 - s) / half**2), "round up"),
        (lambda s, half: int(np.ceil(s * (1 - s) / half**2)), "1.96"),
        (lambda s, half: int(np.ceil(1.96 * s * (1 - s) / half**2)), "1.96"),
        (lambda s, half: int(np.ceil(1.96**2 * s * (1 - s) / half)), "half * half"),
        (lambda s, half: _needed(s, half / 2), "on either side"),
        (lambda s, half: int(np.ceil(1.96**2 * s / half**2)), "1 - s"),
        (lambda s, half: 139, "another"),
        (lambda s, half: None, "return"),
    ],
)
def _melanomas_suffice(answer):
    found, right = number(answer(0.9, 0.05)), _needed(0.9, 0.05)
    if found != int(found):
        raise Hint("Melanomas are a whole number: round up.")
    if found == right - 1:
        raise Hint("With one melanoma less the interval is too wide: round up.")
    refuse(
        found,
        {
            "Where is the 1.96 of the formula, and its square?": np.ceil(0.09 / 0.0025),
            "Squared, the formula has 1.96 twice.": np.ceil(1.96 * 0.09 / 0.0025),
            "Squared, the formula has half * half.": np.ceil(1.96**2 * 0.09 / 0.05),
            "`half` lies on either side of s, so the whole interval is twice as wide.": (
                _needed(0.9, 0.025)
            ),
            "Under the root stands s * (1 - s).": np.ceil(1.96**2 * 0.9 / 0.0025),
        },
        0.5,
    )
    if found != right:
        raise Hint(f"{found:,.0f} is not right: put it into the formula, and see what interval.")
    if any(number(answer(s, half)) != _needed(s, half) for s, half in ((0.5, 0.1), (0.8, 0.02))):
        raise Hint("For another sensitivity or width it is wrong: use s and half.")
    return f"{right}. Half the width needs four times as many."
