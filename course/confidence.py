"""When the shipped model should not answer: its limits, and what they do on real lesions.

`python -m course results EXPERIMENTS=confidence` finds the limits on training and validation
images, writes them beside the shipped model, opens the test set of all of HAM10000 once, and
writes results/confidence.json."""

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from course import seven
from course.artefacts import N_OTHERS, SEED
from course.record import kept, provenance
from utils import (
    artefacts,
    data,
    evaluation,
    guard,
    other_images,
    predict,
    results,
    settings,
    splits,
)

NAME = "confidence"
MISSED = 0.05  # of either class may fall on the wrong side of the band, as validation says
REFUSED = 0.01  # of the validation lesions
LAYERS = ("block_2_add", "block_5_add", "block_9_add", "block_12_add", "block_15_add")
LAST = "out_relu"  # for comparison: its covariance of 1,280 channels is larger than the model
UNSEEN = "photograph"  # plays no part in the choice of the layer
LEVELS, N_SPLITS = (0.8, 0.9, 0.95), 200
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


def run():
    """Find the limits, write them beside the model, judge them and record.

    Raises
    ------
    FileNotFoundError, ValueError
        As ``data.load_lesions``, for the folder of real images.
    """
    model, facts = predict.load_model()
    lesions = data.load_lesions("folder", facts["source_size"], splits.full)
    train, validation, test = (lesions.subset(s) for s in ("train", "validation", "test"))
    p_validation, p_test = (
        kept(
            facts,
            f"{NAME}-{name}",
            lambda part=part: predict.melanoma_probability(part.images, model),
        )
        for name, part in (("validation", validation), ("test", test))
    )
    layer, found_in_layers = choose_layer(model, train, validation)
    facts = facts | {
        "refer_between": band(validation.melanoma, p_validation),
        "guard": {"layer": layer} | fit_guard(model, layer, train, validation),
    }
    settings.write_json(predict.SHIPPED.with_suffix(".json"), facts)
    softmax = kept(facts, seven.NAME, lambda: seven.probabilities(model, test.images)).max(1)
    content = provenance(facts) | {
        "parameters": {"MISSED": MISSED, "REFUSED": REFUSED, "N_OTHERS": N_OTHERS, "SEED": SEED},
        "refer_between": facts["refer_between"],
        "layer": layer,
        "layers": found_in_layers,
        "decisions": decisions(
            test, p_test, guard.distances(model, facts["guard"], test.images), facts
        ),
        "risk_coverage": risk_coverage(test, p_test, facts["threshold"]),
        "conformal": {
            f"{level}": coverage_over_splits(
                np.r_[validation.melanoma, test.melanoma],
                np.r_[p_validation, p_test],
                np.r_[validation.table["group"], test.table["group"]],
                level,
            )
            for level in LEVELS
        },
        "other_images": on_other_images(model, facts, test, softmax),
        "artefacts": on_artefacts(model, facts, test),
    }
    settings.write_json(results.COMMITTED / f"{NAME}.json", content)


def band(y, probability):
    """Below the first number at most ``MISSED`` of the melanomas lie, from the second on of others.

    Both are conformal, for each class by itself (``conformal_limit``)."""
    low = 1 - conformal_limit(1 - probability[y == 1], 1 - MISSED)
    high = conformal_limit(probability[y == 0], 1 - MISSED)
    return [float(low), float(np.nextafter(high, 1))]


def conformal_limit(scores, level):
    """The score that a new one of the same kind exceeds with a chance of at most ``1 - level``.

    The ``ceil((n + 1) level)``-th smallest of n: Vovk, Gammerman & Shafer, "Algorithmic Learning
    in a Random World", 2005; Angelopoulos & Bates, arXiv:2107.07511, section 1.1."""
    rank = int(np.ceil((len(scores) + 1) * level))
    return np.sort(scores)[rank - 1] if rank <= len(scores) else np.inf


def choose_layer(model, train, validation):
    """Of ``LAYERS`` the best at telling validation lesions from other images, mean over kinds."""
    chosen = np.random.default_rng(SEED).permutation(len(validation))[:N_OTHERS]
    kinds = [kind for kind in other_images.OTHER_IMAGES if kind != UNSEEN]
    made = {kind: other_images.make(kind, validation.images[chosen], SEED) for kind in kinds}
    found = {}
    for layer in (*LAYERS, LAST):
        fitted = guard.fit(guard.features(model, layer, train.images))

        def distances(images, layer=layer, fitted=fitted):
            return guard.distance(guard.features(model, layer, images), **fitted)

        near = distances(validation.images)
        found[layer] = {kind: _auc(near, distances(images)) for kind, images in made.items()}
    return max(LAYERS, key=lambda layer: np.mean(list(found[layer].values()))), found


