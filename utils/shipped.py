"""The model that the course ships in models/: its recipe, its figures, its card.

``python -m utils.course train-shipped`` repeats all of it on a folder of the real images."""

import contextlib
import json
import math
import shutil
import time

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score

from utils import backbone, data, evaluation, predict, results, splits, training
from utils.quiet import keras

RECIPE = {"alpha": 0.35, "size": 96, "source_size": 128, "epochs": 20, "learning_rate": 1e-3}
NAME = results.SHIPPED_MODEL
CARD = predict.SHIPPED.with_name("README.md")
EIGHT, CORNERS = slice(0, 8), slice(8, 40)  # rows of what ``train`` returns
AGE_BANDS = ((-1, 40, "up to 40"), (40, 60, "41 to 60"), (60, 200, "over 60"))


def temperature(y, logit):
    """The number by which log-odds are divided so that the labels become most likely.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, for two classes.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
        Of validation.
    logit : array of float, shape (n,)

    Returns
    -------
    float
        Above 1 where the model was too sure of itself.
    """
    found = minimize_scalar(
        lambda t: log_loss(y, expit(logit / t)), bounds=(0.05, 20), method="bounded"
    )
    return float(found.x)


def corner_views(images):
    """The four corners of each picture, seven eighths of the side, in their eight symmetries.

    Parameters
    ----------
    images : ndarray, shape (n, size, size, 3)

    Yields
    ------
    ndarray of shape (n, side, side, 3), same dtype
        Thirty-two times.
    """
    size = images.shape[1]
    margin = corner_margin(size)
    ends = (slice(0, size - margin), slice(margin, size))
    for rows in ends:
        for columns in ends:
            yield from training.symmetric_views(images[:, rows, columns])


def corner_margin(size):
    """Pixels that a corner view leaves out of each side."""
    return size // 8


def as_predictor(model, source_size, t):
    """The model that is shipped: raw pixels in, one calibrated probability of melanoma out.

    Inside, the network (layer ``one_view``) looks at the thirty-two ``corner_views`` of a picture;
    their log-odds are averaged.

    Parameters
    ----------
    model : keras.Model
        From ``training.logit_classifier``.
    source_size : int
        Pixels a side that will be fed.
    t : float
        Temperature.

    Returns
    -------
    keras.Model
        From pixels 0..255 of shape (n, source_size, source_size, 3) to probabilities of shape
        (n, 1).
    """
    ops, size, margin = keras.ops, model.input.shape[1], corner_margin(source_size)
    one_view = keras.Model(model.input, training.melanoma_logit(model.output), name="one_view")
    pixels = keras.Input((source_size, source_size, 3))
    ends = ((0, margin), (margin, 0))
    corners = [keras.layers.Cropping2D((rows, columns)) for rows in ends for columns in ends]
    x = ops.concatenate([corner(pixels) for corner in corners])
    x = keras.layers.Resizing(size, size)(x)
    views = [x, ops.transpose(x, (0, 2, 1, 3))]
    for axis in (1, 2):
        views += [ops.flip(view, axis) for view in views]
    logits = ops.reshape(one_view(ops.concatenate(views)), (32, -1, 1))  # all views in one batch
    x = keras.layers.Rescaling(1 / t, name="temperature")(ops.mean(logits, axis=0))
    return keras.Model(pixels, keras.layers.Activation("sigmoid")(x), name="melanoma")


def architecture(facts):
    """The shipped model with initial values, for ``load_weights``.

    Keras reads the description of layers in a ``.keras`` file only if its version is not older than
    that which wrote it; built by code, the model runs under every version of the course.

    Parameters
    ----------
    facts : dict
        ``alpha``, ``size``, ``source_size`` and ``temperature``, as ``make`` saved them.

    Returns
    -------
    keras.Model
        As ``as_predictor``.
    """
    with contextlib.redirect_stdout(None):  # "RANDOM weights" would be said, and not for long true
        base, _ = backbone.mobilenet_v2(facts["alpha"], facts["size"], facts["size"], weights=None)
    model = training.logit_classifier(base, len(data.DX))
    return as_predictor(model, facts["source_size"], facts["temperature"])


