"""The shipped model where it was not trained: other clinics (ISIC 2017) and smartphones
(PAD-UFES-20), beside HAM10000 as a whole, without follow-up moles, and confirmed by histology only.
Its probabilities of the whole sets are kept, for the lesson that judges them anew.

Images as they come; no choice is made on them. The colour baseline, learned from the same training
images, stands beside every figure."""

import time

import numpy as np
import pandas as pd

from experiments import common, shipped_model
from utils import baselines, evaluation, guard, results
from utils.decision import decide

OTHERS = ("isic2017", "pad_ufes_20")
WHOLE = ("HAM10000, test", "ISIC 2017, all", "PAD-UFES-20, all")  # whose predictions are kept


def run():
    """Ask, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``shipped_model.load`` and ``common.data_set``.
    """
    started, asked = time.monotonic(), common.parameters("elsewhere")
    model, facts, lesions = shipped_model.load()
    home, train = lesions.subset("test"), lesions.subset("train")
    sets = {name: common.data_set(name, facts["source_size"]) for name in OTHERS}
    answered, validation = {"test": home} | sets, lesions.subset("validation")
    beside = baselines.baseline_probabilities(train, validation, *answered.values())
    colours, *others = beside["colour baseline"]
    tables = {
        name: one.table.assign(
            melanoma=one.melanoma,
            shipped=shipped_model.probability(model, facts, name, one.images),
            colours=theirs,
            distance=guard.distances(model, facts["guard"], one.images),
        )
        for (name, one), theirs in zip(answered.items(), others, strict=True)
    }
    first = shipped_model.first_of_each(validation)
    thresholds = {
        "shipped": facts["threshold"],
        "colours": shipped_model.threshold_for_sensitivity(
            validation.melanoma[first], colours[first], common.parameters("limits")["sensitivity"]
        ),
    }
    apart = shipped_model.judged_apart(tables)
    findings = {
        "thresholds": thresholds,
        "sets": {name: judged(rows, thresholds, facts) for name, rows in apart.items()},
        "local": locally(tables["isic2017"], facts["threshold"], asked),
        "predictions": {name: predictions(apart[name]) for name in WHOLE},
    }
    origin = shipped_model.origin(facts)
    results.commit("elsewhere", findings, lesions.source, asked, started, **origin)


def judged(table, thresholds, facts):
    """Ranking, calibration and decisions on some images, intervals by lesion or person.

    Parameters
    ----------
    table : DataFrame
        ``melanoma``, ``group``, ``shipped``, ``colours`` (probabilities), ``distance``.
    thresholds : dict of str to float
        Of ``shipped`` and ``colours``.
    facts : dict
        The shipped model's.
    """
    y, groups = table["melanoma"].to_numpy(), table["group"]
    found = {
        "images": len(y),
        "melanomas": int(y.sum()),
        "groups": int(groups.nunique()),
        "melanoma_groups": int(groups[y == 1].nunique()),
    }
    for name, threshold in thresholds.items():
        p = table[name].to_numpy()
        metrics = evaluation.evaluate(name, y, p, groups, threshold).metrics
        found[name] = {m: metrics[m].to_json() for m in ("roc_auc", "sensitivity", "specificity")}
    p = table["shipped"].to_numpy()
    auc = evaluation.roc_auc
    gain = evaluation.difference(auc, y, p, table["colours"].to_numpy(), groups)
    found["over_colours"] = gain.to_json()
    found["calibration"] = {
        name: evaluation.estimate(measure, y, p, groups, n_resamples=200).to_json()
        for name, measure in evaluation.CALIBRATION.items()
    }
    made = pd.Series(decide(p, table["distance"].to_numpy(), facts))
    found["refused"] = float((made == "refused").mean())
    found["melanomas_called_benign"] = int(((made == "benign").to_numpy() & (y == 1)).sum())
    return found


def predictions(table):
    """What suffices to judge the images of a table anew.

    Returns
    -------
    dict of str to list
        Of one number an image: ``melanoma``, ``group`` (numbered from 0) and ``probability``, by
        the shipped model, to four decimals.
    """
    return {
        "melanoma": table["melanoma"].tolist(),
        "group": pd.factorize(table["group"])[0].tolist(),
        "probability": table["shipped"].astype(float).round(4).tolist(),
    }


def locally(table, threshold, asked):
    """What a few images of the other place change: threshold and log-odds fitted on them.

    Drawn from ISIC 2017's training images again and again, judged on its test images.

    Returns
    -------
    dict of str to dict
        Sensitivity, false positives and calibration slope on the test images, as they come and
        after the fit: mean, and the 5th and 95th percentile over the draws.
    """
    train, test = (table[table["split"] == split] for split in ("train", "test"))
    y, p = test["melanoma"].to_numpy(), test["shipped"].to_numpy()

    def measures(threshold, slope):
        called = p >= threshold
        return [called[y == 1].mean(), called[y == 0].mean(), slope]

    slope = evaluation.calibration_slope(y, p)
    names = ("sensitivity", "false positives", "slope")
    found, rng = [], np.random.default_rng(asked["seed"])
    while len(found) < asked["draws"]:
        few = train.iloc[rng.permutation(len(train))[: asked["local_images"]]]
        chosen = shipped_model.threshold_for_sensitivity(
            few["melanoma"], few["shipped"], asked["sensitivity"]
        )
        if not np.isfinite(chosen):  # fewer than nine melanomas promise nothing
            continue
        fitted = evaluation.calibration_slope(few["melanoma"], few["shipped"])
        found.append(measures(chosen, slope / fitted))
    before = dict(zip(names, map(float, measures(threshold, slope)), strict=True))
    after = {
        name: {"mean": float(values.mean())}
        | dict(zip(("p5", "p95"), map(float, np.percentile(values, [5, 95])), strict=True))
        for name, values in zip(names, np.transpose(found), strict=True)
    }
    return {"as it comes": before, "after": after}
