"""What another training is worth, and where: the shipped recipe as it was before its views were
disturbed, as it is, and with images of a second source. Judged at home, in other clinics (ISIC
2017) and on phones. What ships is trained on HAM10000 alone.

ISIC 2017's archive holds several collections, and the ids tell them apart roughly. So its test
images are judged by block of ids, too."""

import time

import numpy as np

from experiments import common, shipped_model
from utils import data, evaluation, settings

TODAY = "HAM10000"  # the shipped recipe, with which all others are compared
BEFORE = "HAM10000, views not disturbed"
ISIC = "HAM10000 and ISIC 2017"
FEW = "HAM10000 and a few of ISIC 2017's other collections"
BLOCKS = {"ids 12, 13": ("0012", "0013"), "ids 14": ("0014",), "ids 15, 16": ("0015", "0016")}


def run():
    """Train each, judge on all sets, compare in pairs with the shipped recipe, and record.

    Raises
    ------
    OSError, ValueError
        As ``common.lesions`` and ``common.data_set``.
    ConnectionError
        If ImageNet's weights cannot be had.
    """
    started, asked = time.monotonic(), common.parameters("second_source")
    recipe, limits = common.parameters("train"), common.parameters("limits")
    home, sets = asked_about(recipe["source_size"])
    validation = home.subset("validation")
    first = shipped_model.first_of_each(validation)
    y, n = validation.melanoma[first], len(validation)
    tables = {name: one.table.assign(melanoma=one.melanoma) for name, one in sets.items()}
    ends = n + np.cumsum([0, *map(len, tables.values())])
    wanted = [(name, seed) for name, seeds in asked["seeds"].items() for seed in seeds]
    trainings = {name: {"images": len(training_set(name)[1])} for name in asked["seeds"]}
    thresholds = {}
    for one, p in zip(wanted, common.in_parallel(answers, wanted), strict=True):
        thresholds[one] = shipped_model.threshold_for_sensitivity(
            y, p[:n][first], limits["sensitivity"]
        )
        for table, start, end in zip(tables.values(), ends, ends[1:], strict=False):
            table[one] = p[start:end]
    rows = judged_apart(tables)
    findings = {
        "trainings": trainings,
        "sets": {title: judged(table, asked["seeds"], thresholds) for title, table in rows.items()},
    }
    common.commit("second_source", findings, home, {"train": recipe, **asked}, started)


def judged_apart(tables):
    """As ``shipped_model.judged_apart``, but without all of ISIC 2017, most of which some trainings
    have seen, and with its test images by block of ids."""
    rows = shipped_model.judged_apart(tables)
    del rows["ISIC 2017, all"]
    test = rows["ISIC 2017, test"]
    for title, ids in BLOCKS.items():
        rows[f"ISIC 2017, test, {title}"] = test[test["image_id"].str[5:9].isin(ids)]
    return rows


def asked_about(size):
    """HAM10000, and the Lesions that every training is asked about, by name."""
    home = common.lesions(size)
    others = {name: common.data_set(name, size) for name in ("isic2017", "pad_ufes_20")}
    return home, {"test": home.subset("test")} | others


def training_set(name):
    """Images, places of their diagnoses in ``data.DX``, and the recipe of a training.

    Of ISIC 2017, what is not melanoma counts as nevus: its copy does not say which. The samples
    are left out, and what is neither sample nor public domain is left out of ``FEW``.
    """
    recipe = common.parameters("train")
    train = common.lesions(recipe["source_size"]).subset("train")
    images, diagnosis = train.images, train.diagnosis
    if name == BEFORE:
        return images, diagnosis, recipe | common.parameters("second_source")["before"]
    if name != TODAY:
        other = common.data_set("isic2017", recipe["source_size"])
        ids, shown = other.table["image_id"], shown_ids()
        if name == FEW:
            free = settings.folder("ISIC2017_DIR") / "isic2016_training_ids.txt"
            free = free.read_text(encoding="utf-8").split()
            rows = ids.isin(free) & (other.table["split"] != "test")
        else:
            rows = other.table["split"] == "train"
        rows = np.flatnonzero(rows & ~ids.isin(shown))
        nevus, melanoma = data.DX.index("nv"), data.DX.index("mel")
        images = np.concatenate([images, other.images[rows]])
        diagnosis = np.append(diagnosis, np.where(other.melanoma[rows], melanoma, nevus))
    return images, diagnosis, recipe


def shown_ids():
    """Of the 360 images in data/samples/, which no model may see in training."""
    return [
        image_id
        for name in settings.SAMPLES
        for image_id in common.data_set(name, 128).table["image_id"]
    ]


def answers(name, seed):
    """Melanoma probabilities by one training: HAM10000's validation set, then each set asked about.

    Returns
    -------
    ndarray of float, shape (n,)
    """
    images, diagnosis, recipe = training_set(name)

    def make(_):
        whole = shipped_model.trained(recipe, seed, images, diagnosis)
        home, sets = asked_about(recipe["source_size"])
        asked = [home.subset("validation"), *sets.values()]
        return np.concatenate([shipped_model.asked(whole, one.images) for one in asked])

    sets = ("ham10000", "isic2017", "pad_ufes_20", *settings.SAMPLES)
    return common.kept(__name__, f"{name}-seed{seed}", [recipe, seed, name], make, sets)


def judged(table, seeds, thresholds):
    """Each training on some images, and its paired difference to the shipped recipe.

    Parameters
    ----------
    table : DataFrame
        ``melanoma``, ``group``, and a column of probabilities ``(name, seed)`` of each training.
    seeds : dict of str to list of int
        Of each training.
    thresholds : dict of (str, int) to float
        Each training's own, chosen on HAM10000's validation set.

    Returns
    -------
    dict
    """
    y, groups = table["melanoma"].to_numpy(), table["group"]
    found = {"images": len(y), "melanomas": int(y.sum())}
    for name, own in seeds.items():
        p = np.stack([table[name, seed] for seed in own])
        called = p >= np.array([[thresholds[name, seed]] for seed in own])
        found[name] = {
            "roc_auc": evaluation.ranking(y, p, groups)["roc_auc"].to_json(),
            "sensitivity": float(called[:, y == 1].mean()),
            "false positives": float(called[:, y == 0].mean()),
        }
        if name != TODAY:
            both = [seed for seed in own if seed in seeds[TODAY]]
            a, b = (np.stack([table[one, seed] for seed in both]) for one in (name, TODAY))
            gain = evaluation.difference(evaluation.roc_auc, y, a, b, groups)
            found[name]["minus HAM10000"] = gain.to_json()
    return found