def train(folder, seed, parts, verbose=2, **recipe):
    """One training by the recipe, and its log-odds for validation and test.

    Parameters
    ----------
    folder : Path
        Backup and answers are kept there; what is done already is not done again.
    seed : int
    parts : dict of str to utils.data.Lesions
        All ``splits.PARTS``, of ``source_size`` pixels.

    Returns
    -------
    (keras.Model, dict)
        Trained model, from pictures of ``size`` to seven logits; for validation and test, the
        melanoma log-odds of shape (40, n): rows ``EIGHT`` are the symmetric views of the whole
        picture, rows ``CORNERS`` the corner views.
    """
    recipe = RECIPE | recipe
    size = recipe["size"]
    keras.utils.set_random_seed(seed)
    with training.all_gpus().scope():
        base, weights = backbone.mobilenet_v2(recipe["alpha"], size, size)
        model = training.logit_classifier(base, len(data.DX))
    if weights.startswith("RANDOM"):
        raise ValueError("The shipped model starts from ImageNet weights, and none can be had.")
    training.all_layers(
        model,
        parts["train"].images,
        parts["train"].diagnosis,
        size,
        backup(folder, seed),
        recipe["epochs"],
        recipe["learning_rate"],
        seed=seed,
        verbose=verbose,
    )
    pixels = keras.Input((None, None, 3))
    logits = model(keras.layers.Resizing(size, size)(pixels))
    any_size = keras.Model(pixels, training.melanoma_logit(logits))
    return model, {
        name: np.array(
            [
                any_size.predict(view, batch_size=128, verbose=0)[:, 0]
                for views in (training.symmetric_views, corner_views)
                for view in views(parts[name].images)
            ]
        )
        for name in ("validation", "test")
    }


def backup(folder, seed):
    """Where a training keeps what it has, epoch by epoch."""
    return folder / f"seed{seed}.weights.h5"


def make(folder, seeds=(0, 1, 2), mini_seeds=(0, 1, 2, 3, 4), **recipe):
    """Train, judge, save the first seed's model, and write figures and card.

    Parameters
    ----------
    folder : Path
        For backups; a killed run goes on from there. Removed when all is written: otherwise the
        next call would find every epoch done and train nothing.
    seeds : sequence of int
    mini_seeds : sequence of int
        Of the trainings on HAM10k-Mini alone, for comparison.

    Raises
    ------
    FileNotFoundError, ValueError
        As ``data.load_lesions``, for the folder of real images.
    """
    settings = RECIPE | recipe
    folder.mkdir(parents=True, exist_ok=True)
    lesions = data.load_lesions("folder", settings["source_size"], splits.full)
    parts = {name: lesions.part(name) for name in splits.PARTS}
    model, logits, minutes = None, [], []
    for seed in seeds:
        unbroken, start = not backup(folder, seed).exists(), time.monotonic()
        trained, answers = train(folder, seed, parts, **recipe)
        model = model or trained
        logits.append(answers)
        took = (time.monotonic() - start) / 60
        minutes += [took] if unbroken else []
        auc = roc_auc_score(parts["validation"].melanoma, answers["validation"][CORNERS].mean(0))
        print(f"seed {seed}: {took:.1f} minutes, validation AUC {auc:.3f}", flush=True)
    y = {name: parts[name].melanoma for name in ("validation", "test")}
    raw = {name: logits[0][name][CORNERS].mean(0) for name in y}
    shipped_t = temperature(y["validation"], raw["validation"])
    calibrated = {name: expit(raw[name] / shipped_t) for name in y}
    threshold = threshold_for_sensitivity(y["validation"], calibrated["validation"])
    findings = judge(lesions, parts, logits, calibrated, threshold)
    findings |= {"seeds": list(seeds), "minutes_a_seed": minutes}
    findings |= {"temperature": shipped_t, "threshold": threshold}
    findings |= {"mini_600": from_600(folder / "mini", lesions, mini_seeds, **recipe)}
    facts = {
        "source": lesions.source,
        "threshold": threshold,
        "temperature": shipped_t,
        "split_fingerprint": splits.fingerprint(lesions.table),
        "seed": seeds[0],
        "alpha": settings["alpha"],
        "size": settings["size"],
        "source_size": settings["source_size"],
        "training_images": parts["train"].table["image_id"].tolist(),
    }
    predict.save_model(
        as_predictor(model, settings["source_size"], shipped_t), facts, predict.SHIPPED
    )
    content = {
        "source": lesions.source,
        "split_fingerprint": facts["split_fingerprint"],
        "parameters": settings,
        "versions": results.versions(),
    }
    results.write_json(results.COMMITTED / f"{NAME}.json", content | findings)
    text = card()
    data.write_atomically(CARD, lambda p: p.write_text(text, encoding="utf-8"))
    shutil.rmtree(folder)


def threshold_for_sensitivity(y, probability, sensitivity=0.9):
    """The highest threshold that finds this share of the (validation) melanomas."""
    highest_first = np.sort(np.asarray(probability)[np.asarray(y) == 1])[::-1]
    return float(highest_first[math.ceil(round(sensitivity * len(highest_first), 6)) - 1])


