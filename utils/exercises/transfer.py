"""Exercises of the lesson transfer."""

from functools import lru_cache

import numpy as np

from utils import backbone
from utils.evaluation import Estimate, roc_auc
from utils.exercises.registry import Hint, answered, exercise, near, number, parts
from utils.quiet import keras


def _toy(outside=None, inside=None):
    """A model that gives back its pixels, behind what may be done to them on the way."""
    pixels = keras.Input((96, 96, 3))
    x = outside(pixels) if outside else pixels
    if inside:
        x = inside(x)
    return keras.Model(pixels, keras.layers.Activation("linear")(x))


def _cases_of_fixing():
    right = keras.layers.Rescaling(1 / 127.5, offset=-1)
    zero_to_one = keras.layers.Rescaling(1 / 255)
    prepared = keras.applications.mobilenet_v2.preprocess_input

    def fixed(base):
        pixels = keras.Input(base.input_shape[1:])
        return keras.Model(pixels, base(right(pixels)))

    return {
        "blank": lambda base: ...,
        "right": fixed,
        "wrong": [
            (lambda base: _toy(prepared, right), "still twice"),
            (lambda base: _toy(), "nothing scales"),
            (lambda base: _toy(zero_to_one), "0 to 1"),
            (lambda base: _toy(keras.layers.Rescaling(1 / 127.5)), "black"),
            (lambda base: right, "keras.Model"),
            (lambda base: None, "return"),
        ],
    }


@exercise(
    "transfer.2",
    hint="What does preprocess_input make of 0 and of 255? And what does the next line make of "
    "that? One of the two is enough.",
    cases=_cases_of_fixing,
)
def _fixed_scaling(answer):
    model = answered(answer(_toy()))
    if not isinstance(model, keras.Model):
        raise Hint(f"Return a keras.Model, not {type(model).__name__}.")
    pixels = np.linspace(0, 255, 96 * 96 * 3, dtype="float32").reshape(1, 96, 96, 3)
    found = np.asarray(model(pixels))
    once = pixels / 127.5 - 1
    if found.shape == pixels.shape and np.allclose(found, once, atol=1e-4):
        return "Black becomes -1 and white becomes 1: what the weights were trained with."
    if np.allclose(found, once / 127.5 - 1, atol=1e-4):
        raise Hint("The pixels are still twice prepared: all of them lie near -1.")
    if np.allclose(found, pixels):
        raise Hint("Now nothing scales: the base gets 0 to 255.")
    if np.allclose(found, pixels / 255, atol=1e-4):
        raise Hint("The base gets 0 to 1. Which range were the weights trained with?")
    low, high = found.min(), found.max()
    raise Hint(f"The base gets black as {low:.2f} and white as {high:.2f}. What should they be?")


LAYER = "block_6_expand_relu"
Y = np.array([0, 0, 0, 1, 0, 1, 1, 1])
LAST = np.array([0.1, 0.2, 0.8, 0.3, 0.4, 0.6, 0.7, 0.9])
P = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.5, 0.7, 0.9])
GAIN = roc_auc(Y, P) - roc_auc(Y, LAST)


def _base():
    """As small as a network with a layer of that name and one after it can be."""
    pixels = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name=LAYER)(pixels)
    x = keras.layers.Conv2D(5, 3, name="later")(x)
    return keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(x))


def _features(base, layer, pool=True):
    x = base.get_layer(layer).output
    return keras.Model(base.input, keras.layers.GlobalAveragePooling2D()(x) if pool else x)


def _behind(model):
    """The model as extractor gives it back."""
    pixels = keras.Input((4, 4, 3))
    return keras.Model(pixels, model(keras.layers.Resizing(8, 8)(pixels)))


def _cases_of_layers():
    base, gain = _base(), Estimate(GAIN, -0.1, 0.9)
    right = _features(base, LAYER)
    return {
        "given": {"base": base, "y": Y, "last": LAST},
        "right": (right, P, gain),
        "wrong": [
            ((_features(base, "later"), P, gain), "another layer"),
            ((_features(base, LAYER, pool=False), P, gain), "Average"),
            ((_features(_base(), LAYER), P, gain), "other weights"),
            ((_behind(right), P, gain), "afterwards"),
            ((right, LAST, gain), "scores of the last layer"),
            ((right, P, Estimate(-GAIN, -0.9, 0.1)), "this layer minus"),
            ((right, P, Estimate(0.3, -0.1, 0.9)), "validation"),
            ((right, P[:4], gain), "one score"),
            ((right, P, GAIN), "no interval"),
            ((right, P), "three things"),
            ((P, right, gain), "keras.Model"),
        ],
    }


