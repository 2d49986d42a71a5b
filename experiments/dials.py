"""What frozen features know of melanoma, over ten draws of HAM10k-Mini: width and input size as two
dials, against random weights, against the colour baseline, and fed in a wrong range.

A linear probe is fitted to the features of every network on each of the draws
``splits.mini(seed=...)`` and judged on the draw's validation set."""

import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments import common
from experiments.common import over_draws
from utils import backbone, baselines, data, evaluation, pretrained, results, splits
from utils.quiet import keras

RANGES = {"-1 to 1": (-1, 1), "0 to 1": (0, 1), "0 to 255": (0, 255)}
RIGHT = "width 35%, input 96"
# Width, pixels a side inside the network, pixels a side that its weights were trained at (None:
# random), range of the pixels, seed.
GRID = {
    f"width {alpha:.0%}, input {size}": (alpha, size, trained, "-1 to 1", 0)
    for alpha, trained in ((0.35, 96), (1.0, 224))
    for size in (32, 64, 96, 128, 224)
}
NETWORKS = dict(GRID)
NETWORKS |= {
    f"width 35%, input {size}, weights of 224": (0.35, size, 224, "-1 to 1", 0)
    for size in (96, 224)
}
NETWORKS |= {f"random {seed}": (0.35, 96, None, "-1 to 1", seed) for seed in range(3)}
NETWORKS |= {name: (0.35, 96, 96, name, 0) for name in ("0 to 1", "0 to 255")}


def run():
    """Compute, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``common.lesions``.
    """
    started, asked = time.monotonic(), common.parameters("dials")
    table = data.load_table("folder")[0]
    draws = [splits.mini(table, seed=draw) for draw in asked["DRAWS"]]
    wanted = {image for mini in draws for image in mini["image_id"]}
    lesions = load(wanted, asked["SIZE"])
    row_of = {image: row for row, image in enumerate(lesions.table["image_id"])}
    rows = [[row_of[image] for image in mini["image_id"]] for mini in draws]
    found = {name: features(lesions.images, name) for name in NETWORKS}
    judged = [judge(mini, lesions.images[r], found, r) for mini, r in zip(draws, rows, strict=True)]
    kept = {name: over_draws([one[name] for one in judged]) for name in judged[0]}

    def gain(a, *b):
        return over_draws([one[a] - np.mean([one[name] for name in b]) for one in judged])

    randoms = [name for name in NETWORKS if name.startswith("random")]
    findings = {
        "roc_auc": kept,
        "grid": [on_grid(name, kept[name]) for name in GRID],
        "gains": {
            "ImageNet minus random": gain(RIGHT, *randoms),
            "ImageNet minus colours": gain(RIGHT, "colour baseline"),
        }
        | {
            f"width 100%, input {size} minus input 224": gain(
                f"width 100%, input {size}", "width 100%, input 224"
            )
            for size in (32, 64, 96, 128)
        }
        | {
            f"{name} minus {RIGHT}": gain(name, RIGHT)
            for name in kept
            if name not in (RIGHT, "colour baseline", *randoms)
        },
    }
    used = {"SIZE": asked["SIZE"], "judged_on": "validation"}
    fingerprints = [splits.fingerprint(mini) for mini in draws]
    results.commit(
        "dials", findings, lesions.source, used, started, split_fingerprints=fingerprints
    )


def load(wanted, size):
    """The images of all draws."""

    def select(table):
        return table[table["image_id"].isin(wanted)].assign(split="train")

    return common.lesions(size, select)


def network(name):
    """From pixels 0..255 to pooled features."""
    side = common.parameters("dials")["SIZE"]
    alpha, size, trained, fed, seed = NETWORKS[name]
    keras.utils.set_random_seed(seed)
    weights = pretrained.mobilenet_v2(alpha, trained) if trained else None
    if trained and f"trained at {trained} px" not in pretrained.describe(weights):
        raise FileNotFoundError(f"The weights of width {alpha} at {trained} px are not here.")
    base = keras.applications.MobileNetV2(
        (size, size, 3), alpha, include_top=False, weights=weights, pooling="avg"
    )
    low, high = RANGES[fed]
    pixels = keras.Input((side, side, 3))
    x = keras.layers.Resizing(size, size)(pixels)
    x = keras.layers.Rescaling((high - low) / 255, offset=low)(x)
    return keras.Model(pixels, base(x, training=False)), base


def features(images, name):
    """Pooled features of all images."""

    def make(_):
        found = network(name)[0].predict(images, batch_size=100, verbose=0)
        print(f"{name}: {found.shape[1]:,} features", flush=True)
        return found

    return common.kept(__name__, name, [NETWORKS[name], len(images)], make)


def on_grid(name, auc):
    """A network of the grid: what it costs, and its mean AUC with the ends of the interval."""
    alpha, size, *_ = NETWORKS[name]
    base = network(name)[1]
    counts = {"parameters": base.count_params(), "MACs": backbone.macs(base)}
    found = {"auc": auc["value"], "low": auc["low"], "high": auc["high"]}
    return {"width": alpha, "input": size} | counts | found


def probe(x, y):
    """A logistic regression whose penalty is chosen inside the training set."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    strengths = {"logisticregression__C": [1e-5, 1e-4, 1e-3]}
    return GridSearchCV(pipeline, strengths, scoring="roc_auc").fit(x, y)


def judge(mini, images, found, rows):
    """ROC AUC on the validation set of one draw, by network and for the colours.

    ``later: ...`` is a probe that learned from pixels in the right range and is asked about others.
    """
    melanoma = (mini["dx"] == "mel").to_numpy().astype(int)
    train, validation = ((mini["split"] == name).to_numpy() for name in ("train", "validation"))
    y = melanoma[validation]

    def auc(model, x):
        return evaluation.roc_auc(y, model.predict_proba(x)[:, 1])

    colours = baselines.colour_baseline(images[train], melanoma[train])
    judged = {
        "colour baseline": auc(colours, baselines.colour_features(images[validation])),
    }
    of_draw = {name: x[rows] for name, x in found.items()}
    for name, x in of_draw.items():
        model = probe(x[train], melanoma[train])
        judged[name] = auc(model, x[validation])
        if name == RIGHT:
            for fed in ("0 to 1", "0 to 255"):
                judged[f"later: {fed}"] = auc(model, of_draw[fed][validation])
    print(", ".join(f"{name} {value:.3f}" for name, value in judged.items()), flush=True)
    return judged
