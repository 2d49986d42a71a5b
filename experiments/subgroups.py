"""For whom the shipped model works: groups, shifts, skin tone, and age, sex and site beside it.

It is asked about the validation and test images of all of HAM10000, as they are and shifted. The
record holds each image's probability and what is known of it, so that the lesson needs no image for
its tables."""

import time

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from experiments import common, shipped_model
from utils import evaluation, guard, results, shifts

FEWEST = 20  # lesions that are melanomas, for an AUC of a band of skin tones
KEPT = ["image_id", "group", "dx", "dx_type", "age", "sex", "localization"]


def run():
    """Predict, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``shipped_model.load``.
    """
    started = time.monotonic()
    model, facts, lesions = shipped_model.load()
    large, sets = common.lesions(shipped_model.LARGE).subset("test").images, {}

    def answer(name, severity):
        """Probabilities of the shifted test images, and which of them the guard refuses."""
        shifted = shifts.shift(name, large, severity)
        changed = shipped_model.made_small(shifted, facts["source_size"])
        p = shipped_model.probability(model, facts, f"{name}-{severity}", changed)
        far = guard.distances(model, facts["guard"], changed)  # quick, and another guard may come
        return p, far > facts["guard"]["limit"]

    for name in ("validation", "test"):
        part = lesions.subset(name)
        p = shipped_model.probability(model, facts, name, part.images)
        sets[name] = part.table[KEPT].reset_index(drop=True)
        sets[name] = sets[name].assign(
            melanoma=part.melanoma,
            probability=p.astype(float).round(5),
            ita=shifts.typology_angle(part.images).round(1),
        )
    findings = {
        "threshold": facts["threshold"],
        "shifts": shifted(sets["test"], answer, facts["threshold"]),
        "tones": {name: by_tone(table) for name, table in sets.items()},
        "tone_gap": tone_gap(pd.concat(sets.values())),
        "sex_gap": sex_gap(sets["validation"], sets["test"], facts["threshold"]),
        "beside": beside(sets["validation"], sets["test"]),
        **{name: table.to_dict("list") for name, table in sets.items()},
    }
    origin = shipped_model.origin(facts)
    results.commit("subgroups", findings, lesions.source, {}, started, **origin)


def shifted(table, answer, threshold):
    """Each shift at each severity against the unchanged images: the same images, so all changes
    are paired.

    ``answer(name, severity)`` gives the probabilities of shape (n,) and whether the guard refuses,
    bool of shape (n,); the probabilities of the unchanged images stand in ``table``.
    """
    y, groups = table["melanoma"].to_numpy(), table["group"]
    before = table["probability"].to_numpy()

    def sensitivity(y, p):
        return (p[y == 1] >= threshold).mean()

    def measures(p):
        return {
            "roc_auc": evaluation.roc_auc(y, p),
            "calibration_error": evaluation.calibration_error(y, p),
            "sensitivity": float(sensitivity(y, p)),
            "mean_probability": float(p.mean()),
        }

    def change(measure, p):
        return evaluation.difference(measure, y, p, before, groups).to_json()

    found = {"unchanged": measures(before)}
    for name in shifts.SHIFTS:
        found[name] = []
        for severity in shifts.SEVERITIES:
            p, refused = answer(name, severity)
            row = {"severity": severity} | measures(p)
            row["change"] = change(evaluation.roc_auc, p)
            row["calibration_change"] = change(evaluation.calibration_error, p)
            row["sensitivity_change"] = change(sensitivity, p)
            row["refused"] = float(refused.mean())
            row["melanomas_called_benign"] = float((~refused & (p < threshold))[y == 1].mean())
            found[name].append(row)
            print(f"{name} {severity}: AUC {row['change']['value']:+.3f}", flush=True)
    return found


