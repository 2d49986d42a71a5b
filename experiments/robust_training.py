"""Which training the shipped model gets: candidates compared on HAM10000's validation set alone,
clean and disturbed. The rule of choice stands in params.yaml, before the first run.

Images are disturbed at 150 pixels a side, as they come, and made smaller afterwards, as a camera's
are. The test set is not touched."""

import time
from functools import cache

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import convolve

from experiments import common, shipped_model
from utils import artefacts, evaluation, shifts

UNSEEN = ("hair", "motion blur", "gel bubbles", "noise")  # that no view imitates


def run():
    """Train each candidate with each seed, judge, and record.

    Raises
    ------
    OSError, ValueError
        As ``common.lesions``.
    ConnectionError
        If ImageNet's weights cannot be had.
    """
    started, asked = time.monotonic(), common.parameters("robust_training")
    today = asked["candidates"]["today"]
    lesions = common.lesions(today["source_size"])
    validation = lesions.subset("validation")
    findings = {
        "rule": asked["rule"],
        "melanoma": validation.melanoma[one_a_lesion(validation)].tolist(),
        "candidates": {
            name: [judged(name, today | change, seed) for seed in asked["seeds"]]
            for name, change in asked["candidates"].items()
        },
    }
    common.commit("robust_training", findings, lesions, asked, started)


def judged(name, recipe, seed):
    """One training: AUC of all validation images, and under each condition the probability of each
    lesion, AUC, sensitivity and false positives."""
    lesions = common.lesions(recipe["source_size"])

    def make(_):
        train = lesions.subset("train")
        whole = shipped_model.trained(recipe, seed, train.images, train.diagnosis)
        asked = conditions(recipe["source_size"]).values()
        return np.concatenate([shipped_model.asked(whole, images) for images in asked])

    kept_as = f"{name}-seed{seed}"
    p = common.kept(__name__, kept_as, [recipe, seed], make)
    validation = lesions.subset("validation")
    clean, y = p[: len(validation)], validation.melanoma
    first = shipped_model.first_of_each(validation)
    sensitivity = common.parameters("limits")["sensitivity"]
    threshold = shipped_model.threshold_for_sensitivity(y[first], clean[first], sensitivity)
    y = y[one_a_lesion(validation)]
    by_kind = np.split(p[len(validation) :], len(KINDS))
    found = {"roc_auc of all": evaluation.roc_auc(validation.melanoma, clean)}
    found |= {"threshold": threshold, "conditions": {}, "probability": {}}
    for kind, one in zip(KINDS, by_kind, strict=True):
        found["conditions"][kind] = {
            "roc_auc": evaluation.roc_auc(y, one),
            "sensitivity": float((one[y == 1] >= threshold).mean()),
            "false positives": float((one[y == 0] >= threshold).mean()),
        }
        found["probability"][kind] = [round(float(value), 5) for value in one]
    aucs = [one["roc_auc"] for one in found["conditions"].values()]
    found["mean roc_auc"] = float(np.mean(aucs))
    print(kept_as, f"all {found['roc_auc of all']:.3f}, mean {found['mean roc_auc']:.3f}")
    for kind, one in found["conditions"].items():
        print(f"  {kind:15}", " ".join(f"{value:.3f}" for value in one.values()), flush=True)
    return found


def one_a_lesion(validation):
    """Rows of the validation set: the first image of each melanoma, and of some others."""
    n = common.parameters("robust_training")["n_others"]
    return np.sort(np.concatenate(list(shipped_model.one_a_lesion(validation, n, 0).values())))


@cache
def conditions(size):
    """Images to ask about: the whole validation set, then one a lesion under each of ``KINDS``."""
    found = {"all": common.lesions(size).subset("validation").images}
    large = common.lesions(shipped_model.LARGE).subset("validation")
    large = large.images[one_a_lesion(large)]
    for kind, change in KINDS.items():
        found[kind] = shipped_model.made_small(change(large), size)
    return found


def motion_blurred(pixels, rng):
    """Moved while the shutter was open, by 6 % of the side."""
    length, angle = round(0.06 * len(pixels)), rng.uniform(0, np.pi)
    line = Image.new("L", (2 * length + 1,) * 2)
    x, y = length / 2 * np.cos(angle), length / 2 * np.sin(angle)
    ImageDraw.Draw(line).line([length - x, length - y, length + x, length + y], 255, 1)
    kernel = np.asarray(line, float) / np.asarray(line, float).sum()
    return convolve(pixels.astype(float), kernel[..., None], mode="nearest")


def gel_bubbles(pixels, rng):
    """Ten bubbles in the gel between skin and lens: a bright rim and a point of light in each."""
    size = artefacts.FINER * len(pixels)
    light = Image.new("L", (size, size))
    draw = ImageDraw.Draw(light)
    for _ in range(10):
        (x, y), r = rng.uniform(0, size, 2), rng.uniform(0.02, 0.09) * size
        draw.ellipse([x - r, y - r, x + r, y + r], None, 170, round(0.15 * r))
        a, b = x - r / 2, y - r / 2
        draw.ellipse([a - r / 8, b - r / 8, a + r / 8, b + r / 8], 255)
    share = np.asarray(light.resize(pixels.shape[:2], Image.Resampling.BOX))[..., None] / 255
    return pixels + share * (255.0 - pixels)


def noisy(pixels, rng):
    """The noise of a small sensor in little light: a standard deviation of 20 of 255."""
    return pixels + rng.normal(0, 20, pixels.shape)


def each(change):
    """A change of one image with a random generator, as one of many images."""

    def changed(many):
        made = [change(one, np.random.default_rng([0, i])) for i, one in enumerate(many)]
        return np.clip(np.rint(made), 0, 255).astype(np.uint8)

    return changed


KINDS = {
    "clean": lambda many: many,
    "darker 4": lambda many: shifts.shift("darker", many, 4),
    "blurred 2": lambda many: shifts.shift("blurred", many, 2),
    "compressed 2": lambda many: shifts.shift("compressed", many, 2),
    "compressed 4": lambda many: shifts.shift("compressed", many, 4),
    "warmer 4": lambda many: shifts.shift("warmer", many, 4),
    "ruler": lambda many: artefacts.add("ruler", many),
    "dark corners": lambda many: artefacts.add("dark corners", many),
    "coloured patch": lambda many: artefacts.add("coloured patch", many),
    "hair": lambda many: artefacts.add("hair", many),
    "motion blur": each(motion_blurred),
    "gel bubbles": each(gel_bubbles),
    "noise": each(noisy),
}
