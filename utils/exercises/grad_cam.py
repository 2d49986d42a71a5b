"""Exercises of the lesson grad_cam."""

import numpy as np
import pandas as pd

from utils import artefacts
from utils.exercises.registry import Hint, answered, exercise, near, number, refuse, refuse_array


def _gradients(head, maps):
    import tensorflow as tf  # here: the other checks do without

    maps = tf.convert_to_tensor(maps)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logit = head(maps)
    return tape.gradient(logit, maps).numpy()


def _cam(head, maps):
    weights = _gradients(head, maps).mean(axis=(1, 2), keepdims=True)
    return np.maximum((weights * maps).sum(axis=-1), 0)


def _maps_and_head():
    """Maps of two images, and a head whose gradients differ between cells and images."""
    from utils.quiet import keras

    rng = np.random.default_rng(0)
    dense = keras.layers.Dense(1, activation="tanh")
    head = keras.Sequential([keras.Input((4, 4, 6)), keras.layers.Flatten(), dense])
    dense.set_weights([rng.normal(0, 0.1, (96, 1)), np.zeros(1)])
    return rng.normal(size=(2, 4, 4, 6)).astype(np.float32), head


def _cases_of_grad_cam():
    def from_weighted(finish):
        def answer(head, maps):
            weights = _gradients(head, maps).mean(axis=(1, 2), keepdims=True)
            return finish(weights * maps)

        return answer

    def from_gradients(finish):
        return lambda head, maps: finish(_gradients(head, maps), maps)

    return {
        "blank": lambda head, maps: ...,
        "wrong": [
            (from_weighted(lambda w: w.sum(axis=-1)), "negative"),
            (from_weighted(lambda w: np.maximum(w, 0)), "shape"),
            (from_weighted(lambda w: np.maximum(w, 0).sum(axis=-1)), "after the sum"),
            (from_gradients(lambda g, a: np.maximum((a * g).sum(axis=-1), 0)), "one number"),
            (from_gradients(lambda g, a: np.maximum(a.sum(axis=-1), 0)), "did not use"),
            (
                from_gradients(
                    lambda g, a: np.maximum((a * g.sum((1, 2), keepdims=True)).sum(-1), 0)
                ),
                "mean, not the sum",
            ),
            (
                from_gradients(lambda g, a: np.maximum((a * g.mean(axis=(0, 1, 2))).sum(-1), 0)),
                "own weights",
            ),
            (lambda head, maps: None, "return"),
        ],
    }


@exercise(
    "grad_cam.1",
    hint="Three steps: one weight for each map of each image (axes 1 and 2 are its cells), a "
    "weighted sum over the last axis, and then only what is positive. With keepdims=True the "
    "weights can be multiplied by the maps.",
    cases=_cases_of_grad_cam,
    solution=lambda: _cam,
)
def _grad_cam(answer):
    maps, head = _maps_and_head()
    found = np.asarray(answered(answer(head, maps.copy())), float)
    if found.shape != (2, 4, 4):
        raise Hint(
            "For two images with maps of 4 x 4 cells the heat maps have shape (2, 4, 4); yours "
            f"have shape {found.shape}."
        )
    gradients = _gradients(head, maps)
    weighted = maps * gradients.mean(axis=(1, 2), keepdims=True)
    summed = (maps * gradients.sum(axis=(1, 2), keepdims=True)).sum(axis=-1)
    shared = (maps * gradients.mean(axis=(0, 1, 2))).sum(axis=-1)
    typical = {
        "It holds negative values: keep only what speaks for melanoma.": weighted.sum(axis=-1),
        "A weight is one number for each map: the mean of its gradients over the cells.": (
            np.maximum((maps * gradients).sum(axis=-1), 0)
        ),
        "You did not use the gradients: they say which maps count.": (
            np.maximum(maps.sum(axis=-1), 0)
        ),
        "Cut the negative part after the sum: maps may speak against each other.": (
            np.maximum(weighted, 0).sum(axis=-1)
        ),
        "A weight is the mean, not the sum, of the gradients over the cells.": (
            np.maximum(summed, 0)
        ),
        "Each image has its own weights: leave the first axis out of the mean.": (
            np.maximum(shared, 0)
        ),
    }
    refuse_array(found, typical.items(), 1e-6)
    if not np.allclose(found, _cam(head, maps), atol=1e-6):
        raise Hint("The weights are the mean of the gradients over axes 1 and 2, the cells.")
    return "That is the whole method."


