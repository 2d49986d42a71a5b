"""Exercises of the lesson confidence."""

import numpy as np
import pandas as pd

from utils.exercises.registry import Hint, answered, exercise, near, number, refuse


def _threshold(p, load):
    return np.quantile(p, 1 - load)


@exercise(
    "confidence.1",
    hint="The share `load` of the lesions has a probability above it. So which share lies below? "
    "NumPy has a function for the value below which a share of an array lies.",
    blank=lambda p, load: ...,
    right=_threshold,
    wrong=[
        (lambda p, load: np.quantile(p, load), "below it"),
        (lambda p, load: load, "share of the lesions"),
        (lambda p, load: 1 - load, "share of the lesions"),
        (lambda p, load: p >= np.quantile(p, 1 - load), "one number"),
        (lambda p, load: np.quantile(p, 0.7), "another load"),
        (lambda p, load: p.mean(), "calls"),
        (lambda p, load: None, "return"),
    ],
)
def _same_load(answer):
    p = np.random.default_rng(3).beta(1, 4, 200)
    found = number(answer(p.copy(), 0.3))
    refuse(
        found,
        {
            "That share of the lesions lies below it: they should lie above.": np.quantile(p, 0.3),
            "The load is a share of the lesions, not a probability: look at `p`.": 0.3,
            "1 - load is a share of the lesions, not a probability: look at `p`.": 0.7,
        },
        1e-9,
    )
    for load in (0.3, 0.1):
        called = np.mean(p >= number(answer(p.copy(), load)))
        if not near(called, load, 0.0051):
            other = "" if load == 0.3 else " For another load it is wrong."
            raise Hint(f"At a load of {load} it calls {called:.0%} of the lesions melanoma.{other}")
    return "At a load of 0.3 it sends 60 of 200 lesions to the doctor."


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
        (lambda s, level: np.sort(s)[int(np.ceil((len(s) + 1) * level)) - 1], "no 6th"),
        (lambda s, level: np.sort(s)[min(int(np.ceil((len(s) + 1) * level)), len(s)) - 1], "few"),
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
    few = (
        "Of 5 scores at a level of 0.9 the rank is 6, and there is no 6th: so few scores cannot "
        "promise it. Return `np.inf`, which no score exceeds."
    )
    try:
        found = number(answer(scores[:5], 0.9))
    except IndexError:
        raise Hint(few) from None
    if found != np.inf:
        raise Hint(few)
    return "Of 21 scores at a level of 0.9 it is the 20th, and 5 scores promise nothing."


def _by_class(calibration, new, limit=None):
    limit = _limit(calibration["score"], 0.9) if limit is None else limit
    return (new["score"] <= limit).groupby(new["melanoma"]).mean()


def _scores(seed, n=400):
    """Scores of a model that is worse for the rare class."""
    rng = np.random.default_rng(seed)
    melanoma = (rng.random(n) < 0.15).astype(int)
    p = np.where(melanoma == 1, rng.beta(2, 2, n), rng.beta(1, 6, n))
    score = np.where(melanoma == 1, 1 - p, p)
    return pd.DataFrame({"melanoma": melanoma, "p": p, "score": score})


def _own_limits(calibration, new):
    found = {}
    for kind, of_kind in new.groupby("melanoma"):
        own = _limit(calibration.loc[calibration["melanoma"] == kind, "score"], 0.9)
        found[kind] = (of_kind["score"] <= own).mean()
    return pd.Series(found)


@exercise(
    "confidence.3",
    hint="Two steps: one limit from all scores of the calibration lesions, then compare the new "
    "scores with it. The mean of True and False is a share, also inside each group.",
    blank=lambda calibration, new: ...,
    right=_by_class,
    wrong=[
        (lambda calibration, new: 1 - _by_class(calibration, new), "above the limit"),
        (_own_limits, "one limit from all"),
        (lambda calibration, new: _by_class(new, calibration), "the other way round"),
        (lambda calibration, new: _by_class(new, new), "the limit from `new`"),
        (lambda calibration, new: _by_class(calibration, new, 0.9), "level, not the limit"),
        (
            lambda calibration, new: (new["score"] <= _limit(calibration["score"], 0.9)).mean(),
            "for each value of `melanoma`",
        ),
        (
            lambda calibration, new: (
                (new["score"] <= _limit(calibration["score"], 0.9)).groupby(new["melanoma"]).sum()
            ),
            "shares, not counts",
        ),
        (lambda calibration, new: pd.Series({0: 0.9, 1: 0.9}), "Not the shares"),
        (lambda calibration, new: None, "return"),
    ],
)
def _who_is_covered(answer):
    calibration, new = _scores(1), _scores(2)
    found = answered(answer(calibration.copy(), new.copy()))
    if not isinstance(found, pd.Series) or sorted(found.index) != [0, 1]:
        raise Hint("Return a Series with one share for each value of `melanoma`, 0 and 1.")
    found, right = found.sort_index(), _by_class(calibration, new)
    if found.max() > 1:
        raise Hint("These should be shares, not counts.")
    typical = {
        "Those are the shares above the limit: covered is what lies at or below it.": 1 - right,
        "You made a limit for each class. Here, take one limit from all scores.": (
            _own_limits(calibration, new)
        ),
        "It is the other way round: the limit from `calibration`, the shares of `new`.": (
            _by_class(new, calibration)
        ),
        "You took the limit from `new`: the lesions that it judges must not set it.": (
            _by_class(new, new)
        ),
        "0.9 is the level, not the limit: `conformal_limit` gives the limit.": (
            _by_class(calibration, new, 0.9)
        ),
    }
    for hint, wrong in typical.items():
        if np.allclose(found, wrong, atol=1e-6):
            raise Hint(hint)
    if not np.allclose(found, right, atol=1e-6):
        raise Hint("Not the shares of `new` at or below the limit from all of `calibration`.")
    return f"The limit covers {right[0]:.0%} of the others and {right[1]:.0%} of the melanomas."
