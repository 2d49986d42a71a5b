"""Exercises of the lesson batchnorm."""

import numpy as np

from utils.exercises.registry import Hint, answered, exercise, near
from utils.quiet import keras

layers = keras.layers


def _numbers(variable):
    return keras.ops.convert_to_numpy(variable)


def _norms(model):
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]


def _two_norms():
    """A small model with two BatchNorm layers, and inputs far from their averages."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    x = layers.Dense(5)(inputs)
    x = layers.BatchNormalization(momentum=0.999)(x)
    x = layers.Dense(3, activation="relu")(x)
    x = layers.BatchNormalization(momentum=0.999)(x)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy")
    return model, np.random.default_rng(0).normal(5, 2, (64, 4)).astype("float32")


def _renewed(momentum=0.0, training=True, only=None, part=None, fit=False):
    def renew(model, x):
        for layer in _norms(model)[:only]:
            layer.momentum = momentum
        if fit:
            model.fit(x, x[:, 0] > 5, verbose=0)
        elif training is not None:
            model(x[:part], training=training)

    return renew


def _renewed_before(model, x):
    model(x, training=True)
    for layer in _norms(model):
        layer.momentum = 0.0


@exercise(
    "batchnorm.1",
    hint="A loop over model.layers, and one call of the model. Ask each layer with `isinstance` "
    "whether it is one of those that you mean.",
    blank=lambda model, x: ...,
    right=_renewed(),
    wrong=[
        (_renewed(training=False), "still the old ones"),
        (_renewed(training=None), "still the old ones"),
        (_renewed(momentum=1.0), "still the old ones"),
        (_renewed(momentum=0.9), "a part of the way"),
        (_renewed_before, "a part of the way"),
        (_renewed(only=1), "one of the layers"),
        (_renewed(part=32), "on all x"),
        (_renewed(fit=True), "weights have changed"),
        (lambda model, x: [setattr(layer, "momentum", 0.0) for layer in model.layers], "old ones"),
    ],
)
def _renew(answer):
    model, x = _two_norms()
    before = [_numbers(norm.moving_mean) for norm in _norms(model)]
    weights = [_numbers(weight) for weight in model.trainable_weights]
    if (said := answer(model, x)) is not None:
        answered(said)
    if any(
        not np.array_equal(old, _numbers(now))
        for old, now in zip(weights, model.trainable_weights, strict=True)
    ):
        raise Hint("The weights have changed: call the model, and do not train it.")
    moved = [
        not np.array_equal(old, _numbers(norm.moving_mean))
        for old, norm in zip(before, _norms(model), strict=True)
    ]
    if not any(moved):
        raise Hint("The averages are still the old ones: momentum 0, then a call in training mode.")
    found = [_share_of_the_way(norm, model, x) for norm in _norms(model)]
    if near(found[0], 1, 1e-3) and near(found[1], 1, 1e-3):
        return "Both layers of our test have the mean and variance of x now, and no weight changed."
    if near(found[0], 1, 1e-3):
        raise Hint("You changed one of the layers only: let the loop reach all of them.")
    if found[0] < 0.5:
        raise Hint("The averages went a part of the way only: set the momentum before the call.")
    raise Hint("The averages are not those of x: call the model once, on all x.")


def _share_of_the_way(norm, model, x):
    """How far a layer's moving mean went, from its 0 at the start to the mean of its inputs."""
    truth = _numbers(keras.Model(model.input, norm.input)(x, training=True)).mean(axis=0)
    return float(np.dot(_numbers(norm.moving_mean), truth) / np.dot(truth, truth))


def _compared(read, train=True, copy=_numbers):
    """An answer that compares what it reads of a layer before and after training."""

    def move(model, norm, x, y):
        before = copy(read(norm))
        if train:
            model.fit(x, y, verbose=0)
        return not np.array_equal(_numbers(before), _numbers(read(norm)))

    return move


def _mean(norm):
    return norm.moving_mean


