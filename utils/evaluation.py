"""Metrics with intervals by lesion, a threshold chosen on validation, and the two simple answers
that stand beside every deep result. Taught in lesson 05."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    roc_auc_score,
    roc_curve,
)

METRICS = (
    "accuracy",
    "precision",
    "sensitivity",
    "specificity",
    "f1",
    "roc_auc",
    "average_precision",
)


@dataclass(frozen=True)
class Evaluation:
    """What one set of probabilities is worth on one set of lesions.

    Attributes
    ----------
    name : str
        Whose answers these are, for example ``"MobileNetV2"``.
    values : dict of str to float
        One number for each name in ``METRICS``; NaN where it is undefined (precision of an
        answer that never says melanoma).
    intervals : dict of str to (float, float)
        95 % interval of each, lesions resampled.
    confusion : ndarray of int, shape (2, 2)
        Rows: truly benign, truly melanoma; columns: called benign, called melanoma.
    threshold : float
        A probability at or above it is called melanoma.
    n_images, n_lesions : int
        Images, and lesions (groups) that were resampled.
    """

    name: str
    values: dict
    intervals: dict
    confusion: np.ndarray
    threshold: float
    n_images: int
    n_lesions: int

    def text(self, metric):
        """The metric as ``0.87 [0.81, 0.92]``."""
        low, high = self.intervals[metric]
        return f"{self.values[metric]:.3f} [{low:.3f}, {high:.3f}]"

    def as_dict(self):
        """Of each metric its ``value`` and ``interval``, as results/ keeps them."""
        return {
            m: {"value": value, "interval": list(self.intervals[m])}
            for m, value in self.values.items()
        }


def check_probabilities(y, probability):
    """Labels and probabilities as 1-D arrays.

    Raises
    ------
    ValueError
        If lengths differ, nothing is there, labels are not 0/1 with both present, or a
        probability is NaN or outside [0, 1].
    """
    y, probability = np.asarray(y).ravel(), np.asarray(probability, dtype=float).ravel()
    if len(y) != len(probability):
        raise ValueError(f"{len(y)} labels but {len(probability)} probabilities: pass one each.")
    if set(np.unique(y)) != {0, 1}:
        raise ValueError("Labels must be 0 (benign) and 1 (melanoma), and both must occur.")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("Probabilities must lie between 0 and 1 and contain no NaN.")
    return y.astype(int), probability


def choose_threshold(y, probability, cost_of_miss=1.0):
    """The threshold that costs least on these (validation) images.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
    probability : array of float, shape (n,)
    cost_of_miss : float
        How many false alarms one missed melanoma is worth. At 1 the cheapest threshold is the
        one with the best accuracy.

    Returns
    -------
    float
        Halfway between two neighbouring probabilities; of equally cheap thresholds the lowest,
        which misses fewest melanomas.

    Raises
    ------
    ValueError
        As ``check_probabilities``; or if ``cost_of_miss`` is not positive.
    """
    y, probability = check_probabilities(y, probability)
    if not cost_of_miss > 0:
        raise ValueError(f"cost_of_miss must be positive, not {cost_of_miss}.")
    steps = np.unique(probability)
    candidates = np.concatenate([[steps[0]], (steps[1:] + steps[:-1]) / 2, [1.0]])
    called = probability >= candidates[:, None]
    cost = cost_of_miss * (~called & (y == 1)).sum(1) + (called & (y == 0)).sum(1)
    return float(candidates[cost.argmin()])


def metrics(y, probability, threshold):
    """All of ``METRICS`` for labels and probabilities of shape (n,), as a dict of floats.

    Undefined ratios (0/0) are NaN. The ranking metrics do not depend on ``threshold``.
    """
    (tn, fp), (fn, tp) = confusion_matrix(y, probability >= threshold, labels=[0, 1])

    def ratio(a, b):
        return float(a / b) if b else float("nan")

    return {
        "accuracy": ratio(tp + tn, len(y)),
        "precision": ratio(tp, tp + fp),
        "sensitivity": ratio(tp, tp + fn),
        "specificity": ratio(tn, tn + fp),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "roc_auc": float(roc_auc_score(y, probability)),
        "average_precision": float(average_precision_score(y, probability)),
    }


def sensitivity_at_specificity(y, probability, specificity=0.9):
    """The highest sensitivity of all thresholds with at least this specificity.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
        Both must occur.
    probability : array of float, shape (n,)
    specificity : float

    Returns
    -------
    float
    """
    false_alarms, found, _ = roc_curve(y, probability, drop_intermediate=False)
    return float(found[false_alarms <= 1 - specificity + 1e-12].max())


RANKING = {
    "roc_auc": roc_auc_score,
    "average_precision": average_precision_score,
    "sensitivity_at_specificity_90": sensitivity_at_specificity,
}


def calibration_error(y, probability, bins=10):
    """Expected calibration error (ECE): how far probabilities are from observed shares.

    ``sum over bins of |mean probability - share of melanomas| * share of the images``, bins of
    equal width (Naeini, Cooper & Hauskrecht, AAAI 2015; Guo et al., ICML 2017). Chance alone
    makes it positive: with few images even perfect probabilities have some.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
        One label alone may occur.
    probability : array of float in [0, 1], shape (n,)
    bins : int
        From 0 to 1; a bin holds its lower edge, the last one both.

    Returns
    -------
    float
        In [0, 1]; 0 is perfect.

    Raises
    ------
    ValueError
        If lengths differ, nothing is there, a label is not 0/1, a probability is NaN or outside
        [0, 1], or there is no bin.
    """
    y, probability = np.asarray(y).ravel(), np.asarray(probability, dtype=float).ravel()
    if len(y) != len(probability) or len(y) == 0:
        raise ValueError(f"{len(y)} labels but {len(probability)} probabilities: pass one each.")
    if not np.isin(y, (0, 1)).all():
        raise ValueError("Labels must be 0 (benign) and 1 (melanoma).")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("Probabilities must lie between 0 and 1 and contain no NaN.")
    if bins < 1:
        raise ValueError(f"There must be at least one bin, not {bins}.")
    own = np.minimum((probability * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(own, probability - y)).sum() / len(y))


def resampled_lesions(y, groups, n_resamples=1000, seed=0):
    """Row numbers of bootstrap samples in which whole lesions are drawn with replacement.

    Photographs of one lesion are not independent, so a lesion is drawn with all its
    photographs (cluster bootstrap: Field & Welsh, J. R. Stat. Soc. B 69:369, 2007). Samples
    without both labels are drawn again.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
    groups : array, shape (n,)
        Lesion group of each image.

    Yields
    ------
    ndarray of int
        Row numbers of one sample; about n of them.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    rows = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    rng = np.random.default_rng(seed)
    for _ in range(n_resamples):
        sample = np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])
        while len(np.unique(y[sample])) < 2:
            sample = np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])
        yield sample


