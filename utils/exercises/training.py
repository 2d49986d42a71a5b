"""Exercises of the lesson training."""

import warnings

import numpy as np

from utils.evaluation import Estimate, roc_auc
from utils.exercises.registry import Hint, answered, exercise, near, parts
from utils.quiet import keras

LOSSES = [0.9, 0.7, 0.6, 0.65, 0.64, 0.66, 0.65, 0.5]  # the third is the best for four epochs


def _watching(stop=None, slow=None):
    def by_loss():
        return [
            keras.callbacks.EarlyStopping(
                **{"monitor": "val_loss", "patience": 4, "restore_best_weights": True}
                | (stop or {})
            ),
            keras.callbacks.ReduceLROnPlateau(
                **{"monitor": "val_loss", "patience": 2, "factor": 0.1} | (slow or {})
            ),
        ]

    return by_loss


@exercise(
    "training.1",
    hint="Write the lesson's two callbacks anew and change what differs: what is watched, which "
    "direction is better, and the two numbers.",
    blank=lambda: ...,
    right=_watching(),
    wrong=[
        (_watching({"mode": "max"}), "lower is better"),
        (_watching(slow={"mode": "max"}), "lower is better"),
        (_watching({"monitor": "val_auc"}), "val_loss"),
        (_watching(slow={"monitor": "loss"}), "val_loss"),
        (_watching({"patience": 5}), "epoch 7"),
        (_watching({"patience": 0}), "epoch 7"),
        (_watching({"restore_best_weights": False}), "last epoch"),
        (_watching(slow={"patience": 3}), "after epoch 5"),
        (_watching(slow={"factor": 0.5}), "a tenth"),
        (_watching(slow={"factor": 0.9}), "a tenth"),
        (lambda: _watching()()[:1], "Two callbacks"),
        (lambda: _watching()()[0], "list"),
        (lambda: ["EarlyStopping", "ReduceLROnPlateau"], "Two callbacks"),
        (lambda: None, "return"),
    ],
)
def _by_loss(answer):
    found = answered(answer())
    if not isinstance(found, list | tuple):
        raise Hint(f"Return a list of callbacks, not {type(found).__name__}.")
    kinds = (keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau)
    if len(found) != 2 or {kind for kind in kinds for one in found if isinstance(one, kind)} != {
        *kinds
    }:
        raise Hint("Two callbacks are asked for: EarlyStopping and ReduceLROnPlateau.")
    for callback in found:
        name = type(callback).__name__
        if callback.monitor != "val_loss":
            raise Hint(f"{name} watches {callback.monitor!r}: let it watch val_loss.")
        if callback.mode == "max":
            raise Hint(f"{name} waits for a higher loss, but lower is better.")
    ran, weight, rates = _replay(found)
    if ran != 7:
        raise Hint(f"With the losses {LOSSES} it should stop after epoch 7; yours ran {ran}.")
    if weight != 3:
        raise Hint("It stops in time, but with the weights of the last epoch: bring the best back.")
    lowered = next((i for i, rate in enumerate(rates, start=1) if rate < 1), None)
    if lowered != 5:
        when = "never" if lowered is None else f"after epoch {lowered}"
        raise Hint(f"With these losses the rate should fall after epoch 5; yours falls {when}.")
    if not near(rates[4], 0.1):
        raise Hint(f"The new rate should be a tenth of the old; yours is {rates[4]:.2g} of it.")
    return "Replayed: stopped after epoch 7, weights of epoch 3, and a tenth of the rate."


