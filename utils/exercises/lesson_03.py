"""Exercises of lesson 03, MobileNetV2."""

import numpy as np

from utils.exercises.registry import Hint, answered, exercise, number, refuse


@exercise(
    "03.1",
    hint="Count the two steps one after the other, and do not forget the biases.",
    given={"kernel": 3, "c_in": 64, "c_out": 128},
    right=8896,
    wrong=[
        (73728, "plain convolution"),
        (73856, "plain convolution"),
        (576, "mixes the channels"),
        (704, "mixes the channels"),
        (8192, "looks at neighbours"),
        (8320, "looks at neighbours"),
        (576 * 8192, "add them"),
        (8768, "add to its sum"),
        (8960, "Only the pointwise"),
        (5, "each pair of channels"),
        ("many", "one number"),
    ],
)
def _separable_parameters(answer, kernel, c_in, c_out):
    answer, depthwise, pointwise = number(answer), kernel**2 * c_in, c_in * c_out
    plain = depthwise * c_out
    for wrong, *values in (
        ("That is a plain convolution.", plain, plain + c_out),
        ("That is depthwise alone: what mixes the channels?", depthwise, depthwise + c_out),
        ("That is pointwise alone: what looks at neighbours?", pointwise, pointwise + c_out),
        ("The two parts come one after the other: add them.", depthwise * pointwise),
        ("Nearly: what does each output channel add to its sum?", depthwise + pointwise),
        ("Only the pointwise part has biases here.", depthwise + c_in + pointwise + c_out),
    ):
        if answer in values:
            raise Hint(wrong)
    if answer != depthwise + pointwise + c_out:
        raise Hint("One kernel for each channel in, one number for each pair of channels, biases.")
    return f"A plain convolution has {(plain + c_out) / answer:.1f} times as many."


@exercise(
    "03.2",
    hint="At how many places is the kernel laid, and how many numbers does it use at each?",
    given={"side": 96, "channels": 32, "kernel": 3, "stride": 2},
    right=663552,
    wrong=[
        (2654208, "without the stride"),
        (1327104, "Twice too many"),
        (663552 * 32, "no channel sees another"),
        (288, "the parameters"),
        (20736, "left the channels out"),
        (1, "Places in the output"),
    ],
)
def _strided_macs(answer, side, channels, kernel, stride):
    numbers = kernel**2 * channels
    right = (side // stride) ** 2 * numbers
    refuse(
        answer,
        {
            "That is without the stride: at how many places is the kernel laid?": side**2 * numbers,
            "Twice too many: both sides shrink, and a multiply-add is one step.": 2 * right,
            "That is a plain convolution: here no channel sees another.": right * channels,
            "Those are the parameters: each of them is used at every place.": numbers,
            "You left the channels out: each has its own kernel.": right / channels,
        },
        tolerance=0,
    )
    if number(answer) != right:
        raise Hint("Places in the output, times kernel, times channels.")
    return "The stride saves as much as leaving out three kernels of four."


@exercise(
    "03.3",
    hint="Begin with one pixel; what does each layer add, and how far apart are its inputs?",
    given={"kernels": (3, 3, 3), "strides": (2, 2, 1)},
    right=15,
    wrong=[
        (7, "without the strides"),
        (9, "overlap"),
        (27, "do not multiply"),
        (21, "not its own kernel"),
        (12, "field and jump"),
    ],
)
def _receptive_field(answer, kernels, strides):
    right, early, jump = 1, 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        right += (kernel - 1) * jump
        jump *= stride
        early += (kernel - 1) * jump
    refuse(
        answer,
        {
            "That is without the strides.": 1 + sum(k - 1 for k in kernels),
            "Neighbouring kernels overlap: each layer adds a border, it does not add itself.": (
                sum(kernels)
            ),
            "Fields do not multiply: each layer adds a border on both sides.": np.prod(kernels),
            "A stride spreads the layers *after* it, not its own kernel.": early,
        },
        tolerance=0,
    )
    if number(answer) != right:
        raise Hint("Walk through the layers with two numbers: field and jump.")
    return "Strides early in a network widen the view of all later layers."


@exercise(
    "03.4",
    hint="Two points fix it: what should 0 and 255 become?",
    blank=lambda pixels: ...,
    right=lambda pixels: pixels / 127.5 - 1,
    wrong=[
        (lambda pixels: pixels / 255, "That is 0 to 1"),
        (lambda pixels: pixels / 255 - 0.5, "half as wide"),
        (lambda pixels: 1 - pixels / 127.5, "upside down"),
        (lambda pixels: pixels / 127.5, "not 2"),
        (lambda pixels: pixels * 2 / 255 - 1, "wraps around"),
        (lambda pixels: pixels / 128 - 1, "What should 0 and 255"),
        (lambda pixels: pixels[0] / 127.5 - 1, "every pixel"),
        (lambda pixels: None, "return"),
    ],
)
def _scaled_pixels(answer):
    pixels = np.array([[0, 51], [204, 255]], np.uint8)
    found = np.asarray(answered(answer(pixels)))
    if found.shape != pixels.shape:
        raise Hint(f"The result has shape {found.shape}, not {pixels.shape}: treat every pixel.")
    ranges = {
        "That is 0 to 1. Where does 0 have to go?": (0, 1),
        "That is -0.5 to 0.5: the middle is right, the range is half as wide.": (-0.5, 0.5),
        "The range is upside down: black must become -1.": (1, -1),
        "255 must become 1, not 2: subtract after dividing, or divide by half of 255.": (0, 2),
    }
    for wrong, (low, high) in ranges.items():
        if np.allclose(found, low + (high - low) * (pixels / 255)):
            raise Hint(wrong)
    right = pixels / 127.5 - 1
    if np.allclose(found, right):
        return "Black becomes -1, white 1: what the weights were trained with."
    if np.allclose(np.asarray(answer(pixels.astype(float)), float), right):
        raise Hint("Right for floats, but uint8 wraps around after 255: convert first.")
    given, got = pixels.ravel().tolist(), np.round(found.astype(float).ravel(), 3).tolist()
    raise Hint(f"{given} became {got}. What should 0 and 255 become?")
