"""The model that the course ships in models/: its recipe, its figures, its card.

``python -m utils.course train-shipped`` repeats all of it on a folder of the real images."""

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


def for_pictures_of(model, alpha, source_size, size):
    """The same weights in a model that takes larger pictures and resizes them itself.

    Parameters
    ----------
    model : keras.Model
        From ``training.logit_classifier``, for pictures of ``size``.

    Returns
    -------
    keras.Model
        From pixels 0..255 of shape (n, source_size, source_size, 3) to logits of shape (n, 7).
    """
    base, _ = backbone.mobilenet_v2(alpha, source_size, size, weights=None)
    whole = training.logit_classifier(base, len(data.DX))
    whole.set_weights(model.get_weights())
    return whole


def as_predictor(model, t):
    """The model that is shipped: raw pixels in, one calibrated probability of melanoma out.

    Parameters
    ----------
    model : keras.Model
        From ``for_pictures_of``.
    t : float
        Temperature.

    Returns
    -------
    keras.Model
        From pixels 0..255 of shape (n, source_size, source_size, 3) to probabilities of shape
        (n, 1).
    """
    x = keras.layers.Rescaling(1 / t, name="temperature")(training.melanoma_logit(model.output))
    return keras.Model(model.input, keras.layers.Activation("sigmoid")(x), name="melanoma")


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
        Trained model from ``source_size`` pixels to seven logits; for validation and test, an
        array of shape (8, n): one row a view.
    """
    recipe = RECIPE | recipe
    keras.utils.set_random_seed(seed)
    with training.all_gpus().scope():
        base, weights = backbone.mobilenet_v2(recipe["alpha"], recipe["size"], recipe["size"])
        model = training.logit_classifier(base, len(data.DX))
    if weights.startswith("RANDOM"):
        raise ValueError("The shipped model starts from ImageNet weights, and none can be had.")
    training.all_layers(
        model,
        parts["train"].images,
        parts["train"].diagnosis,
        recipe["size"],
        folder / f"seed{seed}.weights.h5",
        recipe["epochs"],
        recipe["learning_rate"],
        seed=seed,
        verbose=verbose,
    )
    model = for_pictures_of(model, recipe["alpha"], recipe["source_size"], recipe["size"])
    whole = keras.Model(model.input, training.melanoma_logit(model.output))
    logits = {
        name: np.array(
            [
                whole.predict(view, batch_size=128, verbose=0)[:, 0]
                for view in training.symmetric_views(parts[name].images)
            ]
        )
        for name in ("validation", "test")
    }
    return model, logits


def make(folder, seeds=(0, 1, 2), **recipe):
    """Train, judge, save the first seed's model, and write figures and card.

    Parameters
    ----------
    folder : Path
        For backups; a killed run goes on from there. Removed when all is written: otherwise the
        next call would find every epoch done and train nothing.
    seeds : sequence of int

    Raises
    ------
    FileNotFoundError, ValueError
        As ``data.load_lesions``, for the folder of real images.
    """
    settings = RECIPE | recipe
    folder.mkdir(parents=True, exist_ok=True)
    lesions = data.load_lesions("folder", settings["source_size"], splits.full)
    parts = {name: lesions.part(name) for name in splits.PARTS}
    models, logits, seconds = [], [], []
    for seed in seeds:
        start = time.monotonic()
        model, answers = train(folder, seed, parts, **recipe)
        models.append(model)
        logits.append(answers)
        seconds.append(time.monotonic() - start)
        auc = roc_auc_score(parts["validation"].melanoma, answers["validation"][0])
        print(f"seed {seed}: {seconds[-1] / 60:.1f} minutes, validation AUC {auc:.3f}", flush=True)
    y = {name: parts[name].melanoma for name in ("validation", "test")}
    shipped_t = temperature(y["validation"], logits[0]["validation"][0])
    calibrated = {name: expit(logits[0][name][0] / shipped_t) for name in y}
    threshold = threshold_for_sensitivity(y["validation"], calibrated["validation"])
    findings = judge(lesions, parts, logits, calibrated, threshold)
    findings |= {"seeds": list(seeds), "minutes_a_seed": [s / 60 for s in seconds]}
    findings |= {"temperature": shipped_t, "threshold": threshold}
    facts = {
        "source": lesions.source,
        "threshold": threshold,
        "temperature": shipped_t,
        "split_fingerprint": splits.fingerprint(lesions.table),
        "seed": seeds[0],
        "alpha": settings["alpha"],
        "training_images": parts["train"].table["image_id"].tolist(),
    }
    predict.save_model(as_predictor(models[0], shipped_t), facts, predict.SHIPPED)
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
        "eight views": [expit(seed["test"]).mean(0) for seed in logits],
        "ensemble, eight views": [np.mean([expit(s["test"]).mean(0) for s in logits], axis=0)],
    }
    judged = {name: evaluation.ranking_over_seeds(y, p, groups) for name, p in ways.items()}
    simple = evaluation.simple_answers(parts["train"], test)
    beside = {name: evaluation.ranking_over_seeds(y, p, groups) for name, p in simple.items()}
    shipped = evaluation.evaluate("shipped", y, calibrated["test"], groups, threshold)
    raw = expit(logits[0]["test"][0])
    errors = {
        "raw": evaluation.calibration_error(y, raw),
        "calibrated": evaluation.calibration_error(y, calibrated["test"]),
    }
    return {
        "ways": judged,
        "beside": beside,
        "shipped": {m: _cell(shipped, m) for m in evaluation.METRICS},
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
            found[name] |= {m: _cell(e, m) for m in ("sensitivity", "specificity", "roc_auc")}
    return found


def on_mini(lesions, validation, test, calibrated):
    """The shipped model on HAM10k-Mini's test part, threshold chosen on Mini's validation."""
    mini = splits.mini(lesions.table.drop(columns=["group", "split"]))
    rows = {
        name: part.table["image_id"].isin(mini["image_id"]).to_numpy()
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
    counts = {"pictures": e.n_images, "threshold": threshold}
    return counts | {m: _cell(e, m) for m in evaluation.METRICS}


def _cell(e, metric):
    return {"value": e.values[metric], "interval": list(e.intervals[metric])}


# --- the card ------------------------------------------------------------------------------------


def read():
    """The figures of the shipped model, from ``results/``."""
    return json.loads((results.COMMITTED / f"{NAME}.json").read_text(encoding="utf-8"))


def card():
    """The model card, Markdown, from the figures in ``results/``."""
    r = read()
    p, mini, shipped = r["parameters"], r["mini"], r["shipped"]
    groups = pd.DataFrame.from_dict(r["subgroups"], orient="index")
    lines = []
    for name, row in groups.iterrows():
        cells = [
            results.as_text(row[m]) if isinstance(row.get(m), dict) else "too few"
            for m in ("sensitivity", "specificity", "roc_auc")
        ]
        lines.append(f"| {name} | {row['pictures']} | {row['melanomas']} | {' | '.join(cells)} |")
    minutes = np.mean(r["minutes_a_seed"])
    return f"""# Model card: {predict.SHIPPED.name}

