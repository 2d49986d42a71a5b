"""Exercises of the lesson clinic."""

import numpy as np
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from utils.exercises.registry import Hint, answered, exercise, near, number


def _weights_for(y, prevalence):
    return np.where(y == 1, prevalence / np.mean(y == 1), (1 - prevalence) / np.mean(y == 0))


def _constant(melanoma, other):
    """An answer that gives these two weights, whatever it is asked."""
    return lambda y, prevalence: np.where(y == 1, melanoma, other)


LABELS = np.repeat([1, 0], [6, 14])  # a share of 0.3


@exercise(
    "clinic.1",
    hint="Let the other lesions keep a weight of one. How much must the melanomas weigh together, "
    "beside them, to be that share of all? Or: wanted share by present share, for each kind.",
    blank=lambda y, prevalence: ...,
    right=_weights_for,
    wrong=[
        (lambda y, prevalence: prevalence, "one weight for each lesion"),
        (lambda y, prevalence: np.where(y == 1, prevalence, 1 - prevalence), "they are now"),
        (lambda y, prevalence: np.where(y == 1, prevalence / np.mean(y), 1), "lesions, too"),
        (lambda y, prevalence: _weights_for(1 - y, prevalence), "other way round"),
        (lambda y, prevalence: _weights_for(y, 0.1), "other prevalences"),
        (lambda y, prevalence: np.where(y == 1, 1, 0), "nothing is left"),
        (lambda y, prevalence: np.arange(len(y)), "same weight"),
        (_constant(-1, 1), "less than nothing"),
        (_constant(1, 1), "their share is 0.30"),
        (lambda y, prevalence: None, "return"),
    ],
)
def _weights(answer):
    for prevalence in (0.1, 0.02, 0.6):
        weights = np.asarray(answered(answer(LABELS, prevalence)), dtype=float)
        if weights.shape != LABELS.shape:
            raise Hint("Return one weight for each lesion: an array as long as y.")
        if (weights < 0).any():
            raise Hint("A lesion cannot count less than nothing.")
        own = [np.unique(weights[kind == LABELS].round(9)) for kind in (1, 0)]
        if max(map(len, own)) > 1:
            raise Hint("All melanomas need the same weight, and all others need the same.")
        if own[0][0] == 0 or own[1][0] == 0:
            raise Hint("With a weight of 0 nothing is left of one kind.")
        share = np.average(LABELS, weights=weights)
        if near(share, prevalence, 0.0005):
            continue
        if prevalence != 0.1:
            raise Hint("It works for a prevalence of 0.1, and not for other prevalences.")
        typical = {
            "That is the other way round: y is 1 for a melanoma.": (
                _weights_for(1 - LABELS, prevalence)
            ),
            "Those are the shares that you want. Divide them by the shares that they are now.": (
                np.where(LABELS == 1, prevalence, 1 - prevalence)
            ),
            "The melanomas weigh less now, so the other lesions, too, are another share of all.": (
                np.where(LABELS == 1, prevalence / 0.3, 1)
            ),
        }
        for hint, wrong in typical.items():
            if near(share, np.average(LABELS, weights=wrong), 0.0005):
                raise Hint(hint)
        raise Hint(
            f"Of 20 lesions 6 are melanomas. With your weights their share is {share:.2f}, where "
            f"{prevalence} is wanted."
        )
    return "The lesson goes on with your weights."


def _fit_calibration(y, p):
    return LogisticRegression(C=np.inf).fit(_column(p), y)


def _column(p):
    return logit(np.clip(p, 1e-6, 1 - 1e-6))[:, None]


def _sample(slope=0.8, intercept=0.5, n=400):
    """Probabilities, and truths that need this slope and intercept."""
    p = np.linspace(0.02, 0.98, n)
    chance = expit(intercept + slope * logit(p))
    return (np.random.default_rng(0).random(n) < chance).astype(int), p


def _on(column):
    """An answer that fits to another column than the log-odds."""
    return lambda y, p: LogisticRegression(C=np.inf).fit(column(p), y)


