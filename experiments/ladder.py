"""The ladder on all of HAM10000, one change a rung, and three ways to balance classes.

Every rung is trained with three seeds (two for the ways to balance) and judged on the test set."""

import time
from itertools import pairwise

import numpy as np
from sklearn.metrics import average_precision_score

from experiments import common
from utils import backbone, baselines, evaluation, models, pretrained, splits, training
from utils.evaluation import roc_auc
from utils.quiet import keras

START = {"learns": "head", "strength": None, "classes": 2, "images": "mini", "epochs": 20}
# What each rung changes of the one before. 30 epochs of 600 images are as many steps as 3 of
# all: more steps and another class mix have rungs of their own before more images come.
RUNGS = {
    "head alone": {},
    "last 20 layers": {"learns": "last 20 layers"},
    "all layers": {"learns": "all but BatchNorm"},
    "BatchNorm too": {"learns": "everything"},
    "augmentation": {"strength": "plain"},
    "seven diagnoses": {"classes": 7},
    "more steps": {"epochs": 30},
    "natural class mix": {"images": "600"},
    "all images": {"images": "all", "epochs": 3},
}
BALANCE = ("as it is", "class weights", "balanced batches", "focal loss")
BALANCE_ON = START | {"learns": "everything", "strength": "plain", "images": "1500", "epochs": 10}


def run():
    """Train, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``common.lesions``.
    """
    started, asked = time.monotonic(), common.parameters("ladder")
    lesions = common.lesions(asked["SIZE"])
    test = lesions.subset("test")
    y, groups = test.melanoma, test.table["group"]
    wanted = [
        (name, seed)
        for name in trainings()
        for seed in asked["BALANCE_SEEDS" if name.startswith("balance") else "SEEDS"]
    ]
    answers = common.in_parallel(probabilities, wanted)
    found = {
        name: np.array([p for (of, _), p in zip(wanted, answers, strict=True) if of == name])
        for name in trainings()
    }
    rungs = {name: found[name][:, 0] for name in RUNGS}
    rungs["eight views"] = found["all images"][:, 1]
    rungs["three trainings together"] = rungs["eight views"].mean(axis=0)
    balance = {name: found[f"balance: {name}"][:, 0] for name in BALANCE}
    colours = baselines.baseline_probabilities(lesions.subset("train"), test)["colour baseline"][0]

    def auc(p):
        return evaluation.estimate(roc_auc, y, p, groups).to_json()

    def gain(a, b, measure=roc_auc):
        return evaluation.difference(measure, y, a, b, groups).to_json()

    findings = {
        "n_images": len(y),
        "n_melanomas": int(y.sum()),
        "roc_auc": {name: auc(p) for name, p in rungs.items()} | {"colour baseline": auc(colours)},
        "gains": {b: gain(rungs[b], rungs[a]) for a, b in pairwise(rungs)},
        "over_colours": {name: gain(p, colours) for name, p in rungs.items()},
        "balance": {name: auc(p) for name, p in balance.items()},
        "balance_gains": {
            name: {
                "roc_auc": gain(balance[name], balance[BALANCE[0]]),
                "average_precision": gain(
                    balance[name], balance[BALANCE[0]], average_precision_score
                ),
            }
            for name in BALANCE[1:]
        },
    }
    common.commit("ladder", findings, lesions, asked, started)


def trainings():
    """What to train: settings by name, a rung's those of the one before with its one change."""
    found, rung = {}, START
    for name, change in RUNGS.items():
        found[name] = rung = rung | change
    return found | {f"balance: {name}": BALANCE_ON for name in BALANCE}


def probabilities(name, seed):
    """Test probabilities of one training.

    Returns
    -------
    ndarray of float, shape (2, n)
        From one view of each image, and for "all images" averaged over its eight symmetries.
    """
    lesions = common.lesions(common.parameters("ladder")["SIZE"])
    test = lesions.subset("test")

    def make(backup):
        return train(lesions, test, name, seed, backup)

    found = common.kept(__name__, f"{name}-seed{seed}", [name, trainings()[name], seed], make)
    print(f"{name}, seed {seed}: AUC {roc_auc(test.melanoma, found[0]):.3f}", flush=True)
    return found


def train(lesions, test, name, seed, backup):
    """One training; probabilities of shape (2, n) as ``probabilities``."""
    size, inside, alpha = (common.parameters("ladder")[key] for key in ("SIZE", "INPUT", "ALPHA"))
    chosen, way = trainings()[name], name.removeprefix("balance: ")
    train_set = training_images(lesions, chosen["images"], seed)
    labels = train_set.diagnosis if chosen["classes"] == 7 else train_set.melanoma
    rows, epochs = np.arange(len(labels)), chosen["epochs"]
    if way == "balanced batches":
        times = round((labels == 0).sum() / labels.sum())
        rows = np.concatenate([rows, np.tile(np.flatnonzero(labels), times - 1)])
        epochs = round(epochs * len(labels) / len(rows))  # as many steps
    keras.utils.set_random_seed(seed)
    base = backbone.mobilenet_v2(alpha, size, inside, pretrained.mobilenet_v2(alpha, 96))
    model = models.logit_classifier(base, chosen["classes"])
    # From zeros: a random head would cost the lowest rung much of its short training.
    head = model.get_layer("logits")
    head.set_weights([np.zeros_like(w) for w in head.get_weights()])
    freeze(base, chosen["learns"])
    training.all_layers(
        model,
        train_set.images[rows],
        labels[rows],
        inside,
        backup,
        epochs,
        seed=seed,
        strength=chosen["strength"],
        loss=loss(way, labels),
        verbose=0,
    )
    all_views = name == "all images"
    views = models.symmetric_views(test.images) if all_views else [test.images]
    found = [common.melanoma_probability(model, images) for images in views]
    return np.array([found[0], np.mean(found, axis=0)])


def training_images(lesions, which, seed):
    """HAM10k-Mini's 600 images ("mini"), all, or so many drawn at the natural class mix."""
    whole = lesions.subset("train")
    if which == "all":
        return whole
    if which == "mini":
        wanted = splits.mini(lesions.table).query("split == 'train'")["image_id"]
        return whole.take(np.flatnonzero(whole.table["image_id"].isin(wanted)))
    rng = np.random.default_rng(seed)
    return whole.take(np.sort(rng.choice(len(whole), int(which), replace=False)))


def freeze(base, learns):
    """Leave trainable what ``learns`` says."""
    if learns == "head":
        backbone.unfreeze_top(base, 0)
    elif learns == "last 20 layers":
        backbone.unfreeze_top(base, 20)
    elif learns == "all but BatchNorm":
        backbone.unfreeze_top(base, len(base.layers))


def loss(way, labels):
    """The loss that a way of balancing asks for; None is plain cross-entropy.

    Focal loss: Lin et al., ICCV 2017, arXiv:1708.02002, with exponent 2. Class weights: each
    class weighs ``n / (2 n_class)``, as scikit-learn's "balanced".
    """
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    if way == "class weights":
        shares = np.bincount(labels) / len(labels)

        def weighted(y, logits):
            weights = keras.ops.take((0.5 / shares).astype("float32"), keras.ops.cast(y, "int32"))
            return weights * plain(y, logits)

        return weighted
    if way == "focal loss":
        return lambda y, logits: (1 - keras.ops.exp(-plain(y, logits))) ** 2 * plain(y, logits)
    return None