def interval(values):
    """Percentile interval of 95 % over axis 0, undefined values left out."""
    values = np.asarray(values, dtype=float)
    if np.isnan(values).all():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def evaluate(name, y, probability, groups, threshold, n_resamples=1000, seed=0):
    """Every metric of one model on one test set, with a 95 % interval by lesion.

    Parameters
    ----------
    name : str
    y : array of 0/1, shape (n,)
    probability : array of float, shape (n,)
    groups : array, shape (n,)
        Lesion group of each image (``table["group"]``).
    threshold : float
        Chosen beforehand on validation images.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        As ``check_probabilities``; or if ``groups`` has another length.
    """
    y, probability = check_probabilities(y, probability)
    groups = np.asarray(groups)
    if len(groups) != len(y):
        raise ValueError(f"{len(y)} labels but {len(groups)} lesion groups: pass one each.")
    samples = [
        metrics(y[rows], probability[rows], threshold)
        for rows in resampled_lesions(y, groups, n_resamples, seed)
    ]
    return Evaluation(
        name=name,
        values=metrics(y, probability, threshold),
        intervals={m: interval([s[m] for s in samples]) for m in METRICS},
        confusion=confusion_matrix(y, probability >= threshold, labels=[0, 1]),
        threshold=float(threshold),
        n_images=len(y),
        n_lesions=len(np.unique(groups)),
    )


