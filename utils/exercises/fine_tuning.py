"""Exercises of the lesson fine_tuning."""

import numpy as np
import pandas as pd

from utils.evaluation import Estimate, roc_auc
from utils.exercises.registry import Hint, answered, exercise, near, parts

RATE = 1e-4


def _with_norms(**call):
    """A compiled model on a small frozen base with BatchNorm, which it calls so."""
    from utils.quiet import keras  # here: other lessons' checks do without

    layers = keras.layers
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    x = layers.BatchNormalization(name="first_bn")(layers.Dense(4, name="first")(inputs))
    x = layers.BatchNormalization(name="last_bn")(layers.Dense(4, name="last")(x))
    base = keras.Model(inputs, x)
    base.trainable = False
    inputs = keras.Input((4,))
    outputs = layers.Dense(1, activation="sigmoid")(base(inputs, **call))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    return model, base


def _batch():
    x = np.random.default_rng(0).normal(5, 2, (16, 4)).astype("float32")
    return x, (x[:, 0] > 5).astype("float32")


def _cases_of_prepare():
    from utils.quiet import keras

    norm = keras.layers.BatchNormalization

    def change(model, base, first=False, norms=False, compiled=True, rate=RATE):
        base.trainable = True
        for layer in base.layers[: 0 if first else -2]:
            layer.trainable = False
        for layer in base.layers:
            if isinstance(layer, norm) and not norms:
                layer.trainable = False
        if compiled:
            model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
        model.optimizer.learning_rate = rate
        return model

    def of(**options):
        return lambda model, base: change(model, base, **options)

    def all_frozen(model, base):
        base.trainable = False
        model.compile(keras.optimizers.Adam(RATE), "binary_crossentropy")
        return model

    return {
        "blank": lambda model, base: ...,
        "right": of(),
        "wrong": [
            (of(compiled=False), "learned nothing"),
            (of(compiled=False, norms=True), "learned nothing"),
            (of(norms=True), "BatchNorm"),
            (of(first=True), "last two layers only"),
            (of(rate=1e-3), "learning rate"),
            (all_frozen, "learned nothing"),
            (lambda model, base: None, "return"),
            (lambda model, base: base, "Return the model"),
        ],
    }


@exercise(
    "fine_tuning.1",
    hint="Which call makes Keras look at the switches again? And which kind of layer does "
    "`unfreeze` treat separately?",
    cases=_cases_of_prepare,
)
def _prepare(answer):
    model, base = _with_norms()
    x, y = _batch()
    model.train_on_batch(x, y)
    prepared = answered(answer(model, base))
    if prepared is not model:
        raise Hint("Return the model that you were given.")
    before = {layer.name: layer.get_weights() for layer in base.layers}
    model.train_on_batch(x, y)
    changed = {
        layer.name
        for layer in base.layers
        if any(map(np.any, map(np.not_equal, before[layer.name], layer.get_weights())))
    }
    if not changed:
        raise Hint("The base has learned nothing: what must come between the switches and fit?")
    if "first" in changed:
        raise Hint("The last two layers only: the others must stay frozen.")
    if changed & {"first_bn", "last_bn"}:
        raise Hint("A BatchNorm layer has changed. It must stay frozen.")
    if not near(model.optimizer.learning_rate, RATE, RATE / 100):
        raise Hint(f"Keep the learning rate of {RATE:g}.")
    return "Only the last Dense layer of the base has learned: trainable, compile, fit."


def _cases_of_last_block():
    from utils.quiet import keras

    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 4)).astype("float32")
    y = np.arange(40) % 4 == 0
    p_head = rng.uniform(size=40)

    def model(*learning, norm=False):
        keras.utils.set_random_seed(len(learning))
        names = ["block_15_expand", "block_16_expand", "Conv_1"]
        inputs = h = keras.Input((4,))
        for name in names:
            h = keras.layers.Dense(4, name=name, trainable=name in learning)(h)
        bn = keras.layers.BatchNormalization(name="Conv_1_bn", trainable=norm)
        return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(bn(h)))

    def gain(of, sign=1):
        difference = roc_auc(y, of.predict_on_batch(x)[:, 0]) - roc_auc(y, p_head)
        return Estimate(sign * difference, -0.2, 0.2)

    block = model("block_16_expand", "Conv_1")
    both = model("block_15_expand", "block_16_expand", "Conv_1")
    less = model("Conv_1")
    with_norm = model("block_16_expand", "Conv_1", norm=True)
    same = {"x": x, "y": y, "p_head": p_head}
    return {
        "given": same,
        "right": (block, gain(block)),
        "wrong": [
            ((both, gain(both)), "block_15_expand is trainable"),
            ((less, gain(less)), "block_16_expand is frozen"),
            ((with_norm, gain(with_norm)), "BatchNorm"),
            ((block, gain(block, -1)), "minus the head"),
            ((block, gain(block).value), "no interval"),
            ((block, Estimate(0.3, 0.2, 0.4)), "not the gain of this model"),
            ((gain(block), block), "model first"),
            (block, "two things"),
        ],
    }


