"""Exercises of the lesson mobilenetv2."""

import numpy as np

from utils.exercises.registry import Hint, answered, exercise, near, number, refuse

EDGE = np.array([[-1, 0, 1]] * 3)


@exercise(
    "mobilenetv2.1",
    hint="Where in `edge` do the negative weights stand, and where the positive ones? Draw the "
    "table on paper and turn the paper by a quarter.",
    right=EDGE.T,
    wrong=[
        (EDGE, "from left to right"),
        (-EDGE.T, "darker downwards"),
        (np.ones((3, 3)), "plain skin"),
        (np.array([[0, 0, 0], [0, 0, 0], [1, 1, 1]]), "plain skin"),
        (np.array([[0, 1, 1], [-1, 0, 1], [-1, -1, 0]]), "from left to right"),
        (np.zeros((3, 3)), "no answer"),
        (np.array([[1, 1, 1], [-2, -2, -2], [1, 1, 1]]), "no answer"),
        (EDGE[1], "3 x 3"),
        ([["a"]], "np.array"),
        (None, "return"),
    ],
)
def _filter(answer):
    try:
        kernel = np.asarray(answered(answer), float)
    except (TypeError, ValueError):
        raise Hint("kernel is a table of weights: np.array([[...], [...], [...]]).") from None
    if kernel.shape != (3, 3):
        raise Hint(f"kernel must be 3 x 3, not of shape {kernel.shape}.")
    down, right = np.mgrid[:3, :3] / 2  # brighter downwards; brighter to the right
    if not near((kernel * np.ones((3, 3))).sum(), 0, 1e-6):
        raise Hint("It also answers on plain skin, where all pixels are equal: its weights add up.")
    if not near((kernel * right).sum(), 0, 1e-6):
        raise Hint("It still answers to a change from left to right.")
    found = (kernel * down).sum()
    if near(found, 0, 1e-6):
        raise Hint("It gives no answer where the image gets brighter downwards.")
    if found < 0:
        raise Hint("It is positive where the image gets darker downwards: the other way round.")
    return "It answers at upper and lower borders, and at hairs that lie across."


ORDER = ["Conv2D", "ReLU", "DepthwiseConv2D", "ReLU", "Conv2D", "Add"]


def _block(relu=6, last_relu=False, bias=False, wide=6, shortcut=True, padding="same", norm=False):
    """A block as in the exercise, with one thing wrong if asked for."""
    from utils.quiet import keras  # here: other checks do without

    layers = keras.layers

    def block(x):
        channels = x.shape[-1]
        y = layers.Conv2D(wide * channels, 1, use_bias=bias)(x)
        y = layers.BatchNormalization()(y) if norm else y
        y = layers.ReLU(relu)(y)
        y = layers.DepthwiseConv2D(3, padding=padding, use_bias=bias)(y)
        y = layers.ReLU(relu)(y)
        y = layers.Conv2D(channels, 1, use_bias=bias)(y)
        y = layers.ReLU(relu)(y) if last_relu else y
        return layers.Add()([x, y]) if shortcut else y

    return block


def _cases_of_blocks():
    def in_two_rows(x):
        from utils.quiet import keras

        y = keras.layers.Conv2D(6 * x.shape[-1], 1, use_bias=False)(x)
        return keras.layers.Add()([y, y])

    def as_a_model(x):
        from utils.quiet import keras

        return keras.Model(x, _block()(x))

    return {
        "blank": lambda x: ...,
        "right": _block(),
        "wrong": [
            (_block(last_relu=True), "No ReLU after the last"),
            (_block(relu=None), "cuts at 6"),
            (_block(bias=True), "use_bias=False"),
            (_block(wide=4), "six times"),
            (_block(shortcut=False), "add x"),
            (_block(norm=True), "in this order"),
            (in_two_rows, "in this order"),
            (as_a_model, "Keras tensor"),
            (lambda x: None, "return"),
        ],
    }


@exercise(
    "mobilenetv2.2",
    hint="Keep x under its own name, since it is needed at the end, and give what comes out of "
    "each layer another one. The last number of x.shape counts its channels.",
    cases=_cases_of_blocks,
)
def _inverted_residual(answer):
    from utils.quiet import keras  # here: other checks do without

    for channels in (16, 24):
        x = keras.Input((12, 12, channels))
        out = answered(answer(x))
        if not isinstance(out, keras.KerasTensor):
            raise Hint(f"Return a Keras tensor, not {type(out).__name__}.")
        _compare_blocks(keras.Model(x, out), channels)
    return "The shape that came in goes out, and in between there are six times as many channels."