def _replay(callbacks):
    """Epochs that callbacks let run with ``LOSSES``, the weight at the end, the rate after each."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.stop_training, rates = False, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for callback in callbacks:
            callback.set_model(model)
            callback.on_train_begin()
        for epoch, loss in enumerate(LOSSES):
            model.set_weights([np.array([[epoch + 1.0]])])
            for callback in callbacks:
                callback.on_epoch_end(epoch, {"loss": 1 - 0.1 * epoch, "val_loss": loss})
            rates.append(float(model.optimizer.learning_rate))
            if model.stop_training:
                break
        for callback in callbacks:
            callback.on_train_end()
    return len(rates), float(model.get_weights()[0][0, 0]), rates


def _network(seed=0):
    """A small network that wants values from -1 to 1."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def _scaled(scale, offset=0.0, of=None):
    def with_scaling(network, size):
        inputs = keras.Input((size, size, 3))
        x = keras.layers.Rescaling(scale, offset=offset)(inputs)
        return keras.Model(inputs, (of or network)(x))

    return with_scaling


def _scaled_afterwards(network, size):
    inputs = keras.Input((size, size, 3))
    return keras.Model(inputs, keras.layers.Rescaling(1 / 127.5, offset=-1)(network(inputs)))


@exercise(
    "training.2",
    hint="Three steps: an Input of that shape, the scaling layer of the lesson's network, then the "
    "colleague's network, called like a layer.",
    cases=lambda: {
        "blank": lambda network, size: ...,
        "right": _scaled(1 / 127.5, -1),
        "wrong": [
            (_scaled(1 / 255), "from 0 to 1"),
            (_scaled(1 / 127.5), "from 0 to 2"),
            (_scaled(1 / 127.5, -127.5), "scaled otherwise"),
            (_scaled(1 / 127.5, -1, of=_network(1)), "not its answer"),
            (lambda network, size: network, "as they are"),
            (_scaled_afterwards, "before the network"),
            (lambda network, size: _scaled(1 / 127.5, -1)(network, 8).output, "keras.Model"),
            (lambda network, size: None, "return"),
        ],
    },
)
def _with_scaling(answer):
    network = _network()
    model = answered(answer(network, 8))
    if not isinstance(model, keras.Model):
        raise Hint(f"Return a keras.Model, not {type(model).__name__}.")
    if model is network:
        raise Hint("The pixels reach the network as they are, from 0 to 255.")
    if (shape := getattr(model, "input_shape", None)) != (None, 8, 8, 3):
        raise Hint(f"It should take images of (8, 8, 3) here; yours takes {shape}.")
    x = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3)).astype("float32")
    found = np.asarray(model(x))

    def same(values):
        return found.shape == (16, 1) and np.allclose(found, np.asarray(values), atol=1e-5)

    if same(network(x)):
        raise Hint("The pixels reach the network as they are, from 0 to 255.")
    if same(network(x / 255)):
        raise Hint("Your values reach from 0 to 1; the network expects -1 to 1.")
    if same(network(x / 127.5)):
        raise Hint("Your values reach from 0 to 2; the network expects -1 to 1.")
    if same(network(x) / 127.5 - 1):
        raise Hint("The pixels are to be scaled before the network, not its answer afterwards.")
    if not any(layer is network for layer in model.layers):
        raise Hint("That is not its answer: call the very network that you were given.")
    if not same(network(x / 127.5 - 1)):
        raise Hint("The pixels are scaled otherwise: 0 should become -1, and 255 should become 1.")
    return "Save this model: nobody can forget the scaling any more."


