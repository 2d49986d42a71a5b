"""What frozen features tell of melanoma, over ten draws of HAM10k-Mini: width and input size as two
dials, against random weights, against the colour baseline, and fed in a wrong range.

A linear probe is fitted to the features of every network on each of the draws
``splits.mini(seed=...)`` and judged on the draw's validation set; some also on the test images of
the course whose lesions it was not trained on."""

import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments import common
from experiments.common import over_draws
from utils import backbone, baselines, data, digest, evaluation, pretrained, results, splits
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
NETWORKS |= {f"random {seed}": (0.35, 96, None, "-1 to 1", seed) for seed in range(10)}
NETWORKS |= {name: (0.35, 96, 96, name, 0) for name in ("0 to 1", "0 to 255")}
RANDOMS = [name for name in NETWORKS if name.startswith("random")]
COLOURS = "colour baseline"
# Probes that learned from pixels in the right range and are asked about others.
LATER = {f"later: {fed}": fed for fed in ("0 to 1", "0 to 255")}
PROBES = (COLOURS, *NETWORKS, *LATER)
TRAINED_ON = -1.0  # in the place of a probability


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
    test = splits.full(table).query("split == 'test'")
    wanted = set(test["image_id"]).union(*(mini["image_id"] for mini in draws))
    lesions = load(wanted, asked["SIZE"])
    row_of = {image: row for row, image in enumerate(lesions.table["image_id"])}
    found = {name: features(lesions.images, name) for name in NETWORKS}
    test_rows = [row_of[image] for image in test["image_id"]]
    judged, of_test = [], []
    for mini in draws:
        rows = np.array([row_of[image] for image in mini["image_id"]])
        validation = (mini["split"] == "validation").to_numpy()
        asked_rows = [*rows[validation], *test_rows]
        p = of_draw(mini, lesions.images, found, rows, asked_rows)
        judged.append(judge(mini[validation], p[:, : validation.sum()]))
        of_test.append(dict(zip(PROBES, p[:, validation.sum() :], strict=True)))
    kept = {name: over_draws([one[name] for one in judged]) for name in PROBES}

    def gain(a, *b):
        return over_draws([one[a] - np.mean([one[name] for name in b]) for one in judged])

    by_network = [np.mean([one[RIGHT] - one[name] for one in judged]) for name in RANDOMS]
    findings = {
        "roc_auc": kept,
        "lowest": {name: min(one["seeds"]) for name, one in kept.items()},
        "highest": {name: max(one["seeds"]) for name, one in kept.items()},
        "random": {
            "networks": len(RANDOMS),
            "lowest": min(kept[name]["value"] for name in RANDOMS),
            "highest": max(kept[name]["value"] for name in RANDOMS),
            "ImageNet minus one": over_draws(by_network),  # here over the networks
        },
        "test": on_test(test, of_test, [mini.query("split == 'train'")["group"] for mini in draws]),
        "grid": [on_grid(name, kept[name]) for name in GRID],
        "gains": {
            "ImageNet minus random": gain(RIGHT, *RANDOMS),
            "ImageNet minus colours": gain(RIGHT, COLOURS),
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
            if name not in (RIGHT, COLOURS, *RANDOMS)
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
    strengths = {"logisticregression__C": [1e-4, 1e-3, 1e-2]}
    return GridSearchCV(pipeline, strengths, scoring="roc_auc").fit(x, y)


def of_draw(mini, images, found, rows, asked):
    """Probabilities of melanoma by all probes of one draw, kept.

    Parameters
    ----------
    mini : DataFrame
        The draw.
    images : ndarray
        Of all draws and the test set.
    found : dict of str to ndarray
        Features of these images by network.
    rows : ndarray of int
        Of the draw's images.
    asked : list of int
        Rows of the images to ask about.

    Returns
    -------
    ndarray, shape (len(PROBES), len(asked))
    """

    def make(_):
        melanoma = (mini["dx"] == "mel").to_numpy().astype(int)
        train = (mini["split"] == "train").to_numpy()
        y, learned = melanoma[train], rows[train]
        probes = {COLOURS: baselines.colour_baseline(images[learned], y)}
        probes |= {name: probe(x[learned], y) for name, x in found.items()}
        x_asked = {COLOURS: baselines.colour_features(images[asked])}
        x_asked |= {name: x[asked] for name, x in found.items()}
        p = {name: probes[name].predict_proba(x)[:, 1] for name, x in x_asked.items()}
        p |= {name: probes[RIGHT].predict_proba(x_asked[fed])[:, 1] for name, fed in LATER.items()}
        return np.array([p[name] for name in PROBES])

    drawn = splits.fingerprint(mini)
    depends = [drawn, digest.of([int(row) for row in asked])]
    return common.kept(__name__, f"draw {drawn[:8]}", depends, make)


def judge(validation, p):
    """ROC AUC on a draw's validation set, by probe; p has a row of probabilities for each."""
    y = (validation["dx"] == "mel").to_numpy()
    judged = {name: evaluation.roc_auc(y, one) for name, one in zip(PROBES, p, strict=True)}
    print(", ".join(f"{name} {value:.3f}" for name, value in judged.items()), flush=True)
    return judged


def on_test(test, answers, trained):
    """Probes of all draws on the test images: mean AUCs and paired differences, by lesion.

    Each draw's probes are paired with each other; a draw has one random network of its own. A draw
    of another seed has test lesions of the course in its training set: it leaves its own out.

    Parameters
    ----------
    test : DataFrame
        The test images.
    answers : list of dict of str to ndarray
        Of each draw: probabilities for them by probe.
    trained : list of Series
        Of each draw: groups in its training set.
    """
    y, groups = (test["dx"] == "mel").to_numpy().astype(int), test["group"]
    seen = np.array([groups.isin(own) for own in trained])

    def of(names):
        found = [one[name] for one, name in zip(answers, names, strict=True)]
        return np.where(seen, TRAINED_ON, found)

    n = len(answers)
    imagenet, colours = of([RIGHT] * n), of([COLOURS] * n)
    randoms = of([RANDOMS[i % len(RANDOMS)] for i in range(n)])
    found = {
        "ImageNet": evaluation.estimate(auc_of_new, y, imagenet, groups),
        "colour baseline": evaluation.estimate(auc_of_new, y, colours, groups),
        "random": evaluation.estimate(auc_of_new, y, randoms, groups),
        "ImageNet minus colours": evaluation.difference(auc_of_new, y, imagenet, colours, groups),
        "ImageNet minus random": evaluation.difference(auc_of_new, y, imagenet, randoms, groups),
    }
    new = (~seen).sum(axis=1)
    return {"images": len(y), "fewest": int(new.min()), "most": int(new.max())} | {
        name: one.to_json() for name, one in found.items()
    }


def auc_of_new(y, p):
    """ROC AUC over the images whose lesions are new to a draw."""
    new = p != TRAINED_ON
    return evaluation.roc_auc(y[new], p[new])