def _auc(near, far):
    return evaluation.roc_auc(np.r_[np.zeros(len(near)), np.ones(len(far))], np.r_[near, far])


def fit_guard(model, layer, train, validation):
    """Mean and precision from training images, the limit from validation images."""
    fitted = guard.fit(guard.features(model, layer, train.images))
    near = guard.distance(guard.features(model, layer, validation.images), **fitted)
    limit = float(conformal_limit(near, 1 - REFUSED))
    return {name: array.tolist() for name, array in fitted.items()} | {"limit": limit}


def decide(p, distance, facts):
    """As ``predict.predict_skin_cancer``, for arrays of shape (n,)."""
    low, high = facts["refer_between"]
    answers = [distance > facts["guard"]["limit"], (low <= p) & (p < high), p >= high]
    return np.select(answers, ["refused", "refer", "melanoma"], "benign")


def decisions(test, p, distance, facts):
    """Share of each decision for melanomas and others, with intervals by lesion."""
    made, y, groups = decide(p, distance, facts), test.melanoma, test.table["group"]

    def share(of, kind):
        def measure(truth, found):
            return (found[truth == of] == kind).mean() if (truth == of).any() else np.nan

        truth = np.where(y == 1, "mel", "other")
        return evaluation.estimate_diagnoses(measure, truth, made, groups).to_json()

    kinds = ("benign", "refer", "melanoma", "refused")
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


def coverage_over_splits(y, p, groups, level):
    """How often conformal sets hold the truth, over random halves of lesions.

    ``marginal``: one limit for all; ``by class``: one for melanomas, one for others."""
    score = np.where(y == 1, 1 - p, p)  # one minus the probability of the truth
    halves = GroupShuffleSplit(N_SPLITS, test_size=0.5, random_state=SEED).split(score, y, groups)
    found = {"marginal": [], "by class": []}
    for calibration, test in halves:
        one = conformal_limit(score[calibration], level)
        own = np.array(
            [conformal_limit(score[calibration][y[calibration] == k], level) for k in (0, 1)]
        )
        for name, limits in (("marginal", np.array([one, one])), ("by class", own)):
            holds = score[test] <= limits[y[test]]
            size = (p[test] <= limits[0]).astype(int) + (1 - p[test] <= limits[1])
            found[name].append(
                [holds.mean(), holds[y[test] == 1].mean(), holds[y[test] == 0].mean(), size.mean()]
            )
    names = ("all", "melanoma", "not melanoma", "mean_size")
    return {
        way: {
            name: {"mean": float(column.mean()), "standard_deviation": float(column.std(ddof=1))}
            for name, column in zip(names, np.transpose(rows), strict=True)
        }
        for way, rows in found.items()
    }


def _some(test):
    """``N_OTHERS`` test lesions, the first photograph of each."""
    first = np.flatnonzero(~test.table["group"].duplicated())
    return test.take(np.sort(np.random.default_rng(SEED).permutation(first)[:N_OTHERS]))


def on_other_images(model, facts, test, softmax):
    """Images that show no lesion: who notices, and what is answered without a guard."""
    some = _some(test)
    near = guard.distances(model, facts["guard"], test.images)
    groups = np.r_[test.table["group"], some.table["group"]]
    truth = np.r_[np.zeros(len(test), int), np.ones(len(some), int)]
    found = {}
    for kind in other_images.OTHER_IMAGES:
        made = other_images.make(kind, some.images, SEED)
        far = guard.distances(model, facts["guard"], made)
        seven_p = kept(
            facts, f"{NAME}-softmax-{kind}", lambda made=made: seven.probabilities(model, made)
        )
        p = kept(
            facts, f"{NAME}-p-{kind}", lambda made=made: predict.melanoma_probability(made, model)
        )
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


def on_artefacts(model, facts, test):
    """Decisions on melanomas with something drawn on them, and the share of all lesions refused."""
    first = ~test.table["group"].duplicated().to_numpy()
    melanomas = test.take(np.flatnonzero(first & (test.melanoma == 1)))
    others, found = _some(test), {}
    for name in (None, *artefacts.ARTEFACTS):
        images = melanomas.images if name is None else artefacts.add(name, melanomas.images, SEED)
        p = kept(facts, f"{NAME}-p-{name}", lambda x=images: predict.melanoma_probability(x, model))
        made = decide(p, guard.distances(model, facts["guard"], images), facts)
        images = others.images if name is None else artefacts.add(name, others.images, SEED)
        refused = guard.distances(model, facts["guard"], images) > facts["guard"]["limit"]
        kinds = ("benign", "refer", "melanoma", "refused")
        found[name or "nothing"] = {
            "melanoma": {kind: float((made == kind).mean()) for kind in kinds},
            "refused": float(refused.mean()),
        }
    return found