def judge(lesions, parts, logits, calibrated, threshold):
    """Every figure of the card.

    Parameters
    ----------
    lesions : utils.data.Lesions
        The whole of HAM10000 with its full split.
    parts : dict of str to utils.data.Lesions
    logits : list of dict
        Of each seed, as ``train`` returns them.
    calibrated : dict of str to ndarray
        The shipped model's probabilities by part.
    threshold : float

    Returns
    -------
    dict
    """
    validation, test = parts["validation"], parts["test"]
    y, groups = test.melanoma, test.table["group"]
    ways = {
        "single": [expit(seed["test"][0]) for seed in logits],
        "eight views": [expit(seed["test"][EIGHT].mean(0)) for seed in logits],
        "corner views": [expit(seed["test"][CORNERS].mean(0)) for seed in logits],
        "ensemble": [expit(np.mean([s["test"][CORNERS].mean(0) for s in logits], axis=0))],
    }
    judged = {name: evaluation.ranking_over_seeds(y, p, groups) for name, p in ways.items()}
    simple = evaluation.simple_answers(parts["train"], test)
    beside = {name: evaluation.ranking_over_seeds(y, p, groups) for name, p in simple.items()}
    shipped = evaluation.evaluate("shipped", y, calibrated["test"], groups, threshold)
    raw = ways["corner views"][0]
    errors = {
        "raw": evaluation.calibration_error(y, raw),
        "calibrated": evaluation.calibration_error(y, calibrated["test"]),
    }
    return {
        "ways": judged,
        "beside": beside,
        "shipped": shipped.as_dict(),
        "mean_probability": {
            "test": float(calibrated["test"].mean()),
            "melanomas": float(y.mean()),
        },
        "calibration_error": errors,
        "subgroups": subgroups(test, calibrated["test"], threshold),
        "mini": on_mini(lesions, validation, test, calibrated),
    }


def subgroups(test, probability, threshold):
    """Sensitivity, specificity and AUC by sex, age, site and way of confirmation.

    Returns
    -------
    dict of str to dict
        A group with fewer than ten melanomas or ten benign pictures has only its counts.
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
        y = test.melanoma[rows]
        found[name] = {"pictures": len(y), "melanomas": int(y.sum())}
        if min(y.sum(), len(y) - y.sum()) >= 10:
            e = evaluation.evaluate(
                name, y, probability[rows], table["group"][rows], threshold, n_resamples=500
            )
            found[name] |= {m: e.as_dict()[m] for m in ("sensitivity", "specificity", "roc_auc")}
    return found


def in_mini(table):
    """Which rows of the full split belong to HAM10k-Mini, whose parts lie inside its parts."""
    mini = splits.mini(table.drop(columns=["group", "split"]))
    return table["image_id"].isin(mini["image_id"]).to_numpy()


def from_600(folder, lesions, seeds, **recipe):
    """The same recipe with HAM10k-Mini's 600 pictures alone, judged on Mini's test part.

    Returns
    -------
    dict
        As ``evaluation.mean_over_seeds``; each training's threshold is chosen on Mini's
        validation part.
    """
    folder.mkdir(exist_ok=True)
    rows = in_mini(lesions.table)
    table = lesions.table[rows].reset_index(drop=True)
    mini = data.Lesions(lesions.images[rows], table, lesions.source)
    parts = {name: mini.part(name) for name in splits.PARTS}
    probabilities, thresholds = [], []
    for seed in seeds:
        logits = train(folder, seed, parts, **recipe)[1]
        p = {name: expit(views[CORNERS].mean(0)) for name, views in logits.items()}
        probabilities.append(p["test"])
        thresholds.append(
            evaluation.choose_threshold(parts["validation"].melanoma, p["validation"])
        )
        auc = roc_auc_score(parts["validation"].melanoma, p["validation"])
        print(f"600 pictures, seed {seed}: validation AUC {auc:.3f}", flush=True)
    test = parts["test"]
    return evaluation.mean_over_seeds(test.melanoma, probabilities, test.table["group"], thresholds)


def on_mini(lesions, validation, test, calibrated):
    """The shipped model on HAM10k-Mini's test part, threshold chosen on Mini's validation."""
    mini = lesions.table["image_id"][in_mini(lesions.table)]
    rows = {
        name: part.table["image_id"].isin(mini).to_numpy()
        for name, part in (("validation", validation), ("test", test))
    }
    y, p = validation.melanoma[rows["validation"]], calibrated["validation"][rows["validation"]]
    threshold = evaluation.choose_threshold(y, p)
    e = evaluation.evaluate(
        "Mini",
        test.melanoma[rows["test"]],
        calibrated["test"][rows["test"]],
        test.table["group"][rows["test"]],
        threshold,
    )
    return {"pictures": e.n_images, "threshold": threshold} | e.as_dict()


# --- the card ------------------------------------------------------------------------------------


def read():
    """The figures of the shipped model, from ``results/``."""
    return json.loads((results.COMMITTED / f"{NAME}.json").read_text(encoding="utf-8"))


def card():
    """The model card, Markdown, from the figures in ``results/``."""
    r = read()
    p, mini, of_600, shipped = r["parameters"], r["mini"], r["mini_600"], r["shipped"]
    groups = pd.DataFrame.from_dict(r["subgroups"], orient="index")
    lines = []
    for name, row in groups.iterrows():
        cells = [
            results.as_text(row[m]) if isinstance(row.get(m), dict) else "too few"
            for m in ("sensitivity", "specificity", "roc_auc")
        ]
        lines.append(f"| {name} | {row['pictures']} | {row['melanomas']} | {' | '.join(cells)} |")
    minutes = r["minutes_a_seed"]  # of trainings that were not killed in between
    took = f"took {np.mean(minutes):.0f} minutes" if minutes else "was killed and resumed"
    return f"""# Model card: {predict.SHIPPED.name}

