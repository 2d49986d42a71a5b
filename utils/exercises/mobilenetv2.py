"""Exercises of the lesson mobilenetv2."""

import numpy as np
import pandas as pd

from utils.exercises.registry import Hint, answered, exercise, near, number, parts, refuse

WINDOW = 3 * 3


@exercise(
    "mobilenetv2.1",
    hint="Count the two steps apart: how many weights has each, and at how many places is it used? "
    "Both steps end in an image of the same height and width.",
    blank=lambda side, c_in, c_out, stride: ...,
    right=lambda s, i, o, t: (s // t) ** 2 * (WINDOW * i + i * o),
    wrong=[
        (lambda s, i, o, t: WINDOW * i + i * o, "the parameters"),
        (lambda s, i, o, t: s * s * (WINDOW * i + i * o), "without the stride"),
        (lambda s, i, o, t: s * s // t * (WINDOW * i + i * o), "height *and* width"),
        (lambda s, i, o, t: (s // t) ** 2 * WINDOW * i * o, "plain convolution"),
        (lambda s, i, o, t: (s // t) ** 2 * WINDOW * i, "depthwise step alone"),
        (lambda s, i, o, t: (s // t) ** 2 * i * o, "pointwise step alone"),
        (lambda s, i, o, t: (s // t) ** 2 * WINDOW * i + s * s * i * o, "second step"),
        (lambda s, i, o, t: (s // t) ** 2 * (WINDOW * i + i * o + o), "a window of 9 weights"),
        (lambda s, i, o, t: "many", "one number"),
        (lambda s, i, o, t: None, "return"),
    ],
)
def _separable_work(answer):
    side, c_in, c_out = 96, 32, 64
    for stride in (1, 2):
        found = number(answer(side, c_in, c_out, stride))
        places, all_places = (side // stride) ** 2, side**2
        first, second = WINDOW * c_in, c_in * c_out
        typical = {
            "Those are the parameters: each is used at every place.": first + second,
            "That is a plain convolution: here the window reads one channel.": (
                places * WINDOW * c_in * c_out
            ),
            "That is the depthwise step alone.": places * first,
            "That is the pointwise step alone.": places * second,
        }
        if stride == 2:
            typical |= {
                "That is without the stride: the window moves two pixels at a time.": (
                    all_places * (first + second)
                ),
                "A stride of 2 halves height *and* width.": all_places // 2 * (first + second),
                "The second step works on the small image, too.": (
                    places * first + all_places * second
                ),
            }
        refuse(found, typical, tolerance=0)
        if found != places * (first + second):
            raise Hint(
                f"For side={side}, c_in={c_in}, c_out={c_out}, stride={stride}: add the two steps. "
                "Depthwise, each channel has a window of 9 weights."
            )
    return "With stride 2 a quarter of the places is left, and so a quarter of the work."


def _block(relu=6, last_relu=False, bias=False, wide=6, shortcut=True, padding="same", norm=True):
    """A block as in the exercise, with one thing wrong if asked for."""
    from utils.quiet import keras

    layers = keras.layers

    def block(x, channels, stride=1):
        start = x
        x = layers.Conv2D(wide * start.shape[-1], 1, use_bias=bias)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU(relu)(x)
        x = layers.DepthwiseConv2D(3, stride, padding, use_bias=bias)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU(relu)(x)
        x = layers.Conv2D(channels, 1, use_bias=bias)(x)
        x = layers.BatchNormalization()(x) if norm else x
        x = layers.ReLU(relu)(x) if last_relu else x
        return layers.Add()([start, x]) if shortcut and x.shape == start.shape else x

    return block


def _cases_of_blocks():
    def without_stride(x, channels, stride=1):
        return _block()(x, channels)

    def as_a_model(x, channels, stride=1):
        from utils.quiet import keras

        return keras.Model(x, _block()(x, channels, stride))

    return {
        "blank": lambda x, channels, stride=1: ...,
        "right": _block(),
        "wrong": [
            (_block(last_relu=True), "narrow end"),
            (_block(relu=None), "cuts at 6"),
            (_block(bias=True), "use_bias=False"),
            (_block(wide=4), "six times"),
            (_block(shortcut=False), "Add the input"),
            (_block(padding="valid"), "padding"),
            (_block(norm=False), "in this order"),
            (without_stride, "stride"),
            (as_a_model, "Keras tensor"),
            (lambda x, channels, stride=1: None, "return"),
        ],
    }


ORDER = ["Conv2D", "BatchNormalization", "ReLU", "DepthwiseConv2D", "BatchNormalization", "ReLU"]
ORDER += ["Conv2D", "BatchNormalization"]


@exercise(
    "mobilenetv2.2",
    hint="Keep the input under another name before x changes. x.shape[-1] is its number of "
    "channels. The layer layers.Add adds a list of tensors.",
    cases=_cases_of_blocks,
)
def _inverted_residual(answer):
    from utils.quiet import keras  # here: other checks do without

    rng = np.random.default_rng(0)
    for channels, stride in ((16, 1), (24, 1), (16, 2)):
        models = []
        for block in (answer, _block()):
            x = keras.Input((12, 12, 16))
            out = answered(block(x, channels, stride))
            if not isinstance(out, keras.KerasTensor):
                raise Hint(f"Return a Keras tensor, not {type(out).__name__}.")
            models.append(keras.Model(x, out))
        own, ours = models
        _compare_blocks(own, ours, f"16 channels in, {channels} out, stride {stride}")
        ours.set_weights([rng.uniform(0.1, 0.6, w.shape) - 0.3 for w in ours.get_weights()])
        # Variances must be positive.
        ours.set_weights([np.abs(w) if w.ndim == 1 else w for w in ours.get_weights()])
        own.set_weights(ours.get_weights())
        image = rng.normal(size=(2, 12, 12, 16)).astype("float32")
        both = [np.asarray(model(image)) for model in models]
        if not np.allclose(*both, rtol=1e-3, atol=1e-3):
            raise Hint("The layers are right, but their output is not: how are they connected?")
    return f"The shapes and numbers of MobileNetV2's block; with 16 channels {_parameters(16)}."


def _parameters(c):
    wide = 6 * c
    return f"{c * wide + 9 * wide + wide * c + 4 * (wide + wide + c):,} parameters"


def _compare_blocks(own, ours, case):
    """Raise the first thing in which a learner's block differs from the right one."""
    kinds = [type(layer).__name__ for layer in own.layers]
    if kinds.count("ReLU") == 3:
        raise Hint("No ReLU after the last step: the narrow end stays linear.")
    if [kind for kind in kinds if kind not in ("InputLayer", "Add")] != ORDER:
        raise Hint(f"Use these layers, in this order: {', '.join(ORDER)}.")
    by_kind = {kind: [x for x in own.layers if type(x).__name__ == kind] for kind in set(kinds)}
    if any(layer.max_value != 6 for layer in by_kind["ReLU"]):
        raise Hint("ReLU(6) cuts at 6; yours does not.")
    if any(x.use_bias for x in by_kind["Conv2D"] + by_kind["DepthwiseConv2D"]):
        raise Hint("No biases: give each convolution use_bias=False.")
    if by_kind["Conv2D"][0].filters != 6 * 16:
        raise Hint("The first Conv2D makes six times as many channels as x has.")
    (depthwise,) = by_kind["DepthwiseConv2D"]
    if depthwise.padding != "same":
        raise Hint('The depthwise convolution needs padding="same", or the image shrinks.')
    if own.output_shape != ours.output_shape:
        raise Hint(
            f"For {case} the output must have the shape {ours.output_shape}, not "
            f"{own.output_shape}: who gets `stride`, who gets `channels`?"
        )
    if ("Add" in kinds) != ("Add" in [type(layer).__name__ for layer in ours.layers]):
        raise Hint(f"Add the input exactly where the shapes are equal (here: {case}).")
    if own.count_params() != ours.count_params():
        raise Hint(f"For {case}: {own.count_params():,} parameters, not {ours.count_params():,}.")


COUNTED = pd.DataFrame(
    {
        "layer": ["Conv1", "expand", "depthwise", "Conv_1"],
        "kind": ["Conv2D 3 x 3", "Conv2D 1 x 1", "DepthwiseConv2D 3 x 3", "Conv2D 1 x 1"],
        "parameters": [100, 300, 200, 400],
        "multiply-adds": [4000, 3000, 1000, 800],
    }
)


@exercise(
    "mobilenetv2.3",
    hint="idxmax gives the row of the largest value of a column. Divide by the sum of the column.",
    given={"counted": COUNTED},
    right=("Conv_1", 0.4),
    wrong=[
        (("Conv1", 0.1), "most work"),
        (("expand", 0.3), "largest number in the column parameters"),
        (("Conv_1", 400), "share"),
        (("Conv_1", 800 / 8800), "multiply-adds"),
        (("Conv2D 1 x 1", 0.7), "kind"),
        ((3, 0.4), "name"),
        (("Conv_1", 0.2), "all parameters"),
        ("Conv_1", "two things"),
    ],
)
def _largest_layer(answer, counted):
    name, share = parts(answer, 2, "Give two things: a name and a share.")
    share = number(share)
    most = counted.loc[counted["parameters"].idxmax()]
    work = counted["multiply-adds"]
    if not isinstance(name, str):
        raise Hint("Give the name of the layer, a text of the column layer.")
    if name in set(counted["kind"]):
        raise Hint("That is a kind of many layers: one layer is asked for.")
    if name == counted.loc[work.idxmax(), "layer"] != most["layer"]:
        raise Hint("That layer needs the most work. Which one has the most parameters?")
    if name != most["layer"]:
        raise Hint("Find the layer with the largest number in the column parameters.")
    right = most["parameters"] / counted["parameters"].sum()
    if share > 1:
        raise Hint("Give a share from 0 to 1: divide by all parameters.")
    if near(share, most["multiply-adds"] / work.sum()):
        raise Hint("That is its share of the multiply-adds.")
    if not near(share, right):
        raise Hint("Divide its parameters by all parameters in counted.")
    return f"{name} holds {right:.0%}: it makes 1,280 channels, however narrow the rest is."


def _cases_of_costs():
    known = {(0.35, 64): 4735168, (0.35, 96): 10654128, (0.5, 96): 17605440}
    sizes = {0.35: 410208, 0.5: 706224}

    def cost(width, size):
        return sizes[width], known[width, size]

    return {
        "blank": (lambda width, size: ..., ...),
        "right": (cost, "size"),
        "wrong": [
            ((cost, "width"), "Call your function"),
            ((cost, "both"), '"width" or "size"'),
            ((lambda w, s: cost(w, s)[::-1], "size"), "parameters first"),
            ((lambda w, s: cost(w, 96), "size"), "use size"),
            ((lambda w, s: cost(0.35, s), "size"), "use width"),
            ((lambda w, s: (sizes[w] + 1281000, known[w, s] + 1280000), "size"), "include_top"),
            ((lambda w, s: (sizes[w], known[w, s] / 1e6), "size"), "whole numbers"),
            ((lambda w, s: sizes[w], "size"), "two numbers"),
            ((lambda w, s: None, "size"), "return"),
            ((410208, "size"), "function"),
        ],
    }


@exercise(
    "mobilenetv2.4",
    hint="The loop above builds such a body for 96 pixels and counts it. Then call cost with two "
    "widths and with two sizes, such as 64 and 96, and compare.",
    cases=_cases_of_costs,
)
def _cost(answer):
    cost, dial = parts(answer, 2, "Give two things: the function and the dial.")
    if not callable(cost):
        raise Hint("The first thing is your function cost, without brackets.")
    from utils import backbone  # here: other checks do without
    from utils.quiet import keras

    for width, size in ((0.35, 96), (0.35, 64), (0.5, 96)):
        found = answered(cost(width, size))
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise Hint("Return two numbers: (parameters, work).")
        shape = (size, size, 3)
        model = keras.applications.MobileNetV2(shape, width, include_top=False, weights=None)
        right = model.count_params(), backbone.macs(model)
        found = tuple(number(value) for value in found)
        if found == right:
            continue
        if found == right[::-1]:
            raise Hint("The other way round: parameters first, then work.")
        if found[0] > right[0] + 1e6:
            raise Hint("That is with the layer for ImageNet's 1,000 classes: include_top=False.")
        if near(found[1], right[1] / 1e6):
            raise Hint("Return whole numbers, not millions.")
        given = f"cost({width}, {size})"
        if (width, size) == (0.35, 64):
            raise Hint(f"{given} is not right: does your function use size?")
        if (width, size) == (0.5, 96):
            raise Hint(f"{given} is not right: does your function use width?")
        raise Hint(f"{given} must be {right}, not {found}.")
    if dial not in ("width", "size"):
        raise Hint('The dial is "width" or "size".')
    if dial != "size":
        raise Hint("Call your function with two sizes: what changes? Then with two widths.")
    return "The same windows at more places: more work, as many parameters."
