"""Step 5: the figures of the shipped model on its test set, from which the card is rendered."""

import time

from scipy.special import expit, logit

from experiments import shipped_model
from utils import baselines, evaluation, results

AGE_BANDS = ((-1, 40, "up to 40"), (40, 60, "41 to 60"), (60, 200, "over 60"))
FEWEST = 10  # lesions of either kind, for a group's measures


def run():
    """Predict, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``shipped_model.load``.
    """
    started = time.monotonic()
    model, facts, lesions = shipped_model.load()
    calibrated = {
        name: shipped_model.probability(model, facts, name, lesions.subset(name).images)
        for name in ("validation", "test")
    }
    recipe = ("alpha", "size", "source_size", "epochs", "seed", "strength")
    used = {name: facts[name] for name in recipe}
    findings = judge(lesions, calibrated, facts) | {
        name: facts[name] for name in ("temperature", "threshold")
    }
    origin = shipped_model.origin(facts)
    results.commit("shipped_model", findings, lesions.source, used, started, **origin)


def judge(lesions, calibrated, facts):
    """The figures of the card.

    Parameters
    ----------
    lesions : utils.data.Lesions
        The whole of HAM10000 with its full split.
    calibrated : dict of str to ndarray
        The shipped file's probabilities by subset.
    facts : dict
        Its own, with ``temperature`` and ``threshold``.

    Returns
    -------
    dict
    """
    test, threshold = lesions.subset("test"), facts["threshold"]
    y, groups, p = test.melanoma, test.table["group"], calibrated["test"]
    beside = baselines.baseline_probabilities(lesions.subset("train"), test)
    return {
        "beside": {name: evaluation.ranking(y, one, groups) for name, one in beside.items()},
        "shipped": evaluation.evaluate("shipped", y, p, groups, threshold).metrics,
        "mean_probability": {"test": float(p.mean()), "melanomas": float(y.mean())},
        "validation": on_validation(lesions.subset("validation"), calibrated, threshold),
        "calibration": {
            "raw": calibration(y, expit(facts["temperature"] * logit(p)), groups),
            "calibrated": calibration(y, p, groups),
        },
        "subgroups": subgroups(test, p, threshold),
        "mini": on_mini(lesions, calibrated),
    }


def on_validation(validation, calibrated, threshold):
    """The same figures on the images on which temperature, threshold and views were chosen."""
    y, p = validation.melanoma, calibrated["validation"]
    return evaluation.evaluate("", y, p, validation.table["group"], threshold).metrics


def calibration(y, probability, groups):
    """Slope, intercept and Brier score, with intervals by lesion."""
    return {
        name: evaluation.estimate(measure, y, probability, groups)
        for name, measure in evaluation.CALIBRATION.items()
    }


def subgroups(test, probability, threshold):
    """Sensitivity, specificity and AUC by sex, age, site and way of confirmation.

    Returns
    -------
    dict of str to dict
        A group with fewer than ``FEWEST`` lesions of either kind has only its counts.
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
        lesions = [groups[y == kind].nunique() for kind in (0, 1)]
        found[name] = {"images": len(y), "melanomas": int(y.sum())}
        found[name] |= {"lesions": sum(lesions), "melanoma_lesions": lesions[1]}
        if min(lesions) >= FEWEST:
            e = evaluation.evaluate(name, y, probability[rows], groups, threshold, n_resamples=500)
            found[name] |= {m: e.metrics[m] for m in ("sensitivity", "specificity", "roc_auc")}
    return found


def on_mini(lesions, calibrated):
    """The shipped model on HAM10k-Mini's test set, threshold chosen on Mini's validation set."""
    mini = lesions.table["image_id"][shipped_model.in_mini(lesions.table)]
    y, p, groups = {}, {}, {}
    for name, probability in calibrated.items():
        whole = lesions.subset(name)
        rows = whole.table["image_id"].isin(mini).to_numpy()
        y[name], p[name], groups[name] = (
            whole.melanoma[rows],
            probability[rows],
            whole.table["group"][rows],
        )
    threshold = evaluation.choose_threshold(y["validation"], p["validation"])
    e = evaluation.evaluate("Mini", y["test"], p["test"], groups["test"], threshold)
    return {"images": e.n_images, "threshold": threshold} | e.metrics