> **For education only.** Not a medical device. No output of it is a diagnosis.

Rendered from [results/{NAME}.json](../results/{NAME}.json) by `python -m utils.course readme`; do not
edit it by hand.

## What it is

MobileNetV2 of width {p["alpha"]:g}. It takes a square of {p["source_size"]} x {p["source_size"]} raw
pixels (`utils/predict.py` makes it from any picture), looks at its four corners, seven eighths of the side
each, in their eight symmetries at {p["size"]} x {p["size"]}, averages the log-odds of these 32 views, and
gives one calibrated probability of melanoma. All layers were trained from ImageNet's weights, on the training part of HAM10000's full split alone, for
{p["epochs"]} epochs with seven diagnoses as targets. The file is the training with seed
{r["seeds"][0]}; no seed was chosen by its result. One training {took} on 2 CPU cores:

    HAM10K_DIR=/folder/of/HAM10000 python -m utils.course train-shipped

Load it with `utils.predict.load_model`: that builds the layers by code and takes the weights from the file,
so it works under every version of Keras that the course supports.

## Intended use

Learning: trying out a trained model, its thresholds, its errors. **Not** for any decision about a person's
skin: it has seen only lesions that doctors of two clinics had chosen to photograph with a dermatoscope.
For telephone pictures, other cameras, dark skin, children, nails and mucosa nobody has tested it.

## Data

HAM10000 (Tschandl et al. 2018), 10,015 pictures. Split by lesion group, 60/20/20; fingerprint of the split
`{r["split_fingerprint"][:16]}`. Whoever tests the model on HAM10000 must use this split: its training
lesions may sit in the test part of another.

## Figures

95 % intervals by resampling lesions. The test part was used for these figures and for no choice.

{results.shipped_table(r)}

The file itself, at its own threshold {r["threshold"]:.3f} (the highest that found 90 % of the validation
melanomas): sensitivity {results.as_text(shipped["sensitivity"])}, specificity {results.as_text(shipped["specificity"])},
precision {results.as_text(shipped["precision"])}, accuracy {results.as_text(shipped["accuracy"])}. The constant answer
"benign" has an accuracy of {1 - r["mean_probability"]["melanomas"]:.3f} there: accuracy says little.

On HAM10k-Mini's {mini["pictures"]} test pictures (24 % melanoma; threshold for accuracy from Mini's
validation part): accuracy {results.as_text(mini["accuracy"])}, ROC AUC {results.as_text(mini["roc_auc"])}. The
same recipe on Mini's 600 training pictures alone, mean of {len(of_600["accuracy"]["seeds"])} seeds: accuracy
{results.as_text(of_600["accuracy"])}, ROC AUC {results.as_text(of_600["roc_auc"])}. The project from which this
course grew claimed an accuracy of 0.852.

## Calibration

Log-odds are divided by a temperature of {r["temperature"]:.2f}, found on validation. Expected calibration
error on the test part: {r["calibration_error"]["raw"]:.3f} without it,
{r["calibration_error"]["calibrated"]:.3f} with it. Mean probability {r["mean_probability"]["test"]:.3f}, share
of melanomas {r["mean_probability"]["melanomas"]:.3f}. Right only at this prevalence (lesson 05).

## Groups

| | pictures | melanomas | sensitivity | specificity | ROC AUC |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(lines)}

`confirmed by` says how a diagnosis was made sure. Every melanoma was confirmed by histology, so the other
rows have none; within `histo` the benign lesions are those that looked dangerous enough to be cut out,
which is the harder and the more honest comparison. HAM10000 does not record skin colour, so no row speaks
for it.

## Licence

Weights trained on CC BY-NC 4.0 pictures: non-commercial use only, with the authors of HAM10000 named
(doi:10.1038/sdata.2018.161).
"""
