"""Exercises of the lesson training."""

import numpy as np

from utils.exercises.registry import Hint, answered, exercise, near, number
from utils.quiet import keras


def _base():
    pixels = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(6, 3)(pixels)
    return keras.Model(pixels, keras.layers.BatchNormalization()(x))


def _classifier(freeze=True, pooling="GlobalAveragePooling2D", units=1, activation="sigmoid"):
    def build(base):
        base.trainable = not freeze
        x = base(base.input, training=False)
        x = getattr(keras.layers, pooling)()(x)
        return keras.Model(base.input, keras.layers.Dense(units, activation)(x))

    return build


def _with_a_hidden_layer(base):
    base.trainable = False
    x = keras.layers.GlobalAveragePooling2D()(base.output)
    x = keras.layers.Dense(128, "relu")(x)
    return keras.Model(base.input, keras.layers.Dense(1, "sigmoid")(x))


@exercise(
    "training.1",
    hint="Four steps: freeze, call the base on an Input, average, one Dense layer. Look at the "
    "model of this lesson and leave out what you do not need.",
    blank=lambda base: ...,
    right=_classifier(),
    wrong=[
        (_classifier(freeze=False), "may still learn"),
        (_classifier(pooling="Flatten"), "Average"),
        (_classifier(pooling="GlobalMaxPooling2D"), "maximum"),
        (_classifier(units=2, activation="softmax"), "one probability"),
        (_classifier(activation=None), "sigmoid"),
        (_classifier(activation="relu"), "sigmoid"),
        (_with_a_hidden_layer, "one Dense layer"),
        (lambda base: base, "one probability"),
        (lambda base: 7, "keras.Model"),
        (lambda base: None, "return"),
    ],
)
def _frozen_classifier(answer):
    base = _base()
    shape = base.output.shape
    model = answered(answer(base))
    if not isinstance(model, keras.Model):
        raise Hint(f"Return a keras.Model, not {type(model).__name__}.")
    if tuple(model.output.shape) != (None, 1):
        raise Hint(f"An image gets one probability; yours gets an output of {model.output.shape}.")
    if base.trainable_weights:
        raise Hint("The base may still learn: set base.trainable.")
    learns = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    if learns == shape[1] * shape[2] * shape[3] + 1:
        raise Hint("Average the output of the base instead of flattening it.")
    if learns != shape[3] + 1:
        raise Hint("Only one Dense layer, with one output, should be trainable.")
    x = np.random.default_rng(0).uniform(-9, 9, (64, 8, 8, 3)).astype("float32")
    kernel, bias = (np.asarray(weight) for weight in model.trainable_weights)
    maps, found = np.asarray(base(x, training=False)), np.asarray(model(x))
    if np.allclose(found, _sigmoid(maps.max((1, 2)) @ kernel + bias), atol=1e-3):
        raise Hint("That takes the maximum of each channel: average it.")
    if not np.allclose(found, _sigmoid(maps.mean((1, 2)) @ kernel + bias), atol=1e-3):
        raise Hint("The output is no probability from averaged features: it needs a sigmoid.")
    return "On MobileNetV2 it has 1,281 parameters that learn, instead of 164,097."


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _run(val_auc, patience):
    for epoch in range(1, len(val_auc) + 1):
        if epoch - 1 - int(np.argmax(val_auc[:epoch])) == patience:
            return epoch
    return len(val_auc)


@exercise(
    "training.2",
    hint="Keep two numbers from epoch to epoch: the best so far, and how long ago it was.",
    blank=lambda val_auc, patience: ...,
    right=_run,
    wrong=[
        (lambda v, p: 5, "the best epoch"),
        (lambda v, p: p + 1, "Start waiting anew"),
        (lambda v, p: len(v), "cannot know"),
        (lambda v, p: _run(v, p) - 1, "one too early"),
        (lambda v, p: 1, "epoch 5 is the best"),
        (lambda v, p: 8 if p == 3 else 4, "no improvement"),
        (lambda v, p: {9: 8, 4: 3, 2: 1}[len(v)], "all epochs"),
    ],
)
def _epochs_run(answer):
    rises, patience = [0.6, 0.7, 0.7, 0.69, 0.8, 0.75, 0.79, 0.78, 0.9], 3
    ran = number(answer(rises, patience))
    if ran == 5:
        raise Hint("That is the best epoch. It takes `patience` more to notice that it was.")
    if ran == 4:
        raise Hint("Start waiting anew whenever there is a new best.")
    if ran == 9:
        raise Hint("It cannot know that epoch 9 would be better: it stops before.")
    if ran == 7:
        raise Hint(
            "Counted from 0, or stopped one too early: `patience` epochs without a new best."
        )
    if ran != 8:
        raise Hint(f"For {rises} and a patience of 3, epoch 5 is the best so far, then it waits.")
    if number(answer([0.5, 0.5, 0.5, 0.6], 2)) != 3:
        raise Hint("The same value again is no improvement.")
    if number(answer([0.5, 0.6], 3)) != 2:
        raise Hint("If patience never runs out, all epochs are run.")
    return "It never sees the later best of 0.9: patience is a bet on how long to wait."


def _weights(y):
    n, melanomas = len(y), int(np.sum(y))
    return {0: n / (2 * (n - melanomas)), 1: n / (2 * melanomas)}


def _scaled(factor):
    return lambda y: {label: factor * weight for label, weight in _weights(y).items()}


@exercise(
    "training.3",
    hint="If n images share the weight n, and each class gets half of it, how much is left for "
    "one image of a class?",
    blank=lambda y: ...,
    right=_weights,
    wrong=[
        (lambda y: {0: 1, 1: np.sum(y == 0) / np.sum(y)}, "mean weight"),
        (_scaled(2), "mean weight"),
        (lambda y: {0: 0.5, 1: 0.5}, "count alike"),
        (lambda y: {0: np.mean(y), 1: 1 - np.mean(y)}, "mean weight"),
        (lambda y: dict(zip((1, 0), _weights(y).values(), strict=True)), "rarer"),
        (lambda y: list(_weights(y).values()), "dict"),
        (lambda y: {"no": 1, "yes": 3}, "keys"),
        (lambda y: {0: 0.9, 1: 1.2}, "same total"),
        (lambda y: None, "return"),
    ],
)
def _balanced(answer):
    y = np.array([0] * 15 + [1] * 5)
    found = answered(answer(y))
    if not isinstance(found, dict):
        raise Hint(f"Return a dict, not {type(found).__name__}.")
    if set(found) != {0, 1}:
        raise Hint("The keys are the labels: 0 and 1.")
    others, melanomas = 15 * number(found[0]), 5 * number(found[1])
    if near(found[0], number(found[1])):
        raise Hint("With equal weights all images count alike, as without any.")
    if found[0] > found[1]:
        raise Hint("The rarer class needs the higher weight.")
    if not near(others, melanomas):
        raise Hint(
            f"The same total: here 15 others have {others:.2f}, 5 melanomas {melanomas:.2f}."
        )
    if not near(others + melanomas, 20):
        mean = (others + melanomas) / 20
        raise Hint(f"The totals are equal, but the mean weight of all images is {mean:.2f}, not 1.")
    return 'scikit-learn: compute_class_weight("balanced", classes=[0, 1], y=y).'