def by_tone(table):
    """Images, melanomas, share of follow-up moles of each band of ITA, and its AUC where there are
    enough melanomas."""
    found = {}
    for name, part in table.groupby(shifts.skin_tone(table["ita"]), observed=True):
        y = part["melanoma"]
        found[name] = {"images": len(part), "melanomas": int(y.sum())}
        found[name]["follow_up"] = float((part["dx_type"] == "follow_up").mean())
        if part["group"][y == 1].nunique() >= FEWEST and y.sum() < len(part):
            auc = evaluation.estimate(evaluation.roc_auc, y, part["probability"], part["group"])
            found[name]["roc_auc"] = auc.to_json()
    return found


def tone_gap(table, bands=("very light", "bluish")):
    """AUC of the first band minus that of the second, with follow-up moles and without them."""
    tone = shifts.skin_tone(table["ita"])
    found = {}
    for name, rows in (("all", True), ("without follow-up", table["dx_type"] != "follow_up")):
        first, second = (table[(tone == band) & rows] for band in bands)
        gap = resampled(first, evaluation.roc_auc) - resampled(second, evaluation.roc_auc)
        found[name] = as_estimate(gap)
    return found


def sex_gap(validation, test, threshold):
    """Sensitivity of men minus that of women: in each set, pooled, and how the sets differ."""

    def sensitivity(y, p):
        return (p[y == 1] >= threshold).mean()

    def gap(table):
        men, women = (table[table["sex"] == sex] for sex in ("male", "female"))
        return resampled(men, sensitivity) - resampled(women, sensitivity)

    sets = {"validation": gap(validation), "test": gap(test)}
    sets["pooled"] = gap(pd.concat([validation, test]))
    sets["test minus validation"] = sets["test"] - sets["validation"]
    return {name: as_estimate(values) for name, values in sets.items()}


def resampled(table, measure):
    """A measure of a table, then the same of 1,000 bootstrap samples of its lesions: ndarray."""
    y, p = table["melanoma"].to_numpy(), table["probability"].to_numpy()
    samples = [np.arange(len(y)), *evaluation.resampled_lesions(y, table["group"])]
    return np.array([measure(y[rows], p[rows]) for rows in samples])


def as_estimate(values):
    """What ``resampled`` gave, or a difference of two such, for JSON."""
    return evaluation.Estimate(float(values[0]), *evaluation.interval(values[1:])).to_json()


INPUTS = {
    "image alone": [],
    "image and age": ["age"],
    "image, age, sex and site": ["age", "sex", "localization"],
    "image and way of confirmation": ["dx_type"],
}


def beside(validation, test):
    """Logistic regression on the model's log-odds and what is known of the patient.

    Fitted on validation images, judged on test images: AUC and average precision, and the paired
    difference to the image alone."""
    y, groups, found = test["melanoma"], test["group"], {}
    alone = fitted(validation, [])(test)
    for name, columns in INPUTS.items():
        p = fitted(validation, columns)(test)
        found[name] = {
            measure: {
                "value": evaluation.estimate(score, y, p, groups).to_json(),
                "gain": evaluation.difference(score, y, p, alone, groups).to_json(),
            }
            for measure, score in (
                ("roc_auc", evaluation.roc_auc),
                ("average_precision", average_precision_score),
            )
        }
    p = fitted(validation, INPUTS["image, age, sex and site"], image=False)(test)
    without = evaluation.estimate(evaluation.roc_auc, y, p, groups)
    found["age, sex and site alone"] = {"roc_auc": {"value": without.to_json()}}
    return found


def fitted(table, columns, image=True):
    """A function from a table to probabilities of melanoma, shape (n,); missing ages are means."""
    numbers = ["log_odds"] * image + ["age"] * ("age" in columns)
    words = [column for column in columns if column != "age"]
    age = table["age"].mean()

    def inputs(given):
        log_odds = logit(given["probability"].clip(1e-5, 1 - 1e-5))
        return given.assign(log_odds=log_odds, age=given["age"].fillna(age))

    encode = make_column_transformer(
        (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), words)
    )
    model = make_pipeline(encode, LogisticRegression(max_iter=1000))
    model.fit(inputs(table), table["melanoma"])
    return lambda given: model.predict_proba(inputs(given))[:, 1]
