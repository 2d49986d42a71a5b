"""The original project's recipe with HAM10k-Mini's 600 images, judged on all test images of the
full split, with their natural share of melanomas: what is inconclusive on 200 images?"""

import time

import numpy as np

from experiments import common
from utils import backbone, baselines, evaluation, models, pretrained, splits, training
from utils.evaluation import roc_auc
from utils.quiet import keras


def run():
    """Train at each size, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``common.lesions``.
    """
    started, asked = time.monotonic(), common.parameters("full_test")
    answers = common.in_parallel(network, [(size,) for size in asked["SIZES"]])
    findings = {}
    for size, p in zip(asked["SIZES"], answers, strict=True):
        whole, mini = common.lesions(size), common.lesions(size, splits.mini)
        test = whole.subset("test")
        y, groups = test.melanoma, test.table["group"]
        colours = baselines.baseline_probabilities(mini.subset("train"), test)["colour baseline"][0]
        findings[f"{size} px"] = {
            "network": evaluation.estimate(roc_auc, y, p, groups).to_json(),
            "colour baseline": evaluation.estimate(roc_auc, y, colours, groups).to_json(),
            "network minus colours": evaluation.difference(
                roc_auc, y, p, colours, groups
            ).to_json(),
        }
    findings["test"] = {
        "images": len(y),
        "lesions": int(groups.nunique()),
        "melanomas": int(y.sum()),
    }
    common.commit("full_test", findings, whole, asked, started)


def network(size):
    """The recipe's probabilities for the whole test set, shape (n,)."""
    asked = common.parameters("full_test")

    def make(_):
        train, validation, _ = (
            common.lesions(size, splits.mini).subset(name) for name in splits.SUBSETS
        )
        alpha, inside = asked["ALPHA"], asked["INPUT"]
        keras.utils.set_random_seed(asked["SEED"])
        base = backbone.mobilenet_v2(alpha, size, inside, pretrained.mobilenet_v2(alpha, inside))
        model = models.melanoma_classifier(base)
        training.two_stages(base, model, train, validation, verbose=0)
        test = common.lesions(size).subset("test")
        return np.asarray(model.predict(test.images, verbose=0)[:, 0])

    return common.kept(__name__, f"{size}px", size, make)
