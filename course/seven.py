"""Seven diagnoses from the shipped model, on the test set of all of HAM10000.

`python -m course results EXPERIMENTS=seven` takes the logits of the seven diagnoses from which the
shipped model makes its probability of melanoma, and writes results/seven_diagnoses.json."""

import numpy as np
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from course.record import kept, provenance
from utils import data, evaluation, predict, results, settings, splits
from utils.evaluation import roc_auc
from utils.quiet import keras

NAME = "seven_diagnoses"
MALIGNANT = ("akiec", "bcc", "mel")  # cancers and their precursors


def run():
    """Predict, judge and record.

    Raises
    ------
    FileNotFoundError, ValueError
        As ``data.load_lesions``, for the folder of real images.
    """
    model, facts = predict.load_model()
    lesions = data.load_lesions("folder", facts["source_size"], splits.full)
    train, test = lesions.subset("train"), lesions.subset("test")
    p = kept(facts, NAME, lambda: probabilities(model, test.images))
    content = provenance(facts) | judge(test.table, p, training_shares(train))
    settings.write_json(results.COMMITTED / f"{NAME}.json", content)


def training_shares(train):
    """Of the diagnoses in the training set, shape (7,)."""
    return np.bincount(train.diagnosis, minlength=len(data.DX)) / len(train)


def probabilities(model, images, batch=64):
    """Of the seven diagnoses, shape (n, 7): the shipped model's views, log-odds averaged."""
    one_view = model.get_layer("one_view")
    network = keras.Model(one_view.input, one_view.get_layer("logits").output)
    resize = keras.layers.Resizing(*one_view.input.shape[1:3])
    found = []
    for start in range(0, len(images), batch):
        views = list(predict.corner_views(images[start : start + batch]))
        logits = [network.predict_on_batch(np.asarray(resize(view))) for view in views]
        found.append(softmax(np.mean(logits, axis=0), axis=1))
    return np.concatenate(found)


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
    }
