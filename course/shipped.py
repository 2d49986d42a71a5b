"""The model that the course ships in ``models/``: its recipe and its figures.

``python -m course train-shipped`` repeats all of it on a folder of the real images."""

import math
import shutil
import time

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score

from course import publish
from course.errors import CourseError
from utils import (
    backbone,
    data,
    evaluation,
    predict,
    pretrained,
    results,
    settings,
    splits,
    training,
)
from utils.quiet import keras

RECIPE = {"alpha": 0.35, "size": 96, "source_size": 128, "epochs": 20, "learning_rate": 1e-3}
EIGHT, CORNERS = slice(0, 8), slice(8, 40)  # rows of what ``train`` returns
AGE_BANDS = ((-1, 40, "up to 40"), (40, 60, "41 to 60"), (60, 200, "over 60"))


def train_shipped():
    """Train, judge and save the model in ``models/`` and write its card. Returns the exit code.

    Killed and called again, it resumes after the last epoch that was finished.
    """
    try:
        make(settings.runs() / "shipped")
    except (OSError, ValueError) as error:
        raise CourseError(f"The model in models/ is as it was. {error}") from error
    return publish.readme()


def make(folder, seeds=(0, 1, 2), mini_seeds=(0, 1, 2, 3, 4), **recipe):
    """Train, judge, save the first seed's model and its backbone, and write the figures.

    Parameters
    ----------
    folder : Path
        For backups, from which a killed run resumes. Removed when all is written: otherwise the
        next call would find every epoch done and train nothing.
    seeds : sequence of int
    mini_seeds : sequence of int
        Of the trainings on HAM10k-Mini alone, for comparison.
    **recipe
        Other values for ``RECIPE``.

    Raises
    ------
    FileNotFoundError, ValueError
        As ``data.load_lesions``, for the folder of real images.
    ConnectionError
        If ImageNet's weights cannot be had.
    """
    recipe = RECIPE | recipe
    settings.make_folder(folder)
    lesions = data.load_lesions("folder", recipe["source_size"], splits.full)
    subsets = {name: lesions.subset(name) for name in splits.SUBSETS}
    model, logits, minutes = None, [], []
    for seed in seeds:
        unbroken, start = not backup(folder, seed).exists(), time.monotonic()
        trained, answers = train(folder, seed, subsets, recipe)
        model = model or trained
        logits.append(answers)
        took = (time.monotonic() - start) / 60
        minutes += [took] if unbroken else []
        auc = roc_auc_score(subsets["validation"].melanoma, answers["validation"][CORNERS].mean(0))
        print(f"seed {seed}: {took:.1f} minutes, validation AUC {auc:.3f}", flush=True)
    y = subsets["validation"].melanoma
    raw = {name: answers[CORNERS].mean(0) for name, answers in logits[0].items()}
    facts = {
        "source": lesions.source,
        "temperature": temperature(y, raw["validation"]),
        "split_fingerprint": splits.fingerprint(lesions.table),
        "seed": seeds[0],
        "training_images": subsets["train"].table["image_id"].tolist(),
    } | {name: recipe[name] for name in ("alpha", "size", "source_size")}
    calibrated = {name: expit(z / facts["temperature"]) for name, z in raw.items()}
    facts["threshold"] = threshold_for_sensitivity(y, calibrated["validation"])
    content = {
        **{name: facts[name] for name in ("source", "split_fingerprint")},
        "parameters": recipe,
        "versions": results.versions(),
        **judge(lesions, subsets, logits, calibrated, facts["threshold"]),
        "seeds": list(seeds),
        "minutes_a_seed": minutes,
        **{name: facts[name] for name in ("temperature", "threshold")},
        "mini_600": from_600(folder, lesions, mini_seeds, recipe),
    }
    predictor = predict.as_predictor(model, recipe["source_size"], facts["temperature"])
    predict.save_model(predictor, facts, predict.SHIPPED)
    backbone.save_backbone(model, pretrained.SHIPPED, recipe["alpha"], recipe["size"])
    settings.write_json(results.COMMITTED / f"{publish.RECORDED['shipped']}.json", content)
    shutil.rmtree(folder)


