"""The recipe of the shipped model, trained with several seeds, and with HAM10k-Mini's 600 images
alone: how much a seed, more views and more images change."""

import time

import numpy as np
from scipy.special import expit

from experiments import common, shipped_model
from utils import evaluation, models
from utils.quiet import keras

EIGHT, CORNERS = slice(0, 8), slice(8, 40)  # rows of what ``answers`` returns


def run():
    """Train where needed, predict, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``common.lesions``.
    ConnectionError
        If ImageNet's weights cannot be had.
    """
    started, asked, used = time.monotonic(), common.parameters("recipe"), common.parameters("train")
    lesions = common.lesions(used["source_size"])
    logits = common.in_parallel(answers, [(seed, False) for seed in asked["seeds"]])
    of_600 = common.in_parallel(answers, [(seed, True) for seed in asked["mini_seeds"]])
    test = lesions.subset("test")
    ways = {
        "single": [expit(seed["test"][0]) for seed in logits],
        "eight views": [expit(seed["test"][EIGHT].mean(0)) for seed in logits],
        "corner views": [expit(seed["test"][CORNERS].mean(0)) for seed in logits],
        "ensemble": [expit(np.mean([s["test"][CORNERS].mean(0) for s in logits], axis=0))],
    }
    y, groups = test.melanoma, test.table["group"]
    findings = {
        "seeds": asked["seeds"],
        "ways": {name: evaluation.ranking(y, several, groups) for name, several in ways.items()},
        "mini_600": from_600(mini_of(lesions), of_600),
    }
    common.commit("recipe", findings, lesions, used, started)


def answers(seed, mini):
    """One training by the recipe, and its melanoma log-odds for validation and test set.

    Parameters
    ----------
    seed : int
    mini : bool
        Whether with HAM10k-Mini's images alone.

    Returns
    -------
    dict of str to ndarray of float, shape (40, n)
        Rows ``EIGHT`` are the symmetric views of the whole image, rows ``CORNERS`` the corners'.
    """
    recipe = common.parameters("train")
    lesions = common.lesions(recipe["source_size"])
    if mini:
        lesions = mini_of(lesions)
    asked = [lesions.subset(name) for name in ("validation", "test")]

    def make(_):
        train = lesions.subset("train")
        network = shipped_model.train_recipe(recipe, seed, train.images, train.diagnosis)
        pixels = keras.Input((None, None, 3))
        x = keras.layers.Resizing(recipe["size"], recipe["size"])(pixels)
        any_size = keras.Model(pixels, models.melanoma_logit(network(x)))
        images = np.concatenate([one.images for one in asked])
        return np.array(
            [
                any_size.predict(view, batch_size=128, verbose=0)[:, 0]
                for views in (models.symmetric_views, models.corner_views)
                for view in views(images)
            ]
        )

    name = f"{'600' if mini else 'all'} images, seed {seed}"
    found = common.kept(__name__, name, [recipe, seed, mini], make)
    validation, test = np.split(found, [len(asked[0])], axis=1)
    auc = evaluation.roc_auc(asked[0].melanoma, expit(validation[CORNERS].mean(0)))
    print(f"{name}: validation AUC {auc:.3f}", flush=True)
    return {"validation": validation, "test": test}


def mini_of(lesions):
    """HAM10k-Mini's images of the full split."""
    return lesions.take(np.flatnonzero(shipped_model.in_mini(lesions.table)))


def from_600(mini, logits):
    """The same recipe with HAM10k-Mini's 600 images alone, judged on Mini's test set.

    Parameters
    ----------
    mini : utils.data.Lesions
    logits : list of dict
        Of each seed, as ``answers`` returns them.

    Returns
    -------
    dict of str to Estimate
        As ``evaluation.evaluate_seeds``; each training's threshold is chosen on Mini's
        validation set.
    """
    y, test = mini.subset("validation").melanoma, mini.subset("test")
    probabilities, thresholds = [], []
    for seed in logits:
        p = {name: expit(views[CORNERS].mean(0)) for name, views in seed.items()}
        probabilities.append(p["test"])
        thresholds.append(evaluation.choose_threshold(y, p["validation"]))
    groups = test.table["group"]
    return evaluation.evaluate_seeds(test.melanoma, probabilities, groups, thresholds)