class _Darkness:
    """Stands for a network: the darker an image, the higher its probability."""

    def predict(self, images, **_):
        return 1 - np.asarray(images).mean(axis=(1, 2, 3))[:, None] / 255


def _moved(model, images):
    changed = artefacts.add("ruler", images)
    after, before = (model.predict(x, verbose=0)[:, 0] for x in (changed, images))
    return (after - before).mean()


@exercise(
    "grad_cam.2",
    hint="Predict twice: the images as they are, and the images with a ruler. Compare image by "
    "image.",
    blank=lambda model, images: ...,
    right=_moved,
    wrong=[
        (lambda model, images: -_moved(model, images), "minus before"),
        (lambda model, images: 0.0, "did not move"),
        (
            lambda model, images: model.predict(artefacts.add("ruler", images)).mean(),
            "with the ruler only",
        ),
        (lambda model, images: 1.0, "not the mean change"),
        (lambda model, images: None, "return"),
    ],
)
def _ruler_moves(answer):
    model = _Darkness()
    images = np.full((6, 48, 48, 3), 200, np.uint8)
    images[:, 20:28, 20:28] = 30
    found = number(answer(model, images.copy()))
    right = _moved(model, images)
    refuse(
        found,
        {
            "The sign: after minus before.": -right,
            "It did not move: did you predict the images with the ruler on them?": 0,
            "That is the probability with the ruler only: subtract the one without.": (
                right + model.predict(images).mean()
            ),
        },
        1e-6,
    )
    if not near(found, right, 1e-6):
        raise Hint("That is not the mean change: take the mean of after minus before.")
    return "A model that a ruler moves has learned the ruler."


SHARES = pd.DataFrame(
    {
        "Grad-CAM": [0.5, np.nan, 0.7, 0.2, np.nan, 0.6],
        "hill": [0.4, 0.1, 0.8, 0.3, 0.15, 0.45],
    }
)


def _gain(shares):
    return (shares["Grad-CAM"] - shares["hill"]).mean()


def _means_apart(shares):
    return shares["Grad-CAM"].mean() - shares["hill"].mean()


def _filled(shares):
    return _gain(shares.fillna(0))


@exercise(
    "grad_cam.3",
    hint="Pair first: one difference for each lesion that has both numbers. What does pandas make "
    "of a difference with NaN, and of its mean?",
    blank=lambda shares: ...,
    right=_gain,
    wrong=[
        (_means_apart, "different lesions"),
        (_filled, "no share at all"),
        (lambda shares: -_gain(shares), "minus hill"),
        (lambda shares: shares["Grad-CAM"] - shares["hill"], "one number"),
        (lambda shares: (shares["Grad-CAM"] - shares["hill"]).sum(), "mean, not the sum"),
        (lambda shares: (shares["Grad-CAM"] > shares["hill"]).mean(), "how often"),
        (lambda shares: shares["Grad-CAM"].mean(), "Not the mean"),
        (lambda shares: None, "return"),
    ],
)
def _paired_gain(answer):
    found, right = number(answer(SHARES.copy())), _gain(SHARES)
    differences = SHARES["Grad-CAM"] - SHARES["hill"]
    if np.isnan(found):
        raise Hint("That is NaN: leave out the lesions without a map.")
    refuse(
        found,
        {
            "These are two means over different lesions: subtract first, then take the mean.": (
                _means_apart(SHARES)
            ),
            "A map of zeros has no share at all: leave it out, do not count it as 0.": (
                _filled(SHARES)
            ),
            "The other way round: Grad-CAM minus hill.": -right,
            "Take the mean, not the sum.": differences.sum(),
            "That says how often Grad-CAM is higher, not by how much.": (differences > 0).mean(),
        },
        1e-6,
    )
    if not near(found, right, 1e-6):
        raise Hint("Not the mean paired difference: subtract lesion by lesion.")
    return "Subtracted lesion by lesion, so the missing maps drop out on both sides."