def train(folder, seed, subsets, recipe):
    """One training by the recipe, and its log-odds for validation and test set.

    Parameters
    ----------
    folder : Path
        Of the backup, from which a killed training resumes.
    seed : int
    subsets : dict of str to utils.data.Lesions
        All ``splits.SUBSETS``, of ``source_size`` pixels.
    recipe : dict
        As ``RECIPE``.

    Returns
    -------
    (keras.Model, dict)
        Trained model, from images of ``size`` to seven logits; for validation and test set, the
        melanoma log-odds of shape (40, n): rows ``EIGHT`` are the symmetric views of the whole
        image, rows ``CORNERS`` the corner views.
    """
    model, size = fit(folder, seed, subsets["train"], recipe), recipe["size"]
    pixels = keras.Input((None, None, 3))
    logits = model(keras.layers.Resizing(size, size)(pixels))
    any_size = keras.Model(pixels, training.melanoma_logit(logits))
    return model, {
        name: np.array(
            [
                any_size.predict(view, batch_size=128, verbose=0)[:, 0]
                for views in (training.symmetric_views, predict.corner_views)
                for view in views(subsets[name].images)
            ]
        )
        for name in ("validation", "test")
    }


def fit(folder, seed, lesions, recipe):
    """The training itself: a model from images of ``size`` to seven logits.

    Parameters
    ----------
    folder, seed, recipe
        As for ``train``.
    lesions : utils.data.Lesions
        The training set, of ``source_size`` pixels.

    Returns
    -------
    keras.Model
    """
    alpha, size = recipe["alpha"], recipe["size"]
    weights = pretrained.mobilenet_v2(alpha, size)
    keras.utils.set_random_seed(seed)
    with training.all_gpus().scope():
        model = training.logit_classifier(
            backbone.mobilenet_v2(alpha, size, size, weights), len(data.DX)
        )
    training.all_layers(
        model,
        lesions.images,
        lesions.diagnosis,
        size,
        backup(folder, seed),
        recipe["epochs"],
        recipe["learning_rate"],
        seed=seed,
    )
    return model


def backup(folder, seed):
    """Where a training keeps what it has, epoch by epoch."""
    return folder / f"seed{seed}.weights.h5"


def temperature(y, logit):
    """The number by which log-odds are divided so that the labels become most likely.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, for two classes.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
        Of the validation set.
    logit : array of float, shape (n,)

    Returns
    -------
    float
        Above 1 where the model was overconfident.
    """
    found = minimize_scalar(
        lambda t: log_loss(y, expit(logit / t)), bounds=(0.05, 20), method="bounded"
    )
    return float(found.x)


def threshold_for_sensitivity(y, probability, sensitivity=0.9):
    """The highest threshold that finds this share of the (validation) melanomas."""
    highest_first = np.sort(np.asarray(probability)[np.asarray(y) == 1])[::-1]
    return float(highest_first[math.ceil(round(sensitivity * len(highest_first), 6)) - 1])


def judge(lesions, subsets, logits, calibrated, threshold):
    """The figures of the card that need no other training.

    Parameters
    ----------
    lesions : utils.data.Lesions
        The whole of HAM10000 with its full split.
    subsets : dict of str to utils.data.Lesions
    logits : list of dict
        Of each seed, as ``train`` returns them.
    calibrated : dict of str to ndarray
        The shipped model's probabilities by subset.
    threshold : float

    Returns
    -------
    dict
    """
    test = subsets["test"]
    y, groups, p = test.melanoma, test.table["group"], calibrated["test"]
    ways = {
        "single": [expit(seed["test"][0]) for seed in logits],
        "eight views": [expit(seed["test"][EIGHT].mean(0)) for seed in logits],
        "corner views": [expit(seed["test"][CORNERS].mean(0)) for seed in logits],
        "ensemble": [expit(np.mean([s["test"][CORNERS].mean(0) for s in logits], axis=0))],
    }
    beside = evaluation.baselines(subsets["train"], test)
    return {
        "ways": {name: evaluation.ranking(y, several, groups) for name, several in ways.items()},
        "beside": {name: evaluation.ranking(y, one, groups) for name, one in beside.items()},
        "shipped": evaluation.evaluate("shipped", y, p, groups, threshold).metrics,
        "mean_probability": {"test": float(p.mean()), "melanomas": float(y.mean())},
        "calibration_error": {
            "raw": evaluation.calibration_error(y, ways["corner views"][0]),
            "calibrated": evaluation.calibration_error(y, p),
        },
        "subgroups": subgroups(test, p, threshold),
        "mini": on_mini(lesions, subsets, calibrated),
    }


