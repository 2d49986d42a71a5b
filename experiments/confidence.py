"""When the shipped model should not answer: what its limits (``shipped.limits``) do on test images.

Opens the test set of all of HAM10000 once."""

import time

import numpy as np
from sklearn.model_selection import ShuffleSplit

from experiments import common, shipped_model
from utils import artefacts, evaluation, guard, other_images, results
from utils.decision import decide
from utils.evaluation import conformal_limit

LEVELS = (0.8, 0.9, 0.95)
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


def run():
    """Predict, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``shipped_model.load``.
    """
    started, asked = time.monotonic(), common.parameters("confidence")
    model, facts, lesions = shipped_model.load()
    validation, test = lesions.subset("validation"), lesions.subset("test")
    p_validation, p_test = (
        shipped_model.probability(model, facts, name, lesions.subset(name).images)
        for name in ("validation", "test")
    )
    softmax = shipped_model.kept_seven(model, facts, test.images).max(1)
    once = {
        name: shipped_model.first_of_each(lesions.subset(name)) for name in ("validation", "test")
    }
    findings = {
        "layer": facts["guard"]["layer"],
        "layers": facts["guard"]["auc_by_layer"],
        "decisions": decisions(
            test, p_test, guard.distances(model, facts["guard"], test.images), facts
        ),
        "band": band_or_threshold(validation, p_validation, test, p_test),
        "risk_coverage": risk_coverage(test, p_test, facts["threshold"]),
        "conformal": {
            f"{level}": coverage_over_splits(
                np.r_[validation.melanoma[once["validation"]], test.melanoma[once["test"]]],
                np.r_[p_validation[once["validation"]], p_test[once["test"]]],
                level,
                asked,
            )
            for level in LEVELS
        },
        "other_images": on_other_images(model, facts, test, softmax, asked),
        "artefacts": on_artefacts(model, facts, test, asked),
    }
    origin = shipped_model.origin(facts)
    results.commit("confidence", findings, lesions.source, asked, started, **origin)


def decisions(test, p, distance, facts):
    """Share of each decision for melanomas and others, with intervals by lesion."""
    made, y, groups = decide(p, distance, facts), test.melanoma, test.table["group"]

    def share(of, kind):
        def measure(truth, found):
            return (found[truth == of] == kind).mean() if (truth == of).any() else np.nan

        truth = np.where(y == 1, "mel", "other")
        return evaluation.estimate_diagnoses(measure, truth, made, groups).to_json()

    kinds = ("benign", "melanoma", "refused")
    answered = np.isin(made, ("benign", "melanoma"))
    return {
        "all": {kind: float((made == kind).mean()) for kind in kinds},
        "melanoma": {kind: share("mel", kind) for kind in kinds},
        "not melanoma": {kind: share("other", kind) for kind in kinds},
        "answered": {
            "sensitivity": float((made[answered & (y == 1)] == "melanoma").mean()),
            "specificity": float((made[answered & (y == 0)] == "benign").mean()),
        },
        "melanomas_called_benign": int(((made == "benign") & (y == 1)).sum()),
        "called_benign": int((made == "benign").sum()),
    }


def risk_coverage(test, p, threshold):
    """What is left when the images nearest to the threshold, in log-odds, go to a doctor."""
    y, groups = test.melanoma, test.table["group"]
    logit = np.log(p) - np.log1p(-p)
    sure = np.abs(logit - np.log(threshold / (1 - threshold)))
    rows = []
    for coverage in COVERAGES:
        answered = sure >= np.quantile(sure, 1 - coverage)
        found = evaluation.evaluate("", y[answered], p[answered], groups[answered], threshold)
        row = {"coverage": coverage, "error": 1 - found.metrics["accuracy"].value}
        for name in ("sensitivity", "specificity"):
            row[name] = found.metrics[name].to_json()
        rows.append(row | {"melanomas_missed": int(found.confusion[1, 0])})
    return rows


def band_or_threshold(validation, p_validation, test, p_test, missed=0.05):
    """A reject option between two conformal limits, and one threshold at the same load.

    The doctor sees what is referred and what is called melanoma. A lesion is called benign below
    the band's lower end, so that one threshold there sends the doctor the same images and misses
    the same melanomas: the band adds nothing but a second word for some of them.
    """
    once = shipped_model.first_of_each(validation)
    y, p = validation.melanoma[once], p_validation[once]
    low = 1 - conformal_limit(1 - p[y == 1], 1 - missed)
    high = max(low, conformal_limit(p[y == 0], 1 - missed))
    said = np.select([p_test < low, p_test >= high], ["benign", "melanoma"], "refer")

    def cost(seen):
        return {
            "load": float(seen.mean()),
            "melanomas_missed": int(test.melanoma[~seen].sum()),
        }

    return {
        "low": float(low),
        "high": float(high),
        "referred": float((said == "refer").mean()),
        "called melanoma": float((said == "melanoma").mean()),
        **cost(said != "benign"),
        "one threshold at low": cost(p_test >= low),
    }


