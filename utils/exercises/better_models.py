"""Exercises of the lesson better_models."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.stats import norm

from utils import evaluation
from utils.evaluation import Estimate
from utils.exercises.registry import Hint, answered, exercise, parts, refuse_array
from utils.quiet import keras


def _random_layers(model):
    """Layers of augmentation in a model, and in models inside it."""
    found = []
    for layer in model.layers:
        inside = _random_layers(layer) if hasattr(layer, "layers") else []
        found += inside or [layer] * type(layer).__name__.startswith("Random")
    return found


def _answer(model, images):
    return np.ravel(model.predict(images, batch_size=200, verbose=0))


def _cases_of_augmentation():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 4 // 3
    images = rng.integers(0, 256, (40, 8, 8, 3)).astype("uint8")
    table = pd.DataFrame({"group": np.arange(40)})
    lesions = SimpleNamespace(images=images, melanoma=y, table=table)
    before = rng.uniform(size=40)

    def model(*first, trained=True):
        keras.utils.set_random_seed(0)
        made = keras.Sequential([keras.Input((8, 8, 3)), *first, keras.layers.Flatten()])
        made.add(keras.layers.Dense(1, activation="sigmoid"))
        made.compile("sgd", "binary_crossentropy")
        if trained:
            made.fit(images / 255, y, verbose=0)
        return made

    def gain(of, other=before):
        groups = table["group"]
        return evaluation.difference(evaluation.roc_auc, y, _answer(of, images), other, groups)

    flip, zoom = keras.layers.RandomFlip(seed=0), keras.layers.RandomZoom(0.1, seed=0)
    good = model(flip, zoom)
    found = gain(good)
    back = Estimate(-found.value, -found.high, -found.low)
    return {
        "given": {"before": before, "lesions": lesions},
        "blank": (..., ...),
        "right": (good, found),
        "wrong": [
            ((good, found, "shown"), "Two things"),
            (("model", found), "a Keras model"),
            ((model(flip), found), "one layer of augmentation"),
            ((model(), found), "no layer of augmentation"),
            ((model(flip, zoom, trained=False), found), "has not been trained"),
            ((good, found.value), "with its interval"),
            ((good, back), "other way round"),
            ((good, gain(good, np.roll(before, 1))), "minus the model with flips"),
        ],
    }


@exercise(
    "better_models.1",
    hint="Make both layers anew and hand them over in one list. The rest is as for the flips; "
    "think of what is subtracted.",
    cases=_cases_of_augmentation,
)
def _one_more_layer(answer, before, lesions):
    model, gain = parts(answer, 2, "Two things: the model and the gain.")
    if not isinstance(model, keras.Model):
        raise Hint(f"The first is a Keras model, not {type(model).__name__}.")
    random = _random_layers(model)
    if not random:
        raise Hint("Your model has no layer of augmentation: hand them to `network` in a list.")
    if len(random) == 1:
        raise Hint("Your model has one layer of augmentation: keep the flips, and add another.")
    if not getattr(model, "optimizer", None) or not int(model.optimizer.iterations):
        raise Hint("Your model has not been trained: call `fit` with it.")
    if not isinstance(gain, Estimate):
        raise Hint("The gain comes with its interval, from `evaluation.difference`.")
    mine, y, groups = _answer(model, lesions.images), lesions.melanoma, lesions.table["group"]
    wanted = evaluation.difference(evaluation.roc_auc, y, mine, before, groups)
    ends = [np.array([e.value, e.low, e.high]) for e in (gain, wanted)]
    if np.allclose(ends[0], -ends[1][[0, 2, 1]], atol=1e-3):
        raise Hint("That is the other way round: the new model minus the old one.")
    if not np.allclose(*ends, atol=1e-3):
        raise Hint("It should be your model minus the model with flips alone, on validation.")
    word = "shown" if wanted.low > 0 or wanted.high < 0 else "inconclusive"
    names = " and ".join(type(layer).__name__ for layer in random)
    return f"{names}: {wanted:+.2f} on flips alone, which is {word}."


def _strict(factor):
    return lambda value, low, n: value - factor(n) * (value - low)


def _bonferroni(n):
    return norm.ppf(1 - 0.025 / n) / norm.ppf(0.975)


@exercise(
    "better_models.2",
    hint="Each of n comparisons gets a smaller risk. How many times longer does that make the way "
    "from value down to low? Start at value, and go so far.",
    blank=lambda value, low, n: ...,
    right=_strict(_bonferroni),
    wrong=[
        (_strict(lambda n: n), "n times"),
        (_strict(np.sqrt), "square root"),
        (_strict(lambda n: norm.ppf(1 - 0.05 / n) / norm.ppf(0.975)), "two sides"),
        (_strict(lambda n: norm.ppf(1 - 0.025 / n)), "With one comparison"),
        (_strict(lambda n: 1), "does not depend on n"),
        (lambda value, low, n: low - _bonferroni(n) * (value - low), "Start at the value"),
        (lambda value, low, n: value + _bonferroni(n) * (value - low), "lower end"),
        (lambda value, low, n: None, "return"),
    ],
)
def _strict_low(answer):
    value, low = pd.Series([0.04, 0.01, -0.02]), pd.Series([0.02, 0.004, -0.05])
    found = {}
    for n in (1, 2, 10):
        found[n] = np.asarray(answered(answer(value.copy(), low.copy(), n)), float)
        if found[n].shape != (3,):
            raise Hint("Give one number for each row: compute with the columns as they are.")
    half = (value - low).to_numpy()
    typical = {
        "It does not become n times as wide: its ends are quantiles of a normal.": n * half,
        "Not the square root of n: take quantiles of the normal distribution.": n**0.5 * half,
        "The error has two sides: half of each share lies below.": (
            norm.ppf(1 - 0.05 / n) / norm.ppf(0.975) * half
        ),
        "It does not depend on n.": half,
        "That is above the value: the lower end lies below it.": -_bonferroni(n) * half,
    }
    refuse_array(found[10], [(words, value - wide) for words, wide in typical.items()], 1e-6)
    if np.allclose(found[10], low - _bonferroni(10) * half):
        raise Hint("Start at the value, not at the lower end.")
    if not np.allclose(found[1], low):
        raise Hint("With one comparison the lower end should stay where it is: `low`.")
    if not all(np.allclose(found[n], value - _bonferroni(n) * half) for n in found):
        raise Hint("value - wider * (value - low), with `wider` a quotient of two reaches.")
    return f"For ten comparisons each interval is {_bonferroni(10):.2f} times as wide."


AUCS = pd.Series([0.80, 0.84, 0.79, 0.83, 0.88, 0.88, 0.90], list("abcdefg"))


@exercise(
    "better_models.3",
    hint="Which method of a column gives the highest value so far? Mind that a step itself does "
    "not count as before.",
    blank=lambda auc: ...,
    right=lambda auc: auc - auc.cummax().shift(),
    wrong=[
        (lambda auc: auc.diff(), "the step just before"),
        (lambda auc: auc - auc.cummax(), "itself"),
        (lambda auc: auc - auc.max(), "of all steps"),
        (lambda auc: auc.cummax().shift() - auc, "other way"),
        (lambda auc: auc - auc.shift().max(), "later"),
        (lambda auc: auc - auc.iloc[0], "the first step"),
        (lambda auc: auc.cummax().shift(), "Subtract"),
        (lambda auc: (auc - auc.cummax().shift()).max(), "a column"),
        (lambda auc: None, "return"),
    ],
)
def _over_best(answer):
    found = answered(answer(AUCS.copy()))
    if np.shape(found) != AUCS.shape:
        raise Hint("Return a column: one number for each step.")
    found, best = np.asarray(found, float)[1:], AUCS.cummax().shift()
    typical = {
        "That is the difference to the step just before: take the best of all before.": AUCS.diff(),
        "A step is compared with itself too: shift the best down by one row.": AUCS - AUCS.cummax(),
        "That is the best of all steps: only those before count.": AUCS - AUCS.max(),
        "The other way round: the step minus the best before.": best - AUCS,
        "A step may not be compared with later ones.": AUCS - AUCS.shift().max(),
        "That is the difference to the first step.": AUCS - AUCS.iloc[0],
        "That is the best before: Subtract it from each AUC.": best,
    }
    refuse_array(found, [(words, wrong.to_numpy()[1:]) for words, wrong in typical.items()])
    if not np.allclose(found, (AUCS - best).to_numpy()[1:]):
        raise Hint("For the second step it is its AUC minus that of the first, and so on.")
    return "The first step has none before it: NaN."