def subgroups(test, probability, threshold):
    """Sensitivity, specificity and AUC by sex, age, site and way of confirmation.

    Returns
    -------
    dict of str to dict
        A group with fewer than ten melanomas or ten benign images has only its counts.
    """
    table = test.table
    members = {f"sex: {sex}": table["sex"] == sex for sex in ("female", "male")}
    members |= {
        f"age: {name}": (table["age"] > low) & (table["age"] <= high)
        for low, high, name in AGE_BANDS
    }
    for column, title in (("localization", "site"), ("dx_type", "confirmed by")):
        for value in sorted(table[column].unique()):
            members[f"{title}: {value}"] = table[column] == value
    found = {}
    for name, rows in members.items():
        rows = rows.to_numpy()
        y, groups = test.melanoma[rows], table["group"][rows]
        found[name] = {"images": len(y), "melanomas": int(y.sum())}
        if min(y.sum(), len(y) - y.sum()) >= 10:
            e = evaluation.evaluate(name, y, probability[rows], groups, threshold, n_resamples=500)
            found[name] |= {m: e.metrics[m] for m in ("sensitivity", "specificity", "roc_auc")}
    return found


def in_mini(table):
    """Which rows of the full split belong to HAM10k-Mini, whose subsets lie inside its subsets."""
    mini = splits.mini(table.drop(columns=["group", "split"]))
    return table["image_id"].isin(mini["image_id"]).to_numpy()


def on_mini(lesions, subsets, calibrated):
    """The shipped model on HAM10k-Mini's test set, threshold chosen on Mini's validation set."""
    mini = lesions.table["image_id"][in_mini(lesions.table)]
    y, p, groups = {}, {}, {}
    for name, probability in calibrated.items():
        rows = subsets[name].table["image_id"].isin(mini).to_numpy()
        y[name], p[name] = subsets[name].melanoma[rows], probability[rows]
        groups[name] = subsets[name].table["group"][rows]
    threshold = evaluation.choose_threshold(y["validation"], p["validation"])
    e = evaluation.evaluate("Mini", y["test"], p["test"], groups["test"], threshold)
    return {"images": e.n_images, "threshold": threshold} | e.metrics


def from_600(folder, lesions, seeds, recipe):
    """The same recipe with HAM10k-Mini's 600 images alone, judged on Mini's test set.

    Returns
    -------
    dict of str to Estimate
        As ``evaluation.evaluate_seeds``; each training's threshold is chosen on Mini's
        validation set.
    """
    folder = settings.make_folder(folder / "mini")
    rows = in_mini(lesions.table)
    table = lesions.table[rows].reset_index(drop=True)
    mini = data.Lesions(lesions.images[rows], table, lesions.source)
    subsets = {name: mini.subset(name) for name in splits.SUBSETS}
    y, test = subsets["validation"].melanoma, subsets["test"]
    probabilities, thresholds = [], []
    for seed in seeds:
        logits = train(folder, seed, subsets, recipe)[1]
        p = {name: expit(views[CORNERS].mean(0)) for name, views in logits.items()}
        probabilities.append(p["test"])
        thresholds.append(evaluation.choose_threshold(y, p["validation"]))
        auc = roc_auc_score(y, p["validation"])
        print(f"600 images, seed {seed}: validation AUC {auc:.3f}", flush=True)
    groups = test.table["group"]
    return evaluation.evaluate_seeds(test.melanoma, probabilities, groups, thresholds)
