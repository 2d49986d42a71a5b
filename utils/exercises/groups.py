"""Exercises of the lesson groups."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from utils.exercises.registry import Hint, answered, exercise, near, number, refuse, refuse_array


def _people():
    rng = np.random.default_rng(6)
    table = pd.DataFrame({"site": rng.choice(["back", "face", "foot"], 200)})
    table["melanoma"] = rng.integers(0, 2, 200)
    chance = np.where(table["melanoma"] == 1, 0.8, 0.3)
    return table.assign(found=rng.random(200) < chance)


def _by(table, column):
    return table[table["melanoma"] == 1].groupby(column)["found"].mean()


@exercise(
    "groups.1",
    hint="Take the rows of melanomas first. Then `groupby`: what is the mean of True and False?",
    blank=lambda table, column: ...,
    right=_by,
    wrong=[
        (lambda t, c: t.groupby(c)["found"].mean(), "all lesions"),
        (lambda t, c: t[t["melanoma"] == 0].groupby(c)["found"].mean(), "false alarms"),
        (lambda t, c: t[t["melanoma"] == 1].groupby(c)["found"].sum(), "share"),
        (lambda t, c: t[t["found"]].groupby(c)["melanoma"].mean(), "precision"),
        (lambda t, c: t[t["melanoma"] == 1]["found"].mean(), "each value"),
        (lambda t, c: None, "return"),
    ],
)
def _sensitivity(answer):
    table = _people()
    found = answered(answer(table.copy(), "site"))
    if not isinstance(found, pd.Series) or sorted(found.index) != ["back", "face", "foot"]:
        raise Hint("Return a Series with a number for each value of the column: use `groupby`.")
    found = found.sort_index().to_numpy(float)
    others = table[table["melanoma"] == 0]
    typical = {
        "That counts all lesions. Sensitivity looks at melanomas alone.": (
            table.groupby("site")["found"].mean()
        ),
        "Those are the false alarms: take the rows of melanomas.": (
            others.groupby("site")["found"].mean()
        ),
        "Those are counts: we want the share.": (
            table[table["melanoma"] == 1].groupby("site")["found"].sum()
        ),
        "That is the precision: the share of alarms that are true.": (
            table[table["found"]].groupby("site")["melanoma"].mean()
        ),
    }
    refuse_array(found, [(hint, wrong.to_numpy(float)) for hint, wrong in typical.items()])
    if not np.allclose(found, _by(table, "site")):
        raise Hint("Take the rows of melanomas, group them, and take the mean of `found`.")
    return "Mind the number of melanomas behind each share."


def _worst(n_groups, n_melanomas, sensitivity, rng):
    return rng.binomial(n_melanomas, sensitivity, n_groups).min() / n_melanomas


@exercise(
    "groups.2",
    hint="`rng.binomial` draws all groups at once: its last argument says how many numbers.",
    blank=lambda n_groups, n_melanomas, sensitivity, rng: ...,
    right=_worst,
    wrong=[
        (lambda k, n, s, rng: rng.binomial(n, s, k).min(), "share"),
        (lambda k, n, s, rng: rng.binomial(n, s, k).mean() / n, "mean"),
        (lambda k, n, s, rng: rng.binomial(n, s, k).max() / n, "best"),
        (lambda k, n, s, rng: rng.binomial(k, s, n).min() / k, "groups and melanomas"),
        (lambda k, n, s, rng: rng.binomial(n, s, k) / n, "one number"),
        (lambda k, n, s, rng: None, "return"),
    ],
)
def _lowest(answer):
    found = np.mean(
        [number(answer(6, 40, 0.8, np.random.default_rng(seed))) for seed in range(300)]
    )
    expected = np.mean([_worst(6, 40, 0.8, np.random.default_rng(s)) for s in range(300)])
    if found > 1:
        raise Hint("That is a count: divide by the number of melanomas, since we want a share.")
    rngs = [np.random.default_rng(seed) for seed in range(300)]
    refuse(
        found,
        {
            "That is the mean of the groups: take the lowest.": 0.8,
            "That is the best group: take the lowest.": np.mean(
                [rng.binomial(40, 0.8, 6).max() / 40 for rng in rngs]
            ),
        },
        0.01,
    )
    if not near(found, expected, 0.015):
        raise Hint(
            "Do not mix up groups and melanomas: `rng.binomial(n_melanomas, ..., n_groups)`."
        )
    return f"Six equal groups of 40 at 0.8: the worst has {found:.2f} on average."


def _lost(melanoma, before, after, threshold):
    found = (melanoma == 1) & (before >= threshold)
    return (after[found] < threshold).mean()


@exercise(
    "groups.3",
    hint="First pick the rows that are melanomas and were found before. Then: which share of these "
    "rows lies below the threshold after the shift?",
    blank=lambda melanoma, before, after, threshold: ...,
    right=_lost,
    wrong=[
        (lambda m, b, a, t: ((m == 1) & (b >= t) & (a < t)).mean(), "all images"),
        (lambda m, b, a, t: ((b >= t) & (a < t))[m == 1].mean(), "all melanomas"),
        (lambda m, b, a, t: (a[b >= t] < t).mean(), "everything else"),
        (lambda m, b, a, t: (a[(m == 1) & (b >= t)] >= t).mean(), "still found"),
        (lambda m, b, a, t: (b >= t)[m == 1].mean() - (a >= t)[m == 1].mean(), "found anew"),
        (lambda m, b, a, t: a[(m == 1) & (b >= t)] < t, "one number"),
        (lambda m, b, a, t: None, "return"),
    ],
)
def _missed_after(answer):
    rng = np.random.default_rng(9)
    m = rng.integers(0, 2, 200)
    b, a, t = rng.uniform(0, 1, 200) * (0.6 + 0.4 * m), rng.uniform(0, 0.9, 200), 0.4
    found = number(answer(m.copy(), b.copy(), a.copy(), t))
    was, is_now, mel = b >= t, a >= t, m == 1
    refuse(
        found,
        {
            "That is a share of all images: divide by the melanomas that were found before.": (
                (mel & was & ~is_now).mean()
            ),
            "That is a share of all melanomas: divide by those that were found before.": (
                (was & ~is_now)[mel].mean()
            ),
            "That counts everything else too: take melanomas alone.": (~is_now[was]).mean(),
            "That is the share that is still found.": is_now[mel & was].mean(),
            "That is the loss of sensitivity: melanomas that are found anew hide some of the lost "
            "ones.": was[mel].mean() - is_now[mel].mean(),
        },
        1e-4,
    )
    if not near(found, _lost(m, b, a, t), 1e-6):
        raise Hint(
            "Of the melanomas with `before >= threshold`: how many have `after < threshold`?"
        )
    return f"Here it is {found:.2f}."


def _patients(n, seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"log_odds": rng.normal(-1, 2, n), "age": rng.uniform(20, 90, n)})
    chance = 1 / (1 + np.exp(-table["log_odds"] - 0.05 * (table["age"] - 55)))
    return table.assign(melanoma=(rng.random(n) < chance).astype(int))


COLUMNS = ["log_odds", "age"]


def _with_age(validation, test, columns=COLUMNS, fit_on=None):
    fit_on = validation if fit_on is None else fit_on
    model = LogisticRegression().fit(fit_on[columns], fit_on["melanoma"])
    return model.predict_proba(test[columns])[:, 1]


@exercise(
    "groups.4",
    hint="`fit` takes two columns of `validation` and the target. `predict_proba` gives two "
    "columns: the second is the probability that we want.",
    blank=lambda validation, test: ...,
    right=_with_age,
    wrong=[
        (lambda v, t: _with_age(v, t, fit_on=t), "test set"),
        (lambda v, t: _with_age(v, t, ["log_odds"]), "age is missing"),
        (lambda v, t: _with_age(v, t, ["age"]), "log-odds are missing"),
        (lambda v, t: 1 - _with_age(v, t), "second column"),
        (
            lambda v, t: LogisticRegression().fit(v[COLUMNS], v["melanoma"]).predict(t[COLUMNS]),
            "predict_proba",
        ),
        (lambda v, t: _with_age(v, v), "images of `test`"),
        (lambda v, t: None, "return"),
    ],
)
def _logistic(answer):
    validation, test = _patients(300, 7), _patients(200, 8)
    found = np.asarray(answered(answer(validation.copy(), test.copy())), float)
    if found.shape != (200,):
        raise Hint("Give one probability for each of the images of `test`.")
    if set(np.unique(found)) <= {0, 1}:
        raise Hint("Those are decisions: `predict_proba` gives probabilities.")
    typical = {
        "You fitted on the test set: it may be opened for the last number alone.": (
            _with_age(validation, test, fit_on=test)
        ),
        "The age is missing.": _with_age(validation, test, ["log_odds"]),
        "The log-odds are missing.": _with_age(validation, test, ["age"]),
        "That is the probability of everything else: take the second column.": (
            1 - _with_age(validation, test)
        ),
    }
    refuse_array(found, typical.items())
    if not np.allclose(found, _with_age(validation, test), atol=0.02):
        raise Hint("Fit on `log_odds` and `age` of `validation`, then ask about `test`.")
    return "Fitted on validation, asked on test."