> **For education only.** Not a medical device. No output of it is a diagnosis.

Rendered from [results/{NAME}.json](../results/{NAME}.json) by `python -m utils.course readme`; do not
edit it by hand.

## What it is

MobileNetV2 of width {p["alpha"]:g}. It takes a square of {p["source_size"]} x {p["source_size"]} raw
pixels (`utils/predict.py` makes it from any picture), looks at them at {p["size"]} x {p["size"]}, and gives one calibrated probability of melanoma. All
layers were trained from ImageNet's weights, on the training part of HAM10000's full split alone, for
{p["epochs"]} epochs with seven diagnoses as targets. The file is the training with seed
{r["seeds"][0]}; no seed was chosen by its result. One training took {minutes:.0f} minutes on 2 CPU cores:

    HAM10K_DIR=/folder/of/HAM10000 python -m utils.course train-shipped

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

{results.shipped_table()}

The file itself, at its own threshold {r["threshold"]:.3f} (the highest that found 90 % of the validation
melanomas): sensitivity {results.as_text(shipped["sensitivity"])}, specificity {results.as_text(shipped["specificity"])},
precision {results.as_text(shipped["precision"])}, accuracy {results.as_text(shipped["accuracy"])}. The constant answer
"benign" has an accuracy of {1 - r["mean_probability"]["melanomas"]:.3f} there: accuracy says little.

On HAM10k-Mini's {mini["pictures"]} test pictures (24 % melanoma; threshold for accuracy from Mini's
validation part): accuracy {results.as_text(mini["accuracy"])}, ROC AUC {results.as_text(mini["roc_auc"])}. The project from
which this course grew claimed an accuracy of 0.852.

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
