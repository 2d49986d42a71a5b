"""Ten draws of HAM10k-Mini: is the promise of 80 % accuracy kept, and how far can one test set of
200 images mislead?

Every model is trained on each of the draws ``splits.mini(seed=...)``."""

import time
from functools import cache, partial
from itertools import product

import numpy as np
from sklearn.metrics import accuracy_score, roc_auc_score

from experiments import common
from experiments.common import over_draws
from utils import backbone, baselines, evaluation, models, pretrained, results, splits, training
from utils.quiet import keras

MEASURES = {"accuracy": accuracy_score, "roc_auc": roc_auc_score}
COMPARED = (
    ("recipe, 28 px", "colour baseline"),
    ("recipe, 28 px", "majority class"),
    ("recipe, 96 px", "colour baseline"),
    ("recipe, 96 px", "recipe, 28 px"),
    ("all layers, 28 px", "recipe, 28 px"),
    ("all layers, 96 px", "recipe, 96 px"),
    ("all layers, 28 px", "colour baseline"),
    ("all layers, 96 px", "colour baseline"),
)


def run():
    """Train, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``common.lesions``.
    """
    started, asked = time.monotonic(), common.parameters("ten_draws")
    trained = list(product(("recipe", "all layers"), asked["SIZES"]))
    wanted = [(*one, draw) for draw in asked["DRAWS"] for one in trained]
    answers = dict(zip(wanted, common.in_parallel(answer, wanted), strict=True))
    judged, fingerprints = {}, []
    for draw in asked["DRAWS"]:
        mini = load(draw, asked["SIZES"][0])
        fingerprints.append(splits.fingerprint(mini.table))
        train, validation, test = (mini.subset(name) for name in splits.SUBSETS)
        found = baselines.baseline_probabilities(train, validation, test)
        for name, size in trained:
            found[f"{name}, {size} px"] = np.split(answers[name, size, draw], [len(validation)])
        for name, probabilities in found.items():
            judged.setdefault(name, []).append(judge(mini, *probabilities))
    findings = {
        "epochs": {"recipe": asked["RECIPE_EPOCHS"], "all layers": asked["EPOCHS"]},
        "models": {name: summary(several) for name, several in judged.items()},
        "lowest": {name: extreme(min, several) for name, several in judged.items()},
        "highest": {name: extreme(max, several) for name, several in judged.items()},
        "differences": {
            f"{a} minus {b}": {
                m: over_draws([x[m] - y[m] for x, y in zip(judged[a], judged[b], strict=True)])
                for m in MEASURES
            }
            for a, b in COMPARED
        },
    }
    used = {name: asked[name] for name in ("ALPHA", "INPUT", "SEED")}
    results.commit(
        "ten_draws", findings, mini.source, used, started, split_fingerprints=fingerprints
    )


@cache
def load(draw, size):
    """HAM10k-Mini of one draw."""
    return common.lesions(size, partial(splits.mini, seed=draw))


def answer(name, size, draw):
    """Probabilities for the validation and the test images of a draw, one after the other."""
    lesions = load(draw, size)

    def make(backup):
        return {"recipe": recipe, "all layers": all_layers}[name](lesions, backup)

    found = common.kept(__name__, f"{name}-{size}px-draw{draw}", [name, size, draw], make)
    auc = roc_auc_score(lesions.subset("test").melanoma, found[len(lesions.subset("validation")) :])
    print(f"{name}, {size} px, draw {draw}: AUC {auc:.3f}", flush=True)
    return found


def network(size):
    """MobileNetV2 with ImageNet's weights, for images of one size."""
    asked = common.parameters("ten_draws")
    alpha, inside = asked["ALPHA"], asked["INPUT"]
    keras.utils.set_random_seed(asked["SEED"])
    return backbone.mobilenet_v2(alpha, size, inside, pretrained.mobilenet_v2(alpha, inside))


def recipe(lesions, _backup):
    """The original project's two stages."""
    train, validation, test = (lesions.subset(name) for name in splits.SUBSETS)
    base = network(train.images.shape[1])
    model = models.melanoma_classifier(base)
    epochs = common.parameters("ten_draws")["RECIPE_EPOCHS"]
    training.two_stages(base, model, train, validation, epochs, verbose=0)
    p = [model.predict(part.images, verbose=0)[:, 0] for part in (validation, test)]
    return np.concatenate(p)


def all_layers(lesions, backup):
    """All layers on augmented images, as the ladder's rung."""
    asked = common.parameters("ten_draws")
    size, seed = asked["INPUT"], asked["SEED"]
    train, validation, test = (lesions.subset(name) for name in splits.SUBSETS)
    model = models.logit_classifier(network(size), 2)
    training.all_layers(
        model, train.images, train.melanoma, size, backup, asked["EPOCHS"], seed=seed, verbose=0
    )
    resize = keras.layers.Resizing(size, size)
    p = [common.melanoma_probability(model, resize(part.images)) for part in (validation, test)]
    return np.concatenate(p)


def judge(lesions, p_validation, p_test):
    """Accuracy (threshold chosen on validation) and ROC AUC on the test set of one draw."""
    validation, test = lesions.subset("validation"), lesions.subset("test")
    threshold = evaluation.choose_threshold(validation.melanoma, p_validation)
    return {
        "accuracy": accuracy_score(test.melanoma, p_test >= threshold),
        "roc_auc": roc_auc_score(test.melanoma, p_test),
    }


def summary(judged):
    """Mean, interval and range of each measure over the draws."""
    return {m: over_draws([one[m] for one in judged]) for m in MEASURES}


def extreme(pick, judged):
    """The lowest (``pick`` is min) or highest (max) of each measure over the draws."""
    return {m: pick(one[m] for one in judged) for m in MEASURES}
