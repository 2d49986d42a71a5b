"""Ten draws of HAM10k-Mini: is the promise of 80 % accuracy kept, and how far can one test set of
200 images mislead?

`python -m course results EXPERIMENTS=draws` trains every model on each of the draws
``splits.mini(seed=0..9)`` and writes results/ten_draws.json. It resumes after an interruption."""

from dataclasses import replace

import numpy as np
from scipy import stats
from sklearn.metrics import accuracy_score, roc_auc_score

from course.ladder import predict
from utils import backbone, data, evaluation, pretrained, results, settings, splits, training
from utils.quiet import keras

NAME = "ten_draws"
DRAWS = range(10)
SIZES = (28, 96)  # pixels a side of the images
INPUT, ALPHA, SEED, EPOCHS = 96, 0.35, 0, 20
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
    FileNotFoundError, ValueError
        As ``data.load_lesions``, for the folder of real images.
    """
    folder = settings.make_folder(settings.runs() / NAME)
    models, fingerprints = {}, []
    for draw in DRAWS:
        mini = {size: load(draw, size) for size in SIZES}
        fingerprints.append(splits.fingerprint(mini[28].table))
        for name, probabilities in answers(mini, draw, folder).items():
            models.setdefault(name, []).append(judge(mini[28], *probabilities))
        print(
            f"draw {draw}: " + ", ".join(f"{n} {m[-1]['accuracy']:.3f}" for n, m in models.items())
        )
    content = {
        "source": "folder",
        "split_fingerprints": fingerprints,
        "parameters": {"ALPHA": ALPHA, "INPUT": INPUT, "SEED": SEED},
        "epochs": {"recipe": [25, 10], "all layers": EPOCHS},
        "versions": results.versions(),
        "models": {name: summary(judged) for name, judged in models.items()},
        "lowest": {name: extreme(min, judged) for name, judged in models.items()},
        "highest": {name: extreme(max, judged) for name, judged in models.items()},
        "differences": {
            f"{a} minus {b}": {
                m: over_draws([x[m] - y[m] for x, y in zip(models[a], models[b], strict=True)])
                for m in MEASURES
            }
            for a, b in COMPARED
        },
    }
    settings.write_json(results.COMMITTED / f"{NAME}.json", content)


def load(draw, size):
    """HAM10k-Mini of one draw."""
    return data.load_lesions("folder", size, lambda table: splits.mini(table, seed=draw))


def answers(mini, draw, folder):
    """Probabilities of every model for one draw, (validation, test) each, from disk if there."""
    train, validation, test = (mini[28].subset(name) for name in splits.SUBSETS)
    found = evaluation.baselines(train, validation, test)
    for name, training_of in {"recipe": recipe, "all layers": all_layers}.items():
        for size, lesions in mini.items():
            path = folder / f"{name.replace(' ', '-')}-{size}px-draw{draw}.npy"
            if not path.exists():
                answer = training_of(lesions, path.with_suffix(".weights.h5"))
                settings.write_atomically(path, lambda p, a=answer: np.save(p, a))
            found[f"{name}, {size} px"] = np.load(path)
    return found


def network(size):
    """MobileNetV2 with ImageNet's weights, for images of one size."""
    keras.utils.set_random_seed(SEED)
    return backbone.mobilenet_v2(ALPHA, size, INPUT, pretrained.mobilenet_v2(ALPHA, INPUT))


def recipe(lesions, _backup):
    """The original project's two stages; probabilities for validation and test."""
    train, validation, test = (lesions.subset(name) for name in splits.SUBSETS)
    base = network(train.images.shape[1])
    model = training.melanoma_classifier(base)
    training.two_stages(base, model, train, validation, verbose=0)
    return [model.predict(part.images, verbose=0)[:, 0] for part in (validation, test)]


def all_layers(lesions, backup):
    """All layers on augmented images, as the ladder's rung; the same probabilities."""
    train, validation, test = (lesions.subset(name) for name in splits.SUBSETS)
    model = training.logit_classifier(network(INPUT), 2)
    training.all_layers(
        model, train.images, train.melanoma, INPUT, backup, EPOCHS, seed=SEED, verbose=0
    )
    backup.unlink()
    resize = keras.layers.Resizing(INPUT, INPUT)
    return [predict(model, resize(part.images)) for part in (validation, test)]


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


def over_draws(values):
    """Mean over the draws with its interval, for JSON, with the value of each draw.

    Draws share lesions, so the interval is a little too narrow.
    """
    found = student(values)
    return replace(found, seeds=tuple(map(float, values))).to_json()


def student(values):
    """Mean of independent values with Student's t interval (n - 1 degrees of freedom): Estimate."""
    values = np.asarray(values, float)
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    mean = float(values.mean())
    return evaluation.Estimate(mean, mean - half, mean + half)