@exercise(
    "transfer.1",
    hint="A keras.Model may end at any layer: base.get_layer(name).output is the place. The "
    "rest is as for the last layer: predict, probe, predict_proba, difference.",
    cases=_cases_of_layers,
)
def _another_layer(answer, base, y, last):
    shorter, p, gain = parts(answer, 3, "Give three things: (shorter, p_shorter, gain_of_shorter).")
    if not isinstance(shorter, keras.Model):
        raise Hint(f"shorter is a keras.Model, not {type(shorter).__name__}.")
    if shorter.input.shape != base.input.shape:
        raise Hint("shorter begins at base.input. Put it into extractor afterwards.")
    expected = _features(base, LAYER)
    channels = expected.output.shape[-1]
    if len(shorter.output.shape) != 2:
        raise Hint("Average the places: GlobalAveragePooling2D leaves one number a channel.")
    if shorter.output.shape[-1] != channels:
        raise Hint(f"That is another layer: {LAYER} has {channels} channels.")
    x = np.random.default_rng(0).uniform(-1, 1, (1, *base.input.shape[1:])).astype("float32")
    if not np.allclose(shorter(x), expected(x), atol=1e-3):
        raise Hint("It has other weights: begin at base.input, with the layers of base.")
    p = np.ravel(p)
    if len(p) != len(y):
        raise Hint("p_shorter needs one score for each validation image.")
    if np.allclose(p, last):
        raise Hint("Those are the scores of the last layer: fit a new probe.")
    if not isinstance(gain, Estimate):
        raise Hint("That number has no interval. evaluation.difference gives both.")
    difference = roc_auc(y, p) - roc_auc(y, last)
    if near(gain.value, -difference, 0.0005) and not near(difference, 0, 0.0005):
        raise Hint("Take this layer minus the last: its scores come first.")
    if not near(gain.value, difference, 0.0005):
        raise Hint("Compare p_shorter with p_imagenet by roc_auc_score, on validation.")
    verdict = "a difference is shown" if gain.low > 0 or gain.high < 0 else "inconclusive"
    return f"{gain:+.2f}: {verdict}, with {channels} features of a layer in the middle."


@lru_cache
def _cost(alpha, size, top=False):
    shape = (size, size, 3)
    model = keras.applications.MobileNetV2(shape, alpha, include_top=top, weights=None)
    return model.count_params(), backbone.macs(model)


def _changed(change):
    return lambda alpha, size: change(*_cost(alpha, size))


@exercise(
    "transfer.3",
    hint="Counting needs no learned values: build the network with weights=None. Keras counts its "
    "parameters itself, as the last lines of a summary show.",
    blank=lambda alpha, size: ...,
    right=_cost,
    wrong=[
        (_changed(lambda parameters, macs: (macs, parameters)), "order"),
        (_changed(lambda parameters, macs: (parameters, 2 * macs)), "one multiply-add"),
        (lambda alpha, size: _cost(alpha, size, top=True), "1,000 classes"),
        (lambda alpha, size: _cost(alpha, 224), "input size"),
        (lambda alpha, size: _cost(0.35, size), "width"),
        (_changed(lambda parameters, macs: parameters), "two numbers"),
        (_changed(lambda parameters, macs: (parameters, macs + 1)), "backbone.macs"),
        (_changed(lambda parameters, macs: (parameters + 1, macs)), "count_params"),
        (lambda alpha, size: None, "return"),
    ],
)
def _cost_of_a_network(answer):
    alpha, size = 0.5, 64
    found = answered(answer(alpha, size))
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise Hint("Return two numbers: parameters, multiply-adds.")
    found, right = tuple(map(number, found)), _cost(alpha, size)
    typical = {
        "The order is: parameters, then multiply-adds.": right[::-1],
        "A multiplication and an addition are one multiply-add.": (right[0], 2 * right[1]),
        "The layer for 1,000 classes is still there: include_top=False.": _cost(alpha, size, True),
        "The input size has no influence: give it to MobileNetV2.": _cost(alpha, 224),
        "The width has no influence: give alpha to MobileNetV2.": _cost(0.35, size),
    }
    for hint, value in typical.items():
        if found == value:
            raise Hint(hint)
    if found[0] != right[0]:
        raise Hint("Take model.count_params() of the network without its top.")
    if found[1] != right[1]:
        raise Hint("Take backbone.macs(model) of the network without its top.")
    return (
        f"Width {alpha} at {size} px needs {right[1] / 1e6:.1f} million multiply-adds. Compare it "
        "with width 0.35 at 96 px: wider, and yet less work."
    )
