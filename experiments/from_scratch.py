"""What ImageNet's weights are worth: the same network, images and steps, begun from these weights
and from random ones; and what three times as many steps from random weights change.

All layers are trained on the seven diagnoses of HAM10k-Mini's 600 images, as in the shipped model's
recipe, but on smaller images, and judged on one view of each test image of the full split."""

import time

import numpy as np

from experiments import common
from utils import backbone, data, evaluation, models, pretrained, splits, training
from utils.evaluation import roc_auc
from utils.quiet import keras

WAYS = {  # first weights, and times the epochs
    "ImageNet": ("ImageNet", 1),
    "random": ("random", 1),
    "random, longer": ("random", 3),
}


def run():
    """Train, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``common.lesions``.
    ConnectionError
        If ImageNet's weights cannot be had.
    """
    started, asked = time.monotonic(), common.parameters("from_scratch")
    lesions = common.lesions(asked["SIZE"])
    test = lesions.subset("test")
    y, groups = test.melanoma, test.table["group"]
    wanted = [(way, seed) for way in WAYS for seed in asked["SEEDS"]]
    answers = dict(zip(wanted, common.in_parallel(probabilities, wanted), strict=True))
    found = {way: np.array([answers[way, seed] for seed in asked["SEEDS"]]) for way in WAYS}

    def gain(way):
        return evaluation.difference(roc_auc, y, found["ImageNet"], found[way], groups).to_json()

    findings = {
        "n_images": len(y),
        "n_melanomas": int(y.sum()),
        "roc_auc": {
            way: evaluation.estimate(roc_auc, y, p, groups).to_json() for way, p in found.items()
        },
        "gains": {f"ImageNet minus {way}": gain(way) for way in WAYS if way != "ImageNet"},
    }
    common.commit("from_scratch", findings, lesions, asked, started)


def probabilities(way, seed):
    """Test probabilities of one training, shape (n,)."""
    lesions = common.lesions(common.parameters("from_scratch")["SIZE"])
    test = lesions.subset("test")

    def make(backup):
        return train(lesions, test, way, seed, backup)

    found = common.kept(__name__, f"{way}-seed{seed}", [way, seed], make)
    print(f"{way}, seed {seed}: AUC {roc_auc(test.melanoma, found):.3f}", flush=True)
    return found


def train(lesions, test, way, seed, backup):
    """One training; its probabilities of melanoma for the test set."""
    asked = common.parameters("from_scratch")
    start, times = WAYS[way]
    whole = lesions.subset("train")
    mini = splits.mini(lesions.table).query("split == 'train'")["image_id"]
    chosen = whole.take(np.flatnonzero(whole.table["image_id"].isin(mini)))
    keras.utils.set_random_seed(seed)
    weights = pretrained.mobilenet_v2(asked["ALPHA"], 96) if start == "ImageNet" else None
    base = backbone.mobilenet_v2(asked["ALPHA"], asked["INPUT"], asked["INPUT"], weights)
    model = models.logit_classifier(base, len(data.DX))
    training.all_layers(
        model,
        chosen.images,
        chosen.diagnosis,
        asked["INPUT"],
        backup,
        times * asked["EPOCHS"],
        seed=seed,
        verbose=0,
    )
    return common.melanoma_probability(model, test.images)