def _cases_of_small_head():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40, 6)).astype("float32"), np.arange(40) % 4 == 0

    def model(*layers, seed=1, trained=True):
        keras.utils.set_random_seed(seed)
        built = keras.Sequential([keras.Input((6,)), *layers])
        if trained:
            built.compile("sgd", "binary_crossentropy")
            built.train_on_batch(x, y.astype("float32"))
        return built

    def dense(units=1, activation="sigmoid"):
        return keras.layers.Dense(units, activation)

    def gain(of, other, sign=1):
        auc = [roc_auc(y, one.predict_on_batch(x)[:, 0]) for one in (of, other)]
        return Estimate(sign * (auc[0] - auc[1]), -0.2, 0.2)

    dropout = keras.layers.Dropout
    head, big = (model(dropout(0.3), dense(8, "relu"), dense(), seed=i) for i in (0, 2))
    small = model(dropout(0.3), dense())
    bare = model(dense())
    linear = model(dropout(0.3), dense(activation=None))
    untrained = model(dropout(0.3), dense(), trained=False)
    longer = model(dropout(0.3), dense())
    longer.train_on_batch(x, y.astype("float32"))
    found = gain(small, big)
    return {
        "given": {"x": x, "y": y, "head": head},
        "right": (big, small, found),
        "wrong": [
            ((head, small, gain(small, head)), "was stopped by validation"),
            ((small, big, gain(big, small)), "big_head has 1 Dense layer"),
            ((big, head, gain(head, big)), "small_head has 2 Dense layers"),
            ((big, bare, gain(bare, big)), "no Dropout"),
            ((big, linear, gain(linear, big)), "sigmoid"),
            ((big, untrained, gain(untrained, big)), "not trained"),
            ((big, longer, gain(longer, big)), "equally long"),
            ((big, small, gain(small, big, -1)), "small_head minus"),
            ((big, small, found.value), "no interval"),
            ((big, small, Estimate(0.3, 0.2, 0.4)), "not the difference"),
            ((found, big, small), "models first"),
            ((small, found), "three things"),
        ],
    }


@exercise(
    "training.3",
    hint="Take the cell that builds and trains `head` as a pattern, twice: once with a layer left "
    "out, and never with callbacks. Both probabilities must be of shape (n,).",
    cases=_cases_of_small_head,
)
def _small_head(answer, x, y, head):
    big, small, gain = parts(answer, 3, "Give three things: (big_head, small_head, small_gain).")
    heads = {"big_head": big, "small_head": small}
    if not all(isinstance(one, keras.Model) for one in heads.values()):
        raise Hint("Give the two models first, then the difference.")
    if head is big:
        raise Hint("`head` was stopped by validation: build a new one, and train it for 10 epochs.")
    steps = []
    for (name, one), n in zip(heads.items(), (2, 1), strict=True):
        dense = [layer for layer in one.layers if isinstance(layer, keras.layers.Dense)]
        if len(dense) != n:
            many = "1 Dense layer" if len(dense) == 1 else f"{len(dense)} Dense layers"
            raise Hint(f"{name} has {many}: {n} wanted.")
        if not any(isinstance(layer, keras.layers.Dropout) for layer in one.layers):
            raise Hint(f"There is no Dropout before the Dense layer of {name}.")
        if keras.activations.get(dense[-1].activation) is not keras.activations.sigmoid:
            raise Hint(f"A probability is asked for: the last layer of {name} needs a sigmoid.")
        optimizer = getattr(one, "optimizer", None)
        steps.append(int(keras.ops.convert_to_numpy(optimizer.iterations)) if optimizer else 0)
        if steps[-1] == 0:
            raise Hint(f"{name} is not trained yet: call compile and fit.")
    if steps[0] != steps[1]:
        raise Hint("Two things differ: train both heads equally long, 10 epochs.")
    if not isinstance(gain, Estimate):
        raise Hint("That number has no interval: use evaluation.difference.")
    auc = [roc_auc(y, one.predict_on_batch(x)[:, 0]) for one in (small, big)]
    expected = auc[0] - auc[1]
    if near(gain.value, -expected, 0.0005) and not near(expected, 0, 0.0005):
        raise Hint("The other way round: the AUC of small_head minus that of big_head.")
    if not near(gain.value, expected, 0.0005):
        raise Hint("That is not the difference of these two: run your whole cell again.")
    inside = gain.low <= 0 <= gain.high
    word = "inconclusive, on so few images" if inside else "zero lies outside"
    return f"{gain:+.3f}: {word}. {small.count_params():,} weights, not {big.count_params():,}."
