"""Step 4: the figures of the shipped model on its test set, and of further trainings of its recipe.

Writes results/shipped_model.json, from which the card is rendered."""

import time

import numpy as np
from scipy.special import expit, logit

from experiments import common, shipped_model
from utils import baselines, data, evaluation, models, predict, results, splits
from utils.quiet import keras

EIGHT, CORNERS = slice(0, 8), slice(8, 40)  # rows of what ``answers`` returns
AGE_BANDS = ((-1, 40, "up to 40"), (40, 60, "41 to 60"), (60, 200, "over 60"))
FEWEST = 10  # lesions of either kind, for a group's measures


def run():
    """Train where needed, predict, judge and record.

    Raises
    ------
    OSError, ValueError
        As ``predict.load_model`` and ``common.lesions``.
    ConnectionError
        If ImageNet's weights cannot be had.
    """
    started, asked = time.monotonic(), common.parameters("judge")
    model, facts, lesions = shipped_model.load()
    mini = in_mini(lesions.table)
    logits = common.in_parallel(answers, [(seed, False) for seed in asked["seeds"]])
    of_600 = common.in_parallel(answers, [(seed, True) for seed in asked["mini_seeds"]])
    calibrated = {
        name: common.kept(
            __name__,
            name,
            [facts["model_sha256"], facts["temperature"]],
            lambda _, name=name: predict.melanoma_probability(lesions.subset(name).images, model),
        )
        for name in ("validation", "test")
    }
    findings = judge(lesions, logits, calibrated, facts) | {
        "seeds": asked["seeds"],
        "minutes_a_seed": [facts["minutes"]],
        **{name: facts[name] for name in ("temperature", "threshold")},
        "mini_600": from_600(part(lesions, mini), of_600),
    }
    parameters = common.parameters("train")
    results.commit(
        "shipped_model",
        findings,
        lesions.source,
        parameters,
        started,
        **shipped_model.origin(facts),
    )


def answers(seed, mini):
    """One training by the recipe, and its melanoma log-odds for validation and test set.

    Parameters
    ----------
    seed : int
    mini : bool
        Whether with HAM10k-Mini's images alone.

    Returns
    -------
    dict of str to ndarray of float, shape (40, n)
        Rows ``EIGHT`` are the symmetric views of the whole image, rows ``CORNERS`` the corners'.
    """
    recipe = common.parameters("train")
    lesions = common.lesions(recipe["source_size"])
    if mini:
        lesions = part(lesions, in_mini(lesions.table))
    asked = [lesions.subset(name) for name in ("validation", "test")]

    def make(_):
        train = lesions.subset("train")
        network = shipped_model.train_recipe(seed, train.images, train.diagnosis)
        pixels = keras.Input((None, None, 3))
        x = keras.layers.Resizing(recipe["size"], recipe["size"])(pixels)
        any_size = keras.Model(pixels, models.melanoma_logit(network(x)))
        images = np.concatenate([one.images for one in asked])
        return np.array(
            [
                any_size.predict(view, batch_size=128, verbose=0)[:, 0]
                for views in (models.symmetric_views, models.corner_views)
                for view in views(images)
            ]
        )

    name = f"{'600' if mini else 'all'} images, seed {seed}"
    found = common.kept(__name__, name, [recipe, seed, mini], make)
    validation, test = np.split(found, [len(asked[0])], axis=1)
    auc = evaluation.roc_auc(asked[0].melanoma, expit(validation[CORNERS].mean(0)))
    print(f"{name}: validation AUC {auc:.3f}", flush=True)
    return {"validation": validation, "test": test}


def judge(lesions, logits, calibrated, facts):
    """The figures of the card that need no other training.

    Parameters
    ----------
    lesions : utils.data.Lesions
        The whole of HAM10000 with its full split.
    logits : list of dict
        Of each seed, as ``answers`` returns them.
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
    ways = {
        "single": [expit(seed["test"][0]) for seed in logits],
        "eight views": [expit(seed["test"][EIGHT].mean(0)) for seed in logits],
        "corner views": [expit(seed["test"][CORNERS].mean(0)) for seed in logits],
        "ensemble": [expit(np.mean([s["test"][CORNERS].mean(0) for s in logits], axis=0))],
    }
    beside = baselines.baseline_probabilities(lesions.subset("train"), test)
    return {
        "ways": {name: evaluation.ranking(y, several, groups) for name, several in ways.items()},
        "beside": {name: evaluation.ranking(y, one, groups) for name, one in beside.items()},
        "shipped": evaluation.evaluate("shipped", y, p, groups, threshold).metrics,
        "mean_probability": {"test": float(p.mean()), "melanomas": float(y.mean())},
        "calibration_error": {
            "raw": evaluation.calibration_error(y, expit(facts["temperature"] * logit(p))),
            "calibrated": evaluation.calibration_error(y, p),
        },
        "subgroups": subgroups(test, p, threshold),
        "mini": on_mini(lesions, calibrated),
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


def in_mini(table):
    """Which rows of the full split belong to HAM10k-Mini, whose subsets lie inside its subsets."""
    mini = splits.mini(table.drop(columns=["group", "split"]))
    return table["image_id"].isin(mini["image_id"]).to_numpy()


def part(lesions, rows):
    """Some of the images, as a data set of its own."""
    return data.Lesions(
        lesions.images[rows], lesions.table[rows].reset_index(drop=True), lesions.source
    )


def on_mini(lesions, calibrated):
    """The shipped model on HAM10k-Mini's test set, threshold chosen on Mini's validation set."""
    mini = lesions.table["image_id"][in_mini(lesions.table)]
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


def from_600(mini, logits):
    """The same recipe with HAM10k-Mini's 600 images alone, judged on Mini's test set.

    Parameters
    ----------
    mini : utils.data.Lesions
    logits : list of dict
        Of each seed, as ``answers`` returns them.

    Returns
    -------
    dict of str to Estimate
        As ``evaluation.evaluate_seeds``; each training's threshold is chosen on Mini's
        validation set.
    """
    y, test = mini.subset("validation").melanoma, mini.subset("test")
    probabilities, thresholds = [], []
    for seed in logits:
        p = {name: expit(views[CORNERS].mean(0)) for name, views in seed.items()}
        probabilities.append(p["test"])
        thresholds.append(evaluation.choose_threshold(y, p["validation"]))
    groups = test.table["group"]
    return evaluation.evaluate_seeds(test.melanoma, probabilities, groups, thresholds)