@exercise(
    "fine_tuning.2",
    hint="Take the cell above as a pattern. One number changes, and the name of the model.",
    cases=_cases_of_last_block,
)
def _last_block(answer, x, y, p_head):
    from utils.quiet import keras

    model, gain = parts(answer, 2, "Give two things: (block_model, block_gain).")
    if not isinstance(model, keras.Model):
        raise Hint("Give the model first, then the difference.")
    learning = {layer.name for layer in model.layers if layer.trainable_weights}
    norms = {
        layer.name for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    }
    if learning & norms:
        raise Hint("BatchNorm should not be trainable: use unfreeze.")
    for layer in model.layers:
        of_block = layer.name.startswith(("block_16", "Conv_1")) and layer.name not in norms
        if layer.name.startswith("block_15") and layer.name in learning:
            raise Hint(f"{layer.name} is trainable too: unfreeze fewer layers.")
        if of_block and layer.weights and layer.name not in learning:
            raise Hint(f"{layer.name} is frozen: unfreeze more layers.")
    if not isinstance(gain, Estimate):
        raise Hint("That number has no interval: use evaluation.difference.")
    expected = roc_auc(y, model.predict_on_batch(x)[:, 0]) - roc_auc(y, p_head)
    if near(expected, 0, 1e-6):
        raise Hint("This model answers exactly as the head alone: has it learned?")
    if near(gain.value, -expected, 0.0005):
        raise Hint("Take the new model minus the head alone.")
    if not near(gain.value, expected, 0.0005):
        raise Hint("That is not the gain of this model on validation: run your whole cell again.")
    word = "inconclusive" if gain.low <= 0 <= gain.high else "outside zero"
    return f"{gain:+.3f}: {word}."


CURVES = {
    1e-5: {"loss": [0.26, 0.25, 0.25], "val_auc": [0.852, 0.851, 0.850]},
    1e-4: {"loss": [0.27, 0.25, 0.20], "val_auc": [0.848, 0.861, 0.837]},
    1e-3: {"loss": [0.67, 0.47, 0.41], "val_auc": [0.791, 0.840, 0.858]},
    1e-2: {"loss": [4.12, 0.59, 0.58], "val_auc": [0.651, 0.500, 0.500]},
}


@exercise(
    "fine_tuning.3",
    hint="pd.DataFrame can hold one column of AUCs for each rate. Find the best of each "
    "column first; idxmax says where the largest value stands.",
    given={"curves": CURVES},
    right=(1e-4, 2),
    wrong=[
        ((1e-4, 1), "count from 1"),
        ((1e-3, 3), "last epoch"),
        ((1e-4, 3), "lowest training loss"),
        ((1e-5, 1), "higher AUC"),
        ((1e-4, 2.5), "not the epoch"),
        ((2, 1e-4), "rate first"),
        ((0.861, 2), "not its AUC"),
        (1e-4, "two numbers"),
    ],
)
def _rate_from_curves(answer, curves):
    rate, epoch = parts(answer, 2, "Give two numbers: (best_rate, best_epoch).")
    aucs = pd.DataFrame({rate: history["val_auc"] for rate, history in curves.items()})
    losses = pd.DataFrame({rate: history["loss"] for rate, history in curves.items()})
    best_rate = aucs.max().idxmax()
    best = int(aucs[best_rate].idxmax()) + 1
    if rate in range(1, len(aucs) + 1) and epoch in curves:
        raise Hint("Give the rate first, then the epoch.")
    if rate not in curves:
        raise Hint(f"Give the rate, not its AUC: one of {', '.join(f'{r:g}' for r in curves)}.")
    if (rate, epoch) == (best_rate, best - 1):
        raise Hint("Nearly: pandas counts rows from 0, epochs count from 1.")
    if rate == best_rate and epoch == best:
        top = aucs.max().max()
        return f"AUC {top:.3f}. It was chosen on validation, so it is a little too good."
    if (rate, epoch) == (aucs.iloc[-1].idxmax(), len(aucs)):
        raise Hint("That rate is the best in the last epoch. Look at all epochs.")
    lowest = losses.min().idxmin()
    if (rate, epoch) == (lowest, int(losses[lowest].idxmin()) + 1):
        raise Hint("That is the lowest training loss. Choose by the validation AUC.")
    if rate == best_rate:
        raise Hint("The rate is right, but that is not the epoch of its highest AUC.")
    raise Hint("Another rate reaches a higher AUC in one of its epochs.")


def _numbers(variable):
    from utils.quiet import keras

    return keras.ops.convert_to_numpy(variable)


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


def _norm_models():
    """Three ways to call a base in a model, each compiled: name, model, one BatchNorm layer."""
    from utils.quiet import keras

    for name, call, learns, rate in (
        ("BatchNorm trainable", {}, True, 0.0),
        ("trainable = False", {}, False, 1e-3),
        ("base(x, training=False)", {"training": False}, True, 1e-3),
    ):
        model, base = _with_norms(**call)
        base.trainable = True
        for layer in base.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = learns
        model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
        yield name, model, base.get_layer("last_bn")


@exercise(
    "fine_tuning.4",
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
    x, y = _batch()
    for name, model, norm in _norm_models():
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
    return (
        f"With trainable = False the averages rest. With {name} they {'move' if moved else 'rest'}."
    )