def mean_over_seeds(y, probabilities, groups, thresholds, n_resamples=1000, seed=0):
    """What a recipe is worth: each metric's mean over trainings from different seeds.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
    probabilities : array of float, shape (n_seeds, n)
        One row a training, all on the same test images.
    groups : array, shape (n,)
    thresholds : sequence of float, length n_seeds
        Each training's own, chosen on validation.

    Returns
    -------
    dict of str to dict
        For each of ``METRICS``: ``mean``, ``min`` and ``max`` over the seeds (the spread of
        training), ``low`` and ``high``: the 95 % interval of the mean, lesions resampled (the
        uncertainty of the test set), and ``seeds``: each training's.
    """
    y, probabilities = np.asarray(y), np.asarray(probabilities)

    def of_each(rows):
        pairs = zip(probabilities, thresholds, strict=True)
        return [list(metrics(y[rows], p[rows], t).values()) for p, t in pairs]

    return _over_seeds(METRICS, of_each, resampled_lesions(y, groups, n_resamples, seed), len(y))


def ranking_over_seeds(y, probabilities, groups, n_resamples=500, seed=0):
    """As ``mean_over_seeds``, for ``RANKING``: measures that need no threshold.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
    probabilities : array of float, shape (n_seeds, n)
    groups : array, shape (n,)

    Returns
    -------
    dict of str to dict
    """
    y, probabilities = np.asarray(y), np.asarray(probabilities)

    def of_each(rows):
        return [[measure(y[rows], p[rows]) for measure in RANKING.values()] for p in probabilities]

    return _over_seeds(RANKING, of_each, resampled_lesions(y, groups, n_resamples, seed), len(y))


def _over_seeds(names, of_each, draws, n):
    """Mean, range and interval of measures: ``of_each(rows)`` has a row a seed."""
    seeds = np.array(of_each(np.arange(n)))
    means = [np.mean(of_each(rows), axis=0) for rows in draws]
    summary = {}
    for i, name in enumerate(names):
        low, high = interval([m[i] for m in means])
        column = seeds[:, i]
        summary[name] = {
            "mean": float(column.mean()),
            "min": float(column.min()),
            "max": float(column.max()),
            "low": low,
            "high": high,
            "seeds": column.tolist(),
        }
    return summary


def colour_features(images):
    """Nine colour numbers an image, in pixel units 0..255.

    Mean and standard deviation of each channel, and the mean of the central quarter of the
    picture minus that of a border one eighth wide.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, 3)

    Returns
    -------
    ndarray of float64, shape (n, 9)
    """
    n, h, w, _ = images.shape
    features = np.empty((n, 9))
    border = np.ones((h, w), bool)
    border[h // 8 : h - h // 8, w // 8 : w - w // 8] = False
    for i, image in enumerate(images):  # one by one: the whole set as float64 fills the memory
        centre = image[h // 4 : h - h // 4, w // 4 : w - w // 4].reshape(-1, 3)
        pixels = image.reshape(-1, 3)
        features[i] = np.concatenate(
            [
                pixels.mean(0, dtype=float),
                pixels.std(0, dtype=float),
                centre.mean(0, dtype=float) - image[border].mean(0, dtype=float),
            ]
        )
    return features


def colour_baseline(images, y, seed=0):
    """Gradient boosting on ``colour_features``: the bar that a deep model has to clear.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, 3)
    y : array of 0/1, shape (n,)

    Returns
    -------
    sklearn.ensemble.HistGradientBoostingClassifier
        Fitted; use ``predict_proba(colour_features(images))[:, 1]``.
    """
    model = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=100, max_leaf_nodes=8, random_state=seed
    )
    return model.fit(colour_features(images), y)


def simple_answers(train, *others):
    """The two answers that every deep result is shown beside.

    Parameters
    ----------
    train : utils.data.Lesions
    *others : utils.data.Lesions
        The parts to answer for.

    Returns
    -------
    dict of str to list of ndarray
        By name, probabilities of melanoma for each of ``others``: the colour baseline, and the
        constant answer (the share of melanomas in training, whatever the picture).
    """
    model = colour_baseline(train.images, train.melanoma)
    return {
        "nine colour numbers": [
            model.predict_proba(colour_features(part.images))[:, 1] for part in others
        ],
        "constant answer": [np.full(len(part), train.melanoma.mean()) for part in others],
    }


def as_table(evaluations):
    """Evaluations as a DataFrame of text: a row each, metrics with their intervals."""
    rows = {e.name: {m: e.text(m) for m in METRICS} for e in evaluations}
    return pd.DataFrame(rows).rename_axis("95 % interval by lesion")