def _called(rate, trainable=True, **call):
    """A compiled model that calls a base with a BatchNorm layer so, and that layer."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    norm = layers.BatchNormalization(trainable=trainable)
    base = keras.Model(inputs, norm(layers.Dense(4)(inputs)))
    inputs = keras.Input((4,))
    outputs = layers.Dense(1, activation="sigmoid")(base(inputs, **call))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model, norm


@exercise(
    "batchnorm.2",
    hint="Copy the values before the training, train, compare. What do you copy: a variable that "
    "goes on changing, or its numbers?",
    blank=lambda model, norm, x, y: ...,
    right=_compared(_mean),
    wrong=[
        (_compared(lambda norm: norm.gamma), "not gamma"),
        (_compared(_mean, copy=lambda variable: variable), "Copy the numbers"),
        (_compared(_mean, train=False), "Nothing was trained"),
        (lambda model, norm, x, y: bool(model.fit(x, y, verbose=0)), "is frozen"),
        (lambda model, norm, x, y: 0.5, "True or False"),
        (lambda model, norm, x, y: None, "return"),
    ],
)
def _averages_move(answer):
    x = np.random.default_rng(0).normal(5, 2, (16, 4)).astype("float32")
    y = (x[:, 0] > 5).astype("float32")
    models = {
        "BatchNorm trainable": _called(0.0),  # so that no weight, such as gamma, changes
        "trainable = False": _called(1e-3, trainable=False),
        "base(x, training=False)": _called(1e-3, training=False),
    }
    for name, (model, norm) in models.items():
        before = _numbers(norm.moving_mean)
        said = answered(answer(model, norm, x, y))
        moved = not np.array_equal(before, _numbers(norm.moving_mean))
        if not isinstance(said, bool | np.bool_):
            raise Hint(f"Return True or False, not {said!r}.")
        if name == "BatchNorm trainable" and not moved:
            raise Hint("Nothing was trained: call model.fit(x, y) between copy and comparison.")
        if moved and not said:
            raise Hint(
                "The averages have moved, and your function says no. Copy the numbers of "
                "moving_mean, not gamma, before fit."
            )
        if said and not moved:
            raise Hint("Where BatchNorm is frozen, nothing moves, and your function says it does.")
    found = "move" if moved else "rest"
    return f"With trainable = False the averages rest. With {name} they {found}."


def _cases_of_fixed():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    x = layers.Dense(5, name="conv")(inputs)
    top = keras.Model(inputs, layers.BatchNormalization(momentum=0.999, name="bn")(x))
    x = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
    y = (np.arange(40) % 4 == 0).astype("float32")

    def model(trainable=True, momentum=0.999, all_frozen=False, trained=True, late=False):
        keras.utils.set_random_seed(1)
        copy = keras.models.clone_model(top)
        copy.set_weights(top.get_weights())
        built = keras.Model(copy.input, layers.Dense(1, activation="sigmoid")(copy.output))
        for layer in built.layers[:-1]:
            if layer.name == "bn":
                layer.momentum = momentum
                layer.trainable = trainable or late
            layer.trainable = layer.trainable and not all_frozen
        if trained:
            built.compile("adam", "binary_crossentropy")
            built.fit(x, y, verbose=0)
        if late:
            built.get_layer("bn").trainable = trainable
        return built

    return {
        "given": {"top": top, "x": x, "y": y},
        "right": model(trainable=False),
        "wrong": [
            (model(), "still lag"),
            (model(momentum=0.99), "still lag"),
            (model(trainable=False, late=True), "before you train"),
            (model(all_frozen=True), "BatchNorm alone"),
            (model(trainable=False, trained=False), "not trained"),
            (top, "whole model"),
            (0.98, "keras.Model"),
        ],
    }


@exercise(
    "batchnorm.3",
    hint="Between `new_model` and `train_model` stands a loop over the layers. It changes one "
    "attribute of BatchNorm layers only.",
    cases=_cases_of_fixed,
)
def _fixed(answer, top, x, y):
    model = answered(answer)
    if not isinstance(model, keras.Model):
        raise Hint(f"Give the keras.Model that you trained, not {type(model).__name__}.")
    if tuple(model.output.shape) != (None, 1):
        raise Hint("Give the whole model, with its head.")
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or int(_numbers(optimizer.iterations)) == 0:
        raise Hint("It is not trained yet: call train_model.")
    norms = _norms(top)
    others = [layer for layer in top.layers if layer.weights and layer not in norms]
    if all(_same_weights(layer, model.get_layer(layer.name)) for layer in others):
        raise Hint("No layer of the base has learned: freeze BatchNorm alone.")
    for norm in _norms(model):
        old = _numbers(top.get_layer(norm.name).moving_mean)
        moved = not np.array_equal(old, _numbers(norm.moving_mean))
        if moved and not norm.trainable:
            raise Hint("Its averages have moved: freeze BatchNorm before you train.")
        if moved and norm.momentum > 0.95:
            raise Hint(f"With momentum {norm.momentum:g} the averages still lag behind.")
    right = np.mean((model.predict_on_batch(x)[:, 0] >= 0.5) == y)
    return f"On the training images predict is right for {right:.0%} now. What does fit say?"


def _same_weights(one, other):
    return all(map(np.array_equal, one.get_weights(), other.get_weights()))
