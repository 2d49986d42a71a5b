"""Exercises of the lesson quickstart."""

import pandas as pd

from utils.exercises.registry import Hint, exercise, number, parts


def _cases_of_networks():
    from utils.quiet import keras

    layers = keras.layers
    base = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(5, 3)], name="base")
    base.trainable = False

    def network(*head, scaled=True, pooled=True, base=base):
        first = [layers.Resizing(8, 8)] + [layers.Rescaling(1 / 127.5, offset=-1)] * scaled
        pool = [layers.GlobalAveragePooling2D()] * pooled
        return keras.Sequential([keras.Input((4, 4, 3)), *first, base, *pool, *head])

    def last(units=1, activation="sigmoid"):
        return layers.Dense(units, activation=activation)

    right = network(last())
    free = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(5, 3)])
    return {
        "blank": (..., ...),
        "right": (right, 6),
        "wrong": [
            (right, "two things"),
            ((layers.Dense(1), 6), "keras.Sequential"),
            ((network(layers.Dropout(0.3), last()), 6), "Dropout layer left"),
            ((network(layers.Dense(4), last()), 29), "One Dense layer"),
            ((network(layers.Flatten(), last(), pooled=False), 181), "GlobalAveragePooling2D"),
            ((network(last(), pooled=False), 6), "GlobalAveragePooling2D"),
            ((network(last(), scaled=False), 6), "Rescaling"),
            ((keras.Sequential([keras.Input((5,)), last()]), 6), "`base`"),
            ((network(last(activation="softmax")), 6), "always 1"),
            ((network(last(activation=None)), 6), "from 0 to 1"),
            ((network(last(2)), 12), "one number"),
            ((network(last(), base=free), 146), "base is trainable"),
            ((right, 146), "cannot change"),
            ((right, 140), "cannot change"),
            ((right, 5), "adds one number"),
            ((right, 7), "small.summary()"),
        ],
    }


@exercise(
    "quickstart.1",
    hint="Copy the cell above, call the network `small`, and delete the lines of its head that it "
    "should do without. Which Dense layer gives the probability? Then small.summary() counts.",
    cases=_cases_of_networks,
)
def _small_head(answer):
    from utils.quiet import keras  # here: other lessons' checks do without

    small, told = parts(answer, 2, "Give two things: (small, trainable).")
    if not isinstance(small, keras.Model):
        raise Hint(f"Build a keras.Sequential, not {type(small).__name__}.")
    kinds = [type(layer).__name__ for layer in small.layers]
    if "Dropout" in kinds:
        raise Hint("There is a Dropout layer left.")
    if kinds.count("Dense") != 1 or kinds[-1] != "Dense":
        raise Hint("One Dense layer, the last: the one that gives the probability.")
    bases = [layer for layer in small.layers if isinstance(layer, keras.Model)]
    if not bases:
        raise Hint("Without `base` there is nothing to reuse.")
    if "GlobalAveragePooling2D" not in kinds:
        raise Hint("Keep GlobalAveragePooling2D: it leaves one number for each feature.")
    if "Rescaling" not in kinds:
        raise Hint("Keep Rescaling: the base learned from pixels from -1 to 1.")
    last = small.layers[-1]
    if last.units != 1:
        raise Hint("The question is yes or no: one number is enough.")
    if last.activation is keras.activations.softmax:
        raise Hint("A softmax over a single number is always 1. Which activation fits one number?")
    if last.activation is not keras.activations.sigmoid:
        raise Hint("A probability lies from 0 to 1: which activation sees to that?")
    features, told = last.kernel.shape[0], number(told)
    trainable = sum(weight.numpy().size for weight in small.trainable_weights)
    if trainable != features + 1:
        raise Hint("The base is trainable here: set base.trainable = False, and build it again.")
    if told in (small.count_params(), small.count_params() - trainable):
        raise Hint("That counts numbers of the base, which training cannot change.")
    if told == features:
        raise Hint("Nearly: beside its weights, a Dense layer adds one number, its bias.")
    if told != trainable:
        raise Hint("Let Keras count: small.summary() says how many are trainable.")
    long = 128 * trainable + 129
    return f"{features:,} weights and a bias. The lesson's head has {long:,} numbers."


TABLE = pd.DataFrame({"dx": ["mel", "nv", "nv", "bkl", "bcc", "mel", "nv", "bkl"]})
CALLED = TABLE.index.isin([0, 1, 2, 3, 4])
COUNTED = {"nv": 2, "bkl": 1, "bcc": 1}


@exercise(
    "quickstart.2",
    hint="table.loc[rows, column] takes some rows of a table and one column of it; value_counts "
    "counts. Which two conditions make a false alarm? Join them with `&`, the second in brackets.",
    given={"table": TABLE, "called": CALLED},
    right=pd.Series(COUNTED),
    wrong=[
        (pd.Series(COUNTED | {"mel": 1}), "found melanomas"),
        (pd.Series({"nv": 3, "bkl": 2, "bcc": 1}), "not only those"),
        (pd.Series({"nv": 1, "bkl": 1}), "left alone"),
        (pd.Series({"nv": 0.5, "bkl": 0.25, "bcc": 0.25}), "normalize"),
        (pd.Series({"nv": 2}), "diagnoses are missing"),
        (pd.Series({"nv": 2, "bkl": 1, "bcc": 2}), "Not of bcc"),
        (4, "one count for each diagnosis"),
        (pd.DataFrame({"dx": COUNTED}), "one count for each diagnosis"),
    ],
)
def _false_alarms(alarms, table, called):
    if not isinstance(alarms, pd.Series | dict):
        raise Hint("A pandas Series: one count for each diagnosis.")
    said = {name: number(count) for name, count in dict(alarms).items() if count}
    harmless = table["dx"] != "mel"

    def counts(rows):
        return table.loc[rows, "dx"].value_counts().to_dict()

    right = counts(called & harmless)
    typical = {
        "Those are all that are called melanoma: found melanomas are no false alarms.": called,
        "Those are all images that show no melanoma, not only those called melanoma.": harmless,
        "Those are the ones that are left alone: rightly.": ~called & harmless,
    }
    for hint, rows in typical.items():
        if said == counts(rows) and said != right:
            raise Hint(hint)
    if said and said != right and abs(sum(said.values()) - 1) < 0.02:
        raise Hint("Those are shares. Count the images: without normalize.")
    if missing := sorted(right.keys() - said.keys()):
        raise Hint(f"{len(missing)} diagnoses are missing: count all that occur.")
    for name, count in said.items():
        if count != right.get(name, 0):
            raise Hint(f"Not of {name}: count the images that are called melanoma and are none.")
    serious = sum(right.get(name, 0) for name in ("bcc", "akiec"))
    return (
        f"{sum(right.values())} false alarms, {serious} of them on basal-cell carcinomas, "
        "precursors or early forms of cancer (akiec): no melanomas, and still not harmless."
    )
