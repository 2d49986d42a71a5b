"""Seven diagnoses from several trainings of the shipped model's recipe together.

`python -m course results EXPERIMENTS=ensemble` trains it with further seeds, averages the
probabilities with the shipped model's, and writes results/ensemble.json. It resumes after an
interruption, at the last epoch that was finished."""

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from course import seven, shipped
from course.record import kept, provenance
from utils import data, evaluation, predict, results, settings, splits

NAME = "ensemble"
SEEDS = (1, 2)  # the shipped model is the training with seed 0


def run():
    """Train, predict, judge and record.

    Raises
    ------
    FileNotFoundError, ValueError
        As ``data.load_lesions``, for the folder of real images.
    ConnectionError
        If ImageNet's weights cannot be had.
    """
    model, facts = predict.load_model()
    lesions = data.load_lesions("folder", facts["source_size"], splits.full)
    subsets = {name: lesions.subset(name) for name in splits.SUBSETS}
    test = subsets["test"]
    found = [kept(facts, seven.NAME, lambda: seven.probabilities(model, test.images))]
    for seed in SEEDS:
        found.append(kept(facts, f"{NAME}-seed{seed}", lambda seed=seed: one(seed, subsets, facts)))
    shares = seven.training_shares(subsets["train"])
    content = provenance(facts) | {
        "seeds": [facts["seed"], *SEEDS],
        **judge(test.table, found, shares),
    }
    settings.write_json(results.COMMITTED / f"{NAME}.json", content)


def one(seed, subsets, facts):
    """Probabilities (n, 7) for the test set from one training."""
    folder = settings.make_folder(settings.runs() / "ensemble")
    model = shipped.fit(folder, seed, subsets["train"], shipped.RECIPE)
    whole = predict.as_predictor(model, facts["source_size"], facts["temperature"])
    return seven.probabilities(whole, subsets["test"].images)


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