def coverage_over_splits(y, p, level, asked):
    """How often conformal sets hold the truth, over random halves of lesions, one image of each.

    ``marginal``: one limit for all; ``by class``: one for melanomas, one for others."""
    score = np.where(y == 1, 1 - p, p)  # one minus the probability of the truth
    halves = ShuffleSplit(asked["N_SPLITS"], test_size=0.5, random_state=asked["SEED"])
    found = {"marginal": [], "by class": []}
    for calibration, test in halves.split(score):
        one = conformal_limit(score[calibration], level)
        own = np.array(
            [conformal_limit(score[calibration][y[calibration] == k], level) for k in (0, 1)]
        )
        for name, limits in (("marginal", np.array([one, one])), ("by class", own)):
            holds = score[test] <= limits[y[test]]
            size = (p[test] <= limits[0]).astype(int) + (1 - p[test] <= limits[1])
            of_kinds = [holds[y[test] == kind].mean() for kind in (1, 0)]
            found[name].append([holds.mean(), *of_kinds, size.mean(), (size == 0).mean()])
    names = ("all", "melanoma", "not melanoma", "mean_size", "empty")
    return {
        way: {
            name: {"mean": float(column.mean()), "standard_deviation": float(column.std(ddof=1))}
            for name, column in zip(names, np.transpose(rows), strict=True)
        }
        for way, rows in found.items()
    }


def _some(test, asked):
    """So many test lesions, the first photograph of each."""
    first = shipped_model.first_of_each(test)
    chosen = np.random.default_rng(asked["SEED"]).permutation(first)[: asked["N_OTHERS"]]
    return test.take(np.sort(chosen))


def on_other_images(model, facts, test, softmax, asked):
    """Images that show no lesion: who notices, and what is answered without a guard."""
    some = _some(test, asked)
    near = guard.distances(model, facts["guard"], test.images)
    groups = np.r_[test.table["group"], some.table["group"]]
    truth = np.r_[np.zeros(len(test), int), np.ones(len(some), int)]
    found = {}
    for kind in other_images.OTHER_IMAGES:
        made = other_images.make(kind, some.images, asked["SEED"])
        far = guard.distances(model, facts["guard"], made)
        seven_p = shipped_model.kept_seven(model, facts, made, kind)
        p = shipped_model.probability(model, facts, kind, made)
        by_distance, by_softmax = np.r_[near, far], np.r_[1 - softmax, 1 - seven_p.max(1)]
        auc = evaluation.roc_auc
        found[kind] = {
            "auroc_distance": evaluation.estimate(auc, truth, by_distance, groups).to_json(),
            "auroc_softmax": evaluation.estimate(auc, truth, by_softmax, groups).to_json(),
            "gain": evaluation.difference(auc, truth, by_distance, by_softmax, groups).to_json(),
            "refused": float((far > facts["guard"]["limit"]).mean()),
            "alarms_without_guard": float((p >= facts["threshold"]).mean()),
            "confident_without_guard": float((seven_p.max(1) >= 0.9).mean()),
        }
    return found


def on_artefacts(model, facts, test, asked):
    """Decisions on melanomas with something drawn on them, and the share of all lesions refused."""
    first = shipped_model.first_of_each(test)
    melanomas = test.take(first[test.melanoma[first] == 1])
    others, found, seed = _some(test, asked), {}, asked["SEED"]
    for name in (None, *artefacts.ARTEFACTS):
        images = melanomas.images if name is None else artefacts.add(name, melanomas.images, seed)
        p = shipped_model.probability(model, facts, f"artefact {name}", images)
        made = decide(p, guard.distances(model, facts["guard"], images), facts)
        images = others.images if name is None else artefacts.add(name, others.images, seed)
        refused = guard.distances(model, facts["guard"], images) > facts["guard"]["limit"]
        kinds = ("benign", "melanoma", "refused")
        found[name or "nothing"] = {
            "melanoma": {kind: float((made == kind).mean()) for kind in kinds},
            "refused": float(refused.mean()),
        }
    return found
