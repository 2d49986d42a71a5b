"""Exercises of the lesson fine_tuning."""

import numpy as np

from utils.evaluation import Estimate, roc_auc
from utils.exercises.registry import Hint, answered, exercise, near, number, parts

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
    hint="Which call makes Keras read `trainable` again? And which kind of layer does `unfreeze` "
    "treat separately?",
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
        raise Hint("The base has learned nothing: what must come between `trainable` and fit?")
    if "first" in changed:
        raise Hint("The last two layers only: the others must stay frozen.")
    if changed & {"first_bn", "last_bn"}:
        raise Hint("A BatchNorm layer has changed. It must stay frozen.")
    if not near(model.optimizer.learning_rate, RATE, RATE / 100):
        raise Hint(f"Keep the learning rate of {RATE:g}.")
    return "Only the last Dense layer of the base has learned: trainable, compile, fit."


def _share(axis=(0, 1, 2)):
    return lambda maps: (np.ptp(maps, axis=axis) > 0).mean()


def _above(maps, below=np.inf):
    return ((maps > 0) & (maps < below)).mean()


@exercise(
    "fine_tuning.2",
    hint="A channel has the same value everywhere if its smallest and its largest value are equal. "
    "Over which axes do you look for them?",
    blank=lambda maps: ...,
    right=_share(),
    wrong=[
        (_share(axis=0), "for each unit"),
        (_share(axis=(1, 2)), "over the images too"),
        (_share(axis=(0, 1)), "for each unit"),
        (lambda maps: 0.33, "counted once"),
        (lambda maps: int((np.ptp(maps, axis=(0, 1, 2)) > 0).sum()), "number of channels"),
        (_above, "above 0"),
        (lambda maps: _above(maps, 6), "above 0"),
        (lambda maps: np.ptp(maps, axis=(0, 1, 2)) > 0, "one number"),
        (lambda maps: None, "return"),
    ],
)
def _share_varying(answer):
    maps = np.zeros((4, 2, 2, 10), "float32")
    maps[..., 0] = 6  # stuck at 6
    maps[0, 0, 0, 1:3] = 2  # one unit of two channels varies
    maps[..., 4] = np.arange(4)[:, None, None]  # all units of a channel
    maps[:, 0, 1, 5:7] = 3  # the same map for each image, but not level
    found = number(answer(maps))
    if near(found, 0.5, 1e-6):
        return "In our test half of them vary. The next cell counts those of both networks."
    for axes, hint in (
        ((0,), "You look for differences for each unit: a channel has several."),
        ((0, 1), "You look for differences for each unit: a channel has several."),
        ((1, 2), "You look within one image: look over the images too."),
    ):
        if near(found, _share(axis=axes)(maps), 1e-6):
            raise Hint(hint)
    if near(found, 5):
        raise Hint("That is the number of channels: which share of all channels is it?")
    if any(near(found, share, 1e-6) for share in (_above(maps), _above(maps, 6))):
        raise Hint("That is the share of values above 0; a channel may vary or be stuck there.")
    raise Hint("In a test of ours half of the channels vary: one that varies is counted once.")


def _cases_of_last_block():
    from utils.quiet import keras

    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 4)).astype("float32")
    y = np.arange(40) % 4 == 0
    p_head = rng.uniform(size=40)

    def model(*trainable, norm=False, rate=RATE):
        keras.utils.set_random_seed(len(trainable))
        inputs = h = keras.Input((4,))
        for name in ("block_15_expand", "block_16_expand", "Conv_1"):
            h = keras.layers.Dense(4, name=name, trainable=name in trainable)(h)
        h = keras.layers.BatchNormalization(name="Conv_1_bn", trainable=norm)(h)
        base = keras.Model(inputs, h, name="base")
        inputs = keras.Input((4,))
        built = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(base(inputs)))
        built.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
        return built

    def gain(of, sign=1):
        difference = roc_auc(y, of.predict_on_batch(x)[:, 0]) - roc_auc(y, p_head)
        return Estimate(sign * difference, -0.2, 0.2)

    block = model("block_16_expand", "Conv_1")
    both = model("block_15_expand", "block_16_expand", "Conv_1")
    less = model("Conv_1")
    with_norm = model("block_16_expand", "Conv_1", norm=True)
    hurried = model("block_16_expand", "Conv_1", rate=1e-3)
    return {
        "given": {"x": x, "y": y, "p_head": p_head},
        "right": (block, gain(block)),
        "wrong": [
            ((both, gain(both)), "block_15_expand is trainable"),
            ((less, gain(less)), "block_16_expand is frozen"),
            ((with_norm, gain(with_norm)), "BatchNorm"),
            ((hurried, gain(hurried)), "learning rate"),
            ((block, gain(block, -1)), "minus the head"),
            ((block, gain(block).value), "no interval"),
            ((block, Estimate(0.3, 0.2, 0.4)), "not the gain of this model"),
            ((block.get_layer("base"), gain(block)), "whole model"),
            ((gain(block), block), "model first"),
            (block, "two things"),
        ],
    }


@exercise(
    "fine_tuning.3",
    hint="The function of the lesson that starts from the saved head is a pattern. What differs is "
    "how many layers are unfrozen, and the rate.",
    cases=_cases_of_last_block,
)
def _last_block(answer, x, y, p_head):
    from utils.quiet import keras

    model, gain = parts(answer, 2, "Give two things: (block_model, block_gain).")
    if not isinstance(model, keras.Model):
        raise Hint("Give the model first, then the difference.")
    if "base" not in [layer.name for layer in model.layers]:
        raise Hint("Give the whole model, base and head.")
    inner = model.get_layer("base").layers
    trainable = {layer.name for layer in inner if layer.trainable_weights}
    norms = {layer.name for layer in inner if isinstance(layer, keras.layers.BatchNormalization)}
    if trainable & norms:
        raise Hint("BatchNorm should not be trainable: use unfreeze.")
    for layer in inner:
        of_block = layer.name.startswith(("block_16", "Conv_1")) and layer.name not in norms
        if layer.name.startswith("block_15") and layer.name in trainable:
            raise Hint(f"{layer.name} is trainable too: unfreeze fewer layers.")
        if of_block and layer.weights and layer.name not in trainable:
            raise Hint(f"{layer.name} is frozen: unfreeze more layers.")
    if not near(model.optimizer.learning_rate, RATE, RATE / 100):
        raise Hint(f"The learning rate should be {RATE:g}: compile with it.")
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
