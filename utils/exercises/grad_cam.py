"""Exercises of the lesson grad_cam."""

import numpy as np

from utils import artefacts
from utils.exercises.registry import Hint, answered, exercise, near, number, refuse, refuse_array


def _cam(maps, gradients):
    return np.maximum((maps * gradients.mean(axis=(0, 1))).sum(axis=-1), 0)


@exercise(
    "grad_cam.1",
    hint="Three steps: one weight for each channel, a weighted sum over the channels, and then "
    "only what is positive.",
    blank=lambda maps, gradients: ...,
    right=_cam,
    wrong=[
        (lambda a, g: (a * g.mean(axis=(0, 1))).sum(axis=-1), "negative"),
        (lambda a, g: np.maximum((a * g).sum(axis=-1), 0), "one number for each channel"),
        (lambda a, g: np.maximum(a.sum(axis=-1), 0), "gradients"),
        (lambda a, g: np.maximum(a * g.mean(axis=(0, 1)), 0), "shape"),
        (lambda a, g: np.maximum(a * g.mean(axis=(0, 1)), 0).sum(axis=-1), "after the sum"),
        (lambda a, g: None, "return"),
    ],
)
def _grad_cam(answer):
    rng = np.random.default_rng(0)
    maps, gradients = rng.random((4, 4, 6)), rng.normal(size=(4, 4, 6))
    found = np.asarray(answered(answer(maps.copy(), gradients.copy())), float)
    if found.shape != (4, 4):
        raise Hint(
            f"The map has shape (4, 4), as the channels have; yours has shape {found.shape}."
        )
    weighted = maps * gradients.mean(axis=(0, 1))
    typical = {
        "It holds negative values: keep only what speaks for melanoma.": weighted.sum(axis=-1),
        "A weight is one number for each channel: the mean of its gradients over the places.": (
            np.maximum((maps * gradients).sum(axis=-1), 0)
        ),
        "You did not use the gradients: they say which channels count.": maps.sum(axis=-1),
        "Cut the negative part after the sum: channels may speak against each other.": (
            np.maximum(weighted, 0).sum(axis=-1)
        ),
    }
    refuse_array(found, typical.items())
    if not np.allclose(found, _cam(maps, gradients)):
        raise Hint("Weights: the mean of `gradients` over its first two axes, shape (6,).")
    return "That is the whole method."


@exercise(
    "grad_cam.2",
    hint="The derivative of the sigmoid is p * (1 - p).",
    right=1000 / 0.999,
    wrong=[
        (0.999, "of the logit to that of the probability"),
        (0.000999, "turn it round"),
        (4, "At p = 0.5"),
        (1, "flat"),
        (1 / 0.999, "both factors"),
    ],
)
def _times_smaller(answer):
    refuse(
        answer,
        {
            "That is p. Compare the slope of the logit to that of the probability.": 0.999,
            "That is the slope of the sigmoid itself: turn it round.": 0.000999,
            "At p = 0.5 it would be 4. What is it at 0.999?": 4,
        },
        1e-4,
    )
    refuse(
        answer,
        {
            "A sigmoid is flat near 1: the two slopes differ.": 1,
            "The derivative has both factors, p and 1 - p.": 1 / 0.999,
        },
        4e-4,
    )
    if not near(answer, 1000 / 0.999, 5):
        raise Hint("Divide 1 by the derivative p * (1 - p) at p = 0.999.")
    return "About 1,001 times. At p = 1 nothing is left, so Grad-CAM takes the logit."


def _share(heat, mask):
    return heat[mask].sum() / heat.sum()


@exercise(
    "grad_cam.3",
    hint="Add up the heat on the lesion, and divide by all the heat.",
    blank=lambda heat, mask: ...,
    right=_share,
    wrong=[
        (lambda heat, mask: heat[mask].mean(), "mean heat"),
        (lambda heat, mask: mask.mean(), "area"),
        (lambda heat, mask: heat[mask].sum() / mask.sum(), "mean heat"),
        (lambda heat, mask: heat[~mask].sum() / heat.sum(), "outside"),
        (lambda heat, mask: heat[mask].sum(), "divide"),
        (lambda heat, mask: float(mask.flat[heat.argmax()]), "pointing game"),
        (lambda heat, mask: None, "return"),
    ],
)
def _share_inside(answer):
    rng = np.random.default_rng(1)
    heat, mask = rng.random((8, 8)), np.zeros((8, 8), bool)
    mask[2:6, 1:6] = True
    heat[mask] += 0.5
    found = answered(answer(heat.copy(), mask.copy()))
    refuse(
        found,
        {
            "That is the mean heat on the lesion: take sums, and divide by all the heat.": (
                heat[mask].mean()
            ),
            "That is the lesion's area: it has not seen the heat.": mask.mean(),
            "That is the share outside the lesion.": heat[~mask].sum() / heat.sum(),
            "That is the heat on the lesion: divide by all the heat.": heat[mask].sum(),
            "That is the pointing game: whether the largest value lies inside.": float(
                mask.flat[heat.argmax()]
            ),
        },
    )
    if not near(found, _share(heat, mask), 1e-6):
        raise Hint("`heat[mask]` holds the heat on the lesion.")
    return "Now every map gets a number, and numbers can be compared."


class _Darkness:
    """Stands for a network: the darker an image, the higher its probability."""

    def predict(self, images, **_):
        return 1 - np.asarray(images).mean(axis=(1, 2, 3))[:, None] / 255


def _moved(model, images):
    changed = artefacts.add("ruler", images)
    after, before = (model.predict(x, verbose=0)[:, 0] for x in (changed, images))
    return (after - before).mean()


@exercise(
    "grad_cam.4",
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
