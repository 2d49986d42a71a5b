"""Seven diagnoses from several trainings of the shipped model's recipe together: probabilities of
further seeds are averaged with the shipped model's."""

import time

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from experiments import common, shipped_model
from utils import data, evaluation, results


def run():
    """Train, predict, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``shipped_model.load``.
    ConnectionError
        If ImageNet's weights cannot be had.
    """
    started, seeds = time.monotonic(), common.parameters("ensemble")["seeds"]
    model, facts, lesions = shipped_model.load()
    test = lesions.subset("test")
    found = [shipped_model.kept_seven(model, facts, test.images)]
    found += common.in_parallel(one, [(seed,) for seed in seeds])
    findings = {"seeds": [facts["seed"], *seeds]} | judge(
        test.table, found, shipped_model.training_shares(lesions)
    )
    origin = shipped_model.origin(facts)
    results.commit("ensemble", findings, lesions.source, {}, started, **origin)


def one(seed):
    """Probabilities (n, 7) for the test set from one training."""
    recipe = common.parameters("train")
    lesions = common.lesions(recipe["source_size"])

    def make(_):
        train = lesions.subset("train")
        whole = shipped_model.trained(recipe, seed, train.images, train.diagnosis)
        return shipped_model.seven_probabilities(whole, lesions.subset("test").images)

    return common.kept(__name__, f"seed{seed}", [recipe, seed], make)


def judge(table, found, shares):
    """Balanced accuracy with equal shares: of each training, together, and the paired gain."""
    dx, truth, groups = np.asarray(data.DX), table["dx"].to_numpy(str), table["group"]
    measure = balanced_accuracy_score
    single = [dx[(p / shares).argmax(1)] for p in found]
    together = dx[(np.mean(found, axis=0) / shares).argmax(1)]

    def estimate(called, minus=None):
        return evaluation.estimate_diagnoses(measure, truth, called, groups, minus).to_json()

    return {
        "balanced_accuracy": {
            "single": [estimate(called) for called in single],
            "together": estimate(together),
            "together minus the shipped one": estimate(together, single[0]),
        },
        "accuracy": float((together == truth).mean()),
    }
