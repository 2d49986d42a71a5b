"""Exercises of the lesson intervals."""

import numpy as np
import pandas as pd

from utils.evaluation import Estimate, difference, roc_auc
from utils.exercises.registry import (
    Hint,
    answered,
    check_word,
    exercise,
    near,
    number,
    parts,
    refuse,
)


def _images(n=60):
    """Scores of images, up to four a lesion: DataFrame."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(n), rng.integers(1, 5, n))
    names = [f"HAM_{g:07}" for g in group]
    scores = {"melanoma": group % 4 == 0, "nine": rng.random(len(group))}
    return pd.DataFrame({"group": names} | scores)


def _draw_lesions(scores, rng):
    lesions = scores[["group"]].drop_duplicates()
    return lesions.sample(frac=1, replace=True, random_state=rng).merge(scores, on="group")


def _once(scores, rng):
    lesions = scores[["group"]].drop_duplicates()
    drawn = lesions.sample(frac=1, replace=True, random_state=rng)
    return scores[scores["group"].isin(drawn["group"])]


def _shuffled(scores, rng):
    lesions = scores[["group"]].drop_duplicates()
    return lesions.sample(frac=1, random_state=rng).merge(scores, on="group")


def _same(scores, rng):
    return _draw_lesions(scores, 0)


def _too_many(scores, rng):
    drawn = scores[["group"]].sample(frac=1, replace=True, random_state=rng)
    return drawn.merge(scores, on="group")


@exercise(
    "intervals.1",
    hint="First make a table of the lesions, one row each, and draw from that. Which method of a "
    "DataFrame joins it with another table, row by row, on a common column?",
    blank=lambda scores, rng: ...,
    right=_draw_lesions,
    wrong=[
        (lambda scores, rng: scores.sample(frac=1, replace=True, random_state=rng), "torn apart"),
        (_once, "drawn twice"),
        (_shuffled, "with replacement"),
        (_same, "Every call"),
        (_too_many, "as many lesions"),
        (lambda scores, rng: _draw_lesions(scores, rng)["nine"], "DataFrame"),
        (lambda scores, rng: _draw_lesions(scores, rng)[["group"]], "all columns"),
        (lambda scores, rng: None, "return"),
    ],
)
def _whole_lesions(answer):
    scores, rng = _images(), np.random.default_rng(1)
    drawn = [answered(answer(scores.copy(), rng)) for _ in range(3)]
    for found in drawn:
        if not isinstance(found, pd.DataFrame):
            raise Hint(f"Return a DataFrame, not {type(found).__name__}.")
        if missing := set(scores) - set(found):
            raise Hint(f"Return all columns of scores: {min(missing)} is missing.")
    sizes = scores["group"].value_counts()
    for found in drawn:
        times = found["group"].value_counts() / sizes
        if (times.dropna() % 1 != 0).any():
            raise Hint("Some lesions are torn apart: draw lesions, then take all their images.")
    times = drawn[0]["group"].value_counts() / sizes
    if times.isna().sum() == 0 and times.max() == 1:
        raise Hint("Every lesion is there once: draw with replacement.")
    if all((found["group"].value_counts() / sizes).max() == 1 for found in drawn):
        raise Hint("A lesion that is drawn twice must come with its images twice.")
    if times.sum() != len(sizes):
        raise Hint(f"Draw as many lesions as there are: {len(sizes)} here, not {times.sum():.0f}.")
    if drawn[0].equals(drawn[1]):
        raise Hint("Every call draws the same lesions: give rng to sample as random_state.")
    return "Whole lesions, with replacement, and a lesion drawn twice counts twice."


def _tests(n=4000):
    rng = np.random.default_rng(0)
    tests = pd.DataFrame(rng.binomial(200, 0.8, (n, 2)) / 200, columns=["first", "second"])
    half = 1.96 * np.sqrt(tests["first"] * (1 - tests["first"]) / 200)
    return tests.assign(low=tests["first"] - half, high=tests["first"] + half)


def _inside(tests, column="second"):
    return float(tests[column].between(tests["low"], tests["high"]).mean())


def _count(tests):
    return int(tests["second"].between(tests["low"], tests["high"]).sum())


@exercise(
    "intervals.2",
    hint="Compare the columns row by row: each first test has its own low and high. A Series has a "
    "method between.",
    given={"tests": _tests()},
    solution=_inside,
    wrong=[
        (0.95, "true 0.80"),
        (1 - _inside(_tests()), "outside"),
        (_count(_tests()), "divide"),
        (_inside(_tests(), "first"), "its own interval"),
        (0.5, "row by row"),
    ],
)
def _replications(answer, tests):
    answer, share = number(answer), _inside(tests)
    truth = float(((tests["low"] <= 0.8) & (tests["high"] >= 0.8)).mean())
    if answer > 1:
        raise Hint("That is a number of tests: divide by how many there are.")
    if near(answer, share, 0.003):
        return (
            f"{share:.2f}: a second test misses the interval in one case of six. (Cumming and "
            "Maillardet computed 0.83 for any score of this kind.)"
        )
    refuse(
        answer,
        {
            "That many intervals hold the true 0.80. Where does the second test fall?": truth,
            "That is the share outside the interval.": 1 - share,
            "Every first test lies in its own interval. Take the second one.": 1.0,
        },
        0.015,
    )
    raise Hint("Not that share. Compare second with low and high, row by row, and take the mean.")


def _scored(n=300):
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(n // 2), 2)
    melanoma = (group % 4 == 0).astype(int)
    nine = np.clip(0.3 + 0.15 * melanoma + 0.2 * rng.normal(size=n), 0, 1)
    return pd.DataFrame({"group": group.astype(str), "melanoma": melanoma, "nine": nine})


def _gain(scores, other):
    return difference(roc_auc, scores["melanoma"], other, scores["nine"], scores["group"])


def _cases_of_models():
    scores = _scored()
    noise = np.random.default_rng(3).normal(size=len(scores))
    nine, other = scores["nine"].to_numpy(), np.clip(scores["nine"].to_numpy() + 0.1 * noise, 0, 1)
    gain = _gain(scores, other)
    turned = Estimate(-gain.value, -gain.high, -gain.low)
    return {
        "given": {"scores": scores},
        "right": (other, gain, "inconclusive"),
        "wrong": [
            ((other, gain, "shown"), "Look where zero lies"),
            ((other, gain, "equal"), "One of two words"),
            ((other, gain.value, "inconclusive"), "no interval"),
            ((other, turned, "inconclusive"), "other minus"),
            ((other, Estimate(0.2, 0.1, 0.3), "shown"), "is not the difference"),
            ((nine, Estimate(0, 0, 0), "inconclusive"), "trees themselves"),
            (((other > 0.4).astype(int), gain, "shown"), "only answers"),
            ((1 - other, gain, "shown"), "other column"),
            ((other[:50], gain, "shown"), "one score for each"),
            (("logistic", gain, "shown"), "numbers"),
            ((gain, "shown"), "three things"),
        ],
    }


@exercise(
    "intervals.3",
    hint="fit and predict_proba work for every classifier as they do for the trees. "
    "evaluation.difference was called just above. Is zero a possible value of the difference?",
    cases=_cases_of_models,
)
def _other_model(answer, scores):
    other, gain, word = parts(answer, 3, "Give three things: (other, other_gain, word).")
    try:
        other = np.asarray(other, float)
    except (TypeError, ValueError):
        raise Hint("other holds scores: numbers, one for each row of x_many.") from None
    if other.shape != (len(scores),):
        raise Hint(f"other needs one score for each of the {len(scores):,} rows of x_many.")
    if np.allclose(other, scores["nine"]):
        raise Hint("These are the scores of the trees themselves. Train another model.")
    if len(np.unique(other)) < 3:
        raise Hint("These are only answers, 0 and 1. predict_proba gives scores.")
    if roc_auc(scores["melanoma"], other) < 0.5:
        raise Hint("It scores melanomas lower. Take the other column of predict_proba.")
    if not isinstance(gain, Estimate):
        raise Hint("That gain has no interval. evaluation.difference gives both.")
    expected = _gain(scores, other)
    if near(gain.value, -expected.value, 0.0005) and abs(expected.value) > 0.0005:
        raise Hint("Take other minus the trees: the first scores are those of the new model.")
    if not near(gain.value, expected.value, 0.0005):
        raise Hint(f"{gain.value:+.3f} is not the difference of these two AUCs on all the images.")
    check_word(word, gain)
    return f"{gain:+.3f}. Whatever it says, it took the same images to say it."
