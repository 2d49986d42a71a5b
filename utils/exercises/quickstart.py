"""Exercises of the lesson quickstart."""

from utils.evaluation import Estimate
from utils.exercises.registry import Hint, answered, exercise, near, number, parts

IMAGES = 200  # of the test set
VERDICTS = ("network", "colours", "inconclusive")


@exercise(
    "quickstart.1",
    hint="Where does zero lie: inside the interval, or outside? The interval's ends, gain.low and "
    "gain.high, are shares of the test images. Of how many?",
    given={"gain": Estimate(-0.015, -0.065, 0.04)},
    right=("inconclusive", -13, 8),
    wrong=[
        (("colours", -13, 8), "holds zero"),
        (("network", -13, 8), "holds zero"),
        (("equal", -13, 8), "does not show that both are equal"),
        (("better", -13, 8), 'Answer "network"'),
        (("inconclusive", -0.065, 0.04), "shares"),
        (("inconclusive", 8, -13), "other way round"),
        (("inconclusive", 13, 8), "minus sign"),
        (("inconclusive", -3, -3), "not its middle"),
        (("inconclusive", -13, 3), f"share of {IMAGES} images"),
        (("inconclusive", "-13", "many"), "one number"),
        ("inconclusive", "three things"),
    ],
)
def _paired_difference(answer, gain):
    verdict, *ends = parts(answer, 3, "Give three things: (verdict, at_worst, at_best).")
    ends = [number(end) for end in ends]
    if verdict in ("equal", "neither", "same"):
        raise Hint("An interval that holds zero does not show that both are equal.")
    if verdict not in VERDICTS:
        raise Hint('Answer "network", "colours" or "inconclusive".')
    shown = VERDICTS[0 if gain.low > 0 else 1 if gain.high < 0 else 2]
    if verdict != shown:
        raise Hint(
            "The interval holds zero: the order may turn round on other images."
            if shown == VERDICTS[2]
            else "The interval lies on one side of zero. Network minus colours: which side?"
        )
    shares = [gain.low, gain.high]
    images = [IMAGES * share for share in shares]

    def given_are(values, tolerance=0.5):
        return all(near(end, value, tolerance) for end, value in zip(ends, values, strict=True))

    if given_are(images, 0.51):
        low, high = (f"{image:+.0f}" for image in images)
        size = "too few to decide" if shown == VERDICTS[2] else "enough to decide, not to measure"
        return f"From {low} to {high} images: {IMAGES} are {size}."
    if given_are(shares, 0.006):
        raise Hint(f"Those are shares. How many of {IMAGES} images are they?")
    if given_are(images[::-1]):
        raise Hint("The other way round: first the worst for the network, then the best.")
    if given_are([IMAGES * gain.value] * 2):
        raise Hint("Take the ends of the interval, not its middle.")
    if all(near(abs(e), abs(i), 0.5) for e, i in zip(ends, images, strict=True)):
        raise Hint("Mind the minus sign: it says that the network is right less often.")
    raise Hint(f"Each end of the interval is a share of {IMAGES} images: multiply.")


def _cases_of_heads():
    from utils.quiet import keras

    layers = keras.layers

    def head(pool=None, first=0.3, second=0.2, relu="relu", last=None, units=None):
        def new_head(n):
            return keras.Sequential(
                [
                    pool or layers.GlobalAveragePooling2D(),
                    layers.Dropout(first),
                    layers.Dense(units or n, activation=relu),
                    layers.Dropout(second),
                    last or layers.Dense(1, activation="sigmoid"),
                ]
            )

        return new_head

    def functional(n):
        inputs = keras.Input((3, 3, 1280))
        return keras.Model(inputs, head()(n)(inputs))

    return {
        "blank": lambda units: ...,
        "right": head(),
        "wrong": [
            (head(last=layers.Dense(1, activation="softmax")), "always 1"),
            (head(last=layers.Dense(1)), "from 0 to 1"),
            (head(last=layers.Dense(2, activation="sigmoid")), "one number"),
            (head(pool=layers.Flatten()), "GlobalAveragePooling2D"),
            (head(units=128), "`units` neurons"),
            (head(relu=None), "relu"),
            (head(first=0.2, second=0.3), "Dropout(0.3)"),
            (lambda units: keras.Sequential([layers.Dense(1)]), "Five layers"),
            (lambda units: [layers.Dense(units)], "keras.Sequential"),
            (functional, "keras.Sequential"),
            (lambda units: None, "return"),
        ],
    }


@exercise(
    "quickstart.2",
    hint="keras.Sequential takes a list of layers. Copy the five lines after `base` from the big "
    "cell, without the x, and change one number.",
    cases=_cases_of_heads,
)
def _new_head(answer):
    from utils.quiet import keras  # here: other lessons' checks do without

    head = answered(answer(64))
    if not isinstance(head, keras.Sequential):
        raise Hint(f"Return a keras.Sequential, not {type(head).__name__}.")
    kinds = [type(layer).__name__ for layer in head.layers]
    wanted = ["GlobalAveragePooling2D", "Dropout", "Dense", "Dropout", "Dense"]
    if "Flatten" in kinds:
        raise Hint("Flatten keeps a number for every place. Take GlobalAveragePooling2D.")
    if kinds != wanted:
        raise Hint(f"Five layers, in this order: {', '.join(wanted)}. Yours are {kinds}.")
    _, first, hidden, second, last = head.layers
    if (first.rate, second.rate) != (0.3, 0.2):
        raise Hint("Dropout(0.3) comes before the first Dense layer, Dropout(0.2) after it.")
    if hidden.units != 64:
        raise Hint(f"new_head(64) must have `units` neurons, 64, not {hidden.units}.")
    if hidden.activation is not keras.activations.relu:
        raise Hint("Without relu, two Dense layers can do no more than one.")
    if last.units != 1:
        raise Hint("The question is yes or no: one number is enough.")
    if last.activation is keras.activations.softmax:
        raise Hint("A softmax over a single number is always 1. Which activation fits one number?")
    if last.activation is not keras.activations.sigmoid:
        raise Hint("A probability lies from 0 to 1: which activation sees to that?")
    n = answer(128)(keras.ops.zeros((1, 3, 3, 1280))).shape
    if tuple(n) != (1, 1):
        raise Hint(f"One image gives an output of shape {tuple(n)}, not (1, 1).")
    return "Put new_head(16) or new_head(512) into the big cell, and see whether 128 matters."
