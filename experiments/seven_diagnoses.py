"""Seven diagnoses from the shipped model, on the test set of all of HAM10000: the logits from which
it makes its probability of melanoma."""

import time

import numpy as np
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from experiments import shipped_model
from utils import data, evaluation, results
from utils.evaluation import roc_auc

MALIGNANT = ("akiec", "bcc", "mel")  # cancers and their precursors
# What a lesion costs that is left alone, in visits to a doctor by someone whose lesion is harmless.
# Invented, as the lesson says; the rest costs nothing.
LEFT_ALONE = {"mel": 10, "bcc": 5, "akiec": 2}


def run():
    """Predict, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``shipped_model.load``.
    """
    started = time.monotonic()
    model, facts, lesions = shipped_model.load()
    test = lesions.subset("test")
    p = shipped_model.kept_seven(model, facts, test.images)
    findings = judge(test.table, p, shipped_model.training_shares(lesions))
    origin = shipped_model.origin(facts)
    used = {"left_alone": LEFT_ALONE}
    results.commit("seven_diagnoses", findings, lesions.source, used, started, **origin)


def judge(table, p, shares):
    """What is recorded of probabilities (n, 7) on a test set.

    ``shares`` of the diagnoses in training: divided by them, the likeliest diagnosis becomes the
    one with the highest expected balanced accuracy (Bayes' rule with equal shares).
    """
    dx, groups = np.asarray(data.DX), table["group"]
    truth = table["dx"].to_numpy(str)
    ways = {"likeliest": dx[p.argmax(1)], "equal shares": dx[(p / shares).argmax(1)]}
    malignant = np.isin(truth, MALIGNANT).astype(int)
    p_malignant = p[:, np.isin(dx, MALIGNANT)].sum(1)

    def auc(y, score):
        return evaluation.estimate(roc_auc, y, score, groups).to_json()

    def sensitivity(name, called):
        def share(t, c):
            return (c[t == name] == name).mean() if (t == name).any() else np.nan

        return evaluation.estimate_diagnoses(share, truth, called, groups).to_json()

    return {
        "images": {name: int((truth == name).sum()) for name in data.DX},
        "balanced_accuracy": {
            way: evaluation.estimate_diagnoses(
                balanced_accuracy_score, truth, called, groups
            ).to_json()
            for way, called in ways.items()
        },
        "accuracy": {way: float((called == truth).mean()) for way, called in ways.items()},
        "sensitivity": {
            way: {name: sensitivity(name, called) for name in data.DX}
            for way, called in ways.items()
        },
        "roc_auc": {name: auc((truth == name).astype(int), p[:, k]) for k, name in enumerate(dx)},
        "confusion": {
            way: confusion_matrix(truth, called, labels=dx).tolist() for way, called in ways.items()
        },
        "malignant": {
            "images": int(malignant.sum()),
            "roc_auc": auc(malignant, p_malignant),
            "roc_auc_of_melanoma_probability": auc(malignant, p[:, -1]),
            "gain": evaluation.difference(
                roc_auc, malignant, p_malignant, p[:, -1], groups
            ).to_json(),
            "not_melanoma": int((malignant & (truth != "mel")).sum()),
        },
        "costs": costs_of_rules(p, truth, ways["likeliest"], groups),
    }


def costs_of_rules(p, truth, likeliest, groups):
    """What four rules cost a lesion, paired differences, and if the cheapest costs what it expects.

    Parameters
    ----------
    p : ndarray of float, shape (n, 7)
    truth, likeliest : ndarray of str, shape (n,)
        Diagnoses.
    groups : array, shape (n,)
    """
    costs = np.array([[LEFT_ALONE.get(name, 0), name not in MALIGNANT] for name in data.DX])
    alone, doctor = costs[[data.DX.index(name) for name in truth]].T
    expected = p @ costs
    paid = {
        "leave all alone": alone,
        "likeliest": np.where(np.isin(likeliest, MALIGNANT), doctor, alone),
        "lowest expected cost": np.where(expected[:, 1] < expected[:, 0], doctor, alone),
        "all to a doctor": doctor,
    }
    best = paid["lowest expected cost"]
    samples = list(evaluation.resampled_lesions((truth == "mel").astype(int), groups))

    def mean(cost):
        drawn = [cost[rows].mean() for rows in samples]
        return evaluation.Estimate(float(cost.mean()), *evaluation.interval(drawn)).to_json()

    return {
        "paid": {rule: mean(cost) for rule, cost in paid.items()},
        "minus likeliest": mean(best - paid["likeliest"]),
        "minus all to a doctor": mean(best - paid["all to a doctor"]),
        "expected": float(expected.min(1).mean()),
        "paid minus expected": mean(best - expected.min(1)),
    }