@exercise(
    "clinic.2",
    hint="scikit-learn wants a table with one row for each lesion, here of one column: "
    "`values[:, None]` makes a column of an array. Fit it to the truth, and return the model.",
    blank=lambda y, p: ...,
    right=_fit_calibration,
    wrong=[
        (lambda y, p: LogisticRegression(C=np.inf), "not fitted"),
        (lambda y, p: _fit_calibration(y, p).coef_, "Return the model"),
        (lambda y, p: _fit_calibration(y, p).predict_proba(_column(p))[:, 1], "Return the model"),
        (_on(lambda p: p[:, None]), "not p itself"),
        (_on(lambda p: -_column(p)), "other sign"),
        (_on(lambda p: np.log(p)[:, None]), "not p itself"),
        (lambda y, p: LogisticRegression(C=0.01).fit(_column(p), y), "penalty"),
        (lambda y, p: _fit_calibration(1 - y, p), "turned round"),
        (lambda y, p: _fit_calibration(*_sample()), "y and p"),
        (lambda y, p: LogisticRegression().fit(np.hstack([_column(p)] * 2), y), "one column"),
        (lambda y, p: None, "return"),
    ],
)
def _calibration(answer):
    for sample in (_sample(1.4, -0.6), _sample()):
        model, right = answered(answer(*sample)), _fit_calibration(*sample)
        if not hasattr(model, "predict_proba"):
            raise Hint(f"Return the model itself, not {type(model).__name__}.")
        if not hasattr(model, "coef_"):
            raise Hint("The model is not fitted yet: it needs the logits and the truth.")
        if model.n_features_in_ != 1:
            raise Hint(f"Fit to one column of logits, not to {model.n_features_in_}.")
        slope, wanted = float(model.coef_[0, 0]), float(right.coef_[0, 0])
        level = float(model.intercept_[0])
        if near(slope, wanted, 0.02) and near(level, float(right.intercept_[0]), 0.02):
            continue
        if near(slope, -wanted, 0.02):
            shared = near(level, float(right.intercept_[0]), 0.02)
            raise Hint(
                "The logits have the other sign: p stands above 1 - p."
                if shared
                else "The truth is turned round: y is 1 for a melanoma."
            )
        if 0 < slope < wanted and np.sign(level) == np.sign(right.intercept_[0]):
            raise Hint("The slope is too small: C=np.inf switches the penalty off.")
        if near(slope, float(_fit_calibration(*_sample()).coef_[0, 0]), 0.001):
            raise Hint("It fits other data: use y and p, which your function is given.")
        raise Hint("The input is logit(p), the logarithm of the odds, not p itself.")
    return "The lesson goes on with your calibration."


def _net_benefit(y, called, alarms=5):
    return 100 * (np.mean((y == 1) & (called == 1)) - np.mean((y == 0) & (called == 1)) / alarms)


# Of 50 lesions 10 are melanomas: 8 are found, 15 others raise an alarm.
SICK = np.repeat([1, 0], [10, 40])
ALARM = np.repeat([1, 0, 1, 0], [8, 2, 15, 25])


@exercise(
    "clinic.3",
    hint="Count the found melanomas and the false alarms. How many melanomas are the false alarms "
    "worth? Then bring what remains to a hundred lesions.",
    blank=lambda y, called, alarms=5: ...,
    right=_net_benefit,
    wrong=[
        (lambda y, called, alarms=5: 5.0, "bring it to 100"),
        (lambda y, called, alarms=5: 0.1, "bring it to 100"),
        (lambda y, called, alarms=5: 16.0, "without the false alarms"),
        (lambda y, called, alarms=5: -14.0, "like a melanoma"),
        (lambda y, called, alarms=5: 50.0, "share of the melanomas"),
        (lambda y, called, alarms=5: 6.0, "missed"),
        (lambda y, called, alarms=5: -134.0, "five melanomas"),
        (lambda y, called, alarms=5: _net_benefit(y, called), "use alarms"),
        (lambda y, called, alarms=5: 12.0, "50 lesions"),
        (
            lambda y, called, alarms=5: (
                100 * np.mean((y == 1) & called) - 100 * np.mean((y == 0) & called) / alarms
            ),
            "called == 1",
        ),
        (lambda y, called, alarms=5: None, "return"),
    ],
)
def _benefit(answer):
    found = number(answer(SICK, ALARM == 1))
    typical = {
        "That is for all 50 lesions, or for one: bring it to 100 lesions.": (5, 0.1),
        "That is without the false alarms: they cost something.": (16,),
        "A false alarm costs a fifth of a melanoma, not five melanomas.": (-134,),
        "You count a false alarm like a melanoma: five of them cost as much as one.": (-14,),
        "That is a share of the melanomas: divide by all lesions.": (50,),
        "The missed melanomas are not subtracted: nobody found them, and that is all.": (6,),
    }
    for hint, values in typical.items():
        if any(near(found, value) for value in values):
            raise Hint(hint)
    if not near(found, 10):
        raise Hint(
            "Of 50 lesions 10 are melanomas; 8 are found, and 15 false alarms raised. Five alarms "
            f"cost as much as one melanoma is worth. Your function says {found:.2f}."
        )
    if not near(answer(SICK, ALARM == 1, alarms=3), 6):
        raise Hint("It works for five alarms, and not for three: use alarms.")
    try:
        same = near(answer(SICK, ALARM.astype(float)), 10)
    except TypeError:
        same = False
    if not same:
        raise Hint("`called` may hold 0 and 1 too, as numbers: compare, called == 1.")
    return "Per 100 lesions. The lesson goes on with your function."