def _compare_blocks(own, channels):
    """Raise the first thing in which a learner's block differs from the right one."""
    kinds = [type(layer).__name__ for layer in own.layers if type(layer).__name__ != "InputLayer"]
    if kinds.count("ReLU") == 3:
        raise Hint("No ReLU after the last convolution.")
    if kinds == ORDER[:-1]:
        raise Hint("At the end, add x: layers.Add()([..., ...]).")
    if kinds != ORDER:
        raise Hint(f"Use these layers, in this order: {', '.join(ORDER)}.")
    expand, relu, depthwise, second_relu, project, add = own.layers[1:]
    if {relu.max_value, second_relu.max_value} != {6}:
        raise Hint("ReLU(6) cuts at 6; yours does not.")
    if expand.use_bias or depthwise.use_bias or project.use_bias:
        raise Hint("No biases: give each convolution use_bias=False.")
    if expand.filters != 6 * channels:
        raise Hint(f"For {channels} channels the first Conv2D needs six times as many filters.")
    sizes = [layer.kernel_size for layer in (expand, depthwise, project)]
    if sizes != [(1, 1), (3, 3), (1, 1)]:
        raise Hint(f"The filters must be 1 x 1, 3 x 3 and 1 x 1, not {sizes}.")
    if own.output_shape != own.input_shape:
        raise Hint(f"{own.input_shape} goes in, so {own.input_shape} must come out.")
    if {id(one) for one in add.input} != {id(own.input), id(project.output)}:
        raise Hint("Add the x that came in and what the last convolution gives.")


def _base():
    """As little of a network as the count needs."""
    from utils.quiet import keras

    layers = keras.layers
    x = keras.Input((8, 8, 4))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.Conv2D(6, 1, use_bias=False)(y)
    y = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(y)
    return keras.Model(x, y)


def _counted(base):
    """Multiply-adds now, in depthwise layers, and of plain ones in their place."""
    from utils import backbone
    from utils.quiet import keras

    depthwise = plain = 0
    for layer in base.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            height, width, channels = layer.output.shape[1:]
            depthwise += height * width * 9 * channels
            plain += height * width * 9 * channels * channels
    return backbone.macs(base), depthwise, plain


def _times(base):
    now, depthwise, plain = _counted(base)
    return (now - depthwise + plain) / now


def _cases_of_times():
    base = _base()
    now, depthwise, plain = _counted(base)
    return {
        "given": {"base": base},
        "wrong": [
            (plain / depthwise, "whole network"),
            (plain / now, "stay as they are"),
            ((now + plain) / now, "no longer there"),
            (now - depthwise + plain, "Divide"),
            (1 / _times(base), "other way round"),
            (2, "for each layer"),
            ("many", "one number"),
            (None, "return"),
        ],
    }


@exercise(
    "mobilenetv2.3",
    hint="Go through the layers and pick those of that kind. For each: what does it cost now, and "
    "what would the plain one cost, which reads all channels for each that it makes? The other "
    "layers keep their work.",
    cases=_cases_of_times,
    solution=_times,
)
def _plain_network(answer, base):
    found, (now, depthwise, plain) = number(answer), _counted(base)
    right = (now - depthwise + plain) / now
    typical = {
        "That compares these layers alone: it asks for the whole network.": plain / depthwise,
        "The 1 x 1 layers stay as they are: they count on both sides.": plain / now,
        "Take away what the depthwise layers cost now: they are no longer there.": (now + plain)
        / now,
        "Divide by the work of today.": right * now,
        "The other way round: plain layers need more.": 1 / right,
    }
    refuse(found, typical, tolerance=0.01)
    if not near(found, right, 0.05):
        raise Hint(
            "Add up for each layer: height x width places, 3 x 3 weights, and the channels that "
            "it reads for each channel that it makes."
        )
    return (
        f"{right:.0f} times the work: {(right * now) / 1e6:.0f} instead of {now / 1e6:.1f} million."
    )
