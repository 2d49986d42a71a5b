"""Metrics with intervals by lesion, and a threshold chosen on validation. Taught in the lessons
intervals and evaluation."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    roc_auc_score,
    roc_curve,
)

METRICS = ("accuracy", "precision", "sensitivity", "specificity", "f1")
METRICS += ("roc_auc", "average_precision")


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; ``f"{estimate:.2f}"`` gives ``0.87 [0.81, 0.92]``.

    Attributes
    ----------
    value : float
        NaN where it is undefined, such as the precision of a model that never says melanoma.
    low, high : float
        Ends of the interval, lesions resampled.
    seeds : tuple of float
        The numbers of single trainings, where ``value`` is a mean over several.
    """

    value: float
    low: float
    high: float
    seeds: tuple = ()

    def __format__(self, form=""):
        form = form or ".3f"
        if math.isnan(self.value):
            return "undefined"
        return f"{self.value:{form}} [{self.low:{form}}, {self.high:{form}}]"

    __str__ = __format__

    def to_json(self):
        """As a dict for a JSON file; None where a number is not finite."""
        numbers = (self.value, self.low, self.high, *self.seeds)
        numbers = [float(v) if math.isfinite(v) else None for v in numbers]
        kept = dict(zip(("value", "low", "high"), numbers, strict=False))
        return kept | ({"seeds": numbers[3:]} if self.seeds else {})

    @classmethod
    def from_json(cls, kept):
        """The Estimate that ``to_json`` wrote."""
        numbers = (kept["value"], kept["low"], kept["high"], *kept.get("seeds", ()))
        value, low, high, *seeds = (math.nan if v is None else v for v in numbers)
        return cls(value, low, high, tuple(seeds))


@dataclass(frozen=True)
class Evaluation:
    """What one set of probabilities is worth on one set of lesions.

    Attributes
    ----------
    name : str
        Of the model, for example ``"MobileNetV2"``.
    metrics : dict of str to Estimate
        One for each name in ``METRICS``.
    confusion : ndarray of int, shape (2, 2)
        Rows: truly benign, truly melanoma; columns: called benign, called melanoma.
    threshold : float
        A probability at or above it is called melanoma.
    n_images, n_lesions : int
        Images, and lesions (groups) that were resampled.
    """

    name: str
    metrics: dict
    confusion: np.ndarray
    threshold: float
    n_images: int
    n_lesions: int


def _arrays(y, probability, both=True, bounded=True):
    """Labels as integers of shape (n,), probabilities as floats of shape (..., n)."""
    y, probability = np.asarray(y).ravel(), np.asarray(probability, dtype=float)
    n = probability.shape[-1] if probability.ndim else 1
    if len(y) != n or n == 0:
        raise ValueError(f"{len(y)} labels but {n} probabilities: pass one each.")
    if not np.isin(y, (0, 1)).all() or (both and len(np.unique(y)) < 2):
        also = ", and both must occur" if both else ""
        raise ValueError(f"Labels must be 0 (benign) and 1 (melanoma){also}.")
    if not np.isfinite(probability).all():
        raise ValueError("Probabilities must be finite and contain no NaN.")
    if bounded and not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("Probabilities must lie between 0 and 1.")
    return y.astype(int), probability


def choose_threshold(y, probability, cost_of_miss=1.0):
    """The threshold that costs least on these (validation) images.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
    cost_of_miss : float
        How many false alarms one missed melanoma is worth. At 1 the cheapest threshold is the
        one with the best accuracy.

    Returns
    -------
    float
        Halfway between two neighbouring probabilities; the lowest probability, to call every
        image melanoma; 1, or just above if a probability is 1, to call none. Of equally cheap
        thresholds the lowest, which misses fewest melanomas.

    Raises
    ------
    ValueError
        As ``evaluate``; or if ``cost_of_miss`` is not positive.
    """
    y, probability = _arrays(y, np.ravel(probability))
    if not cost_of_miss > 0:
        raise ValueError(f"cost_of_miss must be positive, not {cost_of_miss}.")
    alarms, found, steps = (a[::-1] for a in roc_curve(y, probability, drop_intermediate=False))
    # Counts again, not shares, so that equal costs are equal.
    cost = cost_of_miss * np.rint((1 - found) * y.sum()) + np.rint(alarms * (1 - y).sum())
    below, above = steps[:-2], steps[1:-1]
    middle = (below + above) / 2
    # Where single precision knows no number between two neighbours, the upper one.
    middle = np.where(np.float32(middle) > below, middle, above)
    none = 1.0 if np.float32(steps[-2]) < 1 else np.nextafter(np.float32(1), np.float32(2))
    return float([steps[0], *middle, none][cost.argmin()])


def roc_auc(y, probability):
    """As scikit-learn's ``roc_auc_score``, a hundred times faster: from the ranks of the melanomas.

    Area and rank statistic are the same (Hanley & McNeil, Radiology 143:29, 1982).
    """
    melanoma = np.asarray(y) == 1
    n, ranks = melanoma.sum(), stats.rankdata(probability)
    return float((ranks[melanoma].sum() - n * (n + 1) / 2) / (n * (len(melanoma) - n)))


def metrics(y, probability, threshold):
    """All of ``METRICS`` for labels and probabilities of shape (n,), as a dict of floats.

    Undefined ratios (0/0) are NaN. The ranking metrics do not depend on ``threshold``.
    """
    tn, fp, fn, tp = np.bincount(2 * y + (probability >= threshold), minlength=4)

    def ratio(a, b):
        return float(a / b) if b else math.nan

    return {
        "accuracy": ratio(tp + tn, len(y)),
        "precision": ratio(tp, tp + fp),
        "sensitivity": ratio(tp, tp + fn),
        "specificity": ratio(tn, tn + fp),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "roc_auc": roc_auc(y, probability),
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


FASTER = {roc_auc_score: roc_auc}  # the same number
RANKING = {
    "roc_auc": roc_auc,
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
    y, probability = _arrays(y, np.ravel(probability), both=False)
    if bins < 1:
        raise ValueError(f"There must be at least one bin, not {bins}.")
    own = np.minimum((probability * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(own, probability - y)).sum() / len(y))


def calibration_slope(y, probability):
    """How much the log-odds of the truth rise with those that are predicted; 1 is perfect.

    Below 1 the probabilities are too extreme, above 1 too timid: logistic regression on the
    log-odds (Cox, Biometrika 45:562, 1958; Van Calster et al., BMC Medicine 17:230, 2019).

    Parameters
    ----------
    y : array of 0/1, shape (n,)
        Both must occur.
    probability : array of float in [0, 1], shape (n,)
    """
    found = LogisticRegression(C=np.inf).fit(_log_odds(probability)[:, None], y)
    return float(found.coef_[0, 0])


def calibration_intercept(y, probability):
    """What must be added to the log-odds so that as many melanomas are expected as there are.

    Below 0 the probabilities are too high as a whole, above 0 too low. The same sources, and the
    same parameters, as ``calibration_slope``.
    """
    log_odds = _log_odds(probability)
    return float(brentq(lambda a: expit(log_odds + a).mean() - np.mean(y), -20, 20))


def _log_odds(probability):
    return logit(np.clip(np.asarray(probability, float), 1e-6, 1 - 1e-6))


CALIBRATION = {
    "slope": calibration_slope,
    "intercept": calibration_intercept,
    "brier": brier_score_loss,  # mean squared distance from the truth
}


def conformal_limit(scores, level):
    """The score that a new one of the same kind exceeds with a chance of at most ``1 - level``.

    The ``ceil((n + 1) level)``-th smallest of n: Vovk, Gammerman & Shafer, "Algorithmic Learning
    in a Random World", 2005; Angelopoulos & Bates, arXiv:2107.07511, section 1.1."""
    rank = int(np.ceil((len(scores) + 1) * level))
    return np.sort(scores)[rank - 1] if rank <= len(scores) else np.inf


def resampled_lesions(y, groups, n_resamples=1000, seed=0):
    """Row numbers of bootstrap samples in which whole lesions are drawn with replacement.

    Photographs of one lesion are not independent, so a lesion is drawn with all its
    photographs (cluster bootstrap: Field & Welsh, J. R. Stat. Soc. B 69:369, 2007). Samples
    without both labels are drawn again.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
    groups : array, shape (n,)
        Lesion group of each image (``table["group"]``).

    Yields
    ------
    ndarray of int
        Row numbers of one sample; about n of them.

    Raises
    ------
    ValueError
        If lengths differ, or one label alone occurs.
    """
    y, groups = np.asarray(y), np.asarray(groups)
    if len(groups) != len(y):
        raise ValueError(f"{len(y)} labels but {len(groups)} lesion groups: pass one each.")
    if len(np.unique(y)) < 2:
        raise ValueError("Both labels must occur, or no sample can have both.")
    codes = np.unique(groups, return_inverse=True)[1]
    rows = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    rng = np.random.default_rng(seed)
    while n_resamples > 0:
        sample = np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])
        if len(np.unique(y[sample])) == 2:
            n_resamples -= 1
            yield sample


def exact(hits, n):
    """A share with its exact interval: Clopper & Pearson, Biometrika 26:404, 1934.

    Parameters
    ----------
    hits, n : int
        So many of so many independent ones: lesions, not photographs.

    Returns
    -------
    Estimate
    """
    ends = stats.binomtest(int(hits), int(n)).proportion_ci(0.95, "exact")
    return Estimate(hits / n, float(ends.low), float(ends.high))


def interval(values):
    """Percentile interval of 95 % over axis 0, undefined values left out."""
    values = np.asarray(values, dtype=float)
    if np.isnan(values).all():
        return math.nan, math.nan
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def _estimates(found_on, y, groups, n_resamples, seed, several=True):
    """An Estimate of each number in ``found_on(rows)``, a list of one dict for each training."""
    trainings = found_on(np.arange(len(y)))
    draws = [
        np.mean([list(found.values()) for found in found_on(rows)], axis=0)
        for rows in resampled_lesions(y, groups, n_resamples, seed)
    ]
    estimates = {}
    for name, drawn in zip(trainings[0], np.transpose(draws), strict=True):
        seeds = tuple(float(found[name]) for found in trainings)
        value = float(np.mean(seeds))
        estimates[name] = Estimate(value, *interval(drawn), seeds if several else ())
    return estimates


def estimate(measure, y, probability, groups, n_resamples=1000, seed=0):
    """Any measure of a model on a test set, with its 95 % interval by lesion.

    Parameters
    ----------
    measure : callable
        ``measure(y, probability)`` gives a float, as ``roc_auc`` does.
    y : array of 0/1, shape (n,)
    probability : array of float, shape (n,) or (n_seeds, n)
        With a row for each training of one recipe, the mean over the trainings is estimated.
    groups : array, shape (n,)
        Lesion group of each image (``table["group"]``).

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If lengths differ, labels are not 0/1 with both present, or a probability is not finite.
    """
    y, probability = _arrays(y, probability, bounded=False)
    measure = FASTER.get(measure, measure)

    def found_on(rows):
        return [{"": measure(y[rows], p[rows])} for p in np.atleast_2d(probability)]

    return _estimates(found_on, y, groups, n_resamples, seed, probability.ndim == 2)[""]


def difference(measure, y, a, b, groups, n_resamples=1000, seed=0):
    """The measure of model ``a`` minus that of ``b``, paired: both judged on the same images.

    Parameters
    ----------
    measure, y, groups
        As ``estimate``.
    a, b : array of float, shape (n,) or (n_seeds, n)
        Trainings are paired row by row; a single one is paired with each of the other's.

    Returns
    -------
    Estimate
        If its interval holds zero, the comparison is inconclusive.

    Raises
    ------
    ValueError
        As ``estimate``; or if both have several trainings, and not as many.
    """
    (y, a), (_, b) = _arrays(y, a, bounded=False), _arrays(y, b, bounded=False)
    models = np.atleast_2d(a), np.atleast_2d(b)
    measure = FASTER.get(measure, measure)
    if len({len(m) for m in models} - {1}) > 1:
        raise ValueError(f"{len(a)} trainings cannot be paired with {len(b)}: pass equal numbers.")

    def found_on(rows):
        of_a, of_b = (np.array([measure(y[rows], p[rows]) for p in m]) for m in models)
        return [{"": gain} for gain in of_a - of_b]

    return _estimates(found_on, y, groups, n_resamples, seed, max(a.ndim, b.ndim) == 2)[""]


def student(values):
    """Mean of independent values with Student's t interval (n - 1 degrees of freedom): Estimate."""
    values = np.asarray(values, float)
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    mean = float(values.mean())
    return Estimate(mean, mean - half, mean + half)


def estimate_diagnoses(measure, truth, called, groups, minus=None, n_resamples=1000, seed=0):
    """Any measure of called diagnoses on a test set, with its 95 % interval by lesion.

    Parameters
    ----------
    measure : callable
        ``measure(truth, called)`` gives a float, as scikit-learn's ``balanced_accuracy_score``
        does. A diagnosis that a sample happens to lack is left out of it.
    truth, called : array of str, shape (n,)
        Diagnoses such as ``"mel"``, which must occur, and others.
    groups : array, shape (n,)
        Lesion group of each image (``table["group"]``).
    minus : array of str, shape (n,), optional
        What another model calls the same images: the paired difference is estimated.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If lengths differ, or melanoma or all else is missing.
    """
    truth, *models = (np.asarray(x, str) for x in (truth, called, minus) if x is not None)
    if {len(model) for model in models} != {len(truth)}:
        lengths = ", ".join(str(len(model)) for model in models)
        raise ValueError(f"{len(truth)} true diagnoses but {lengths} called: pass one an image.")

    def found_on(rows):
        first, *other = (measure(truth[rows], model[rows]) for model in models)
        return first - sum(other)

    samples = resampled_lesions((truth == "mel").astype(int), groups, n_resamples, seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        drawn = [found_on(rows) for rows in samples]
        return Estimate(float(found_on(np.arange(len(truth)))), *interval(drawn))


def evaluate(name, y, probability, groups, threshold, n_resamples=1000, seed=0):
    """Every metric of one model on one test set, with 95 % intervals by lesion.

    Where a share is 0 or 1, every resample says the same: there the interval is the exact one.

    Parameters
    ----------
    name : str
    y : array of 0/1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
    groups : array, shape (n,)
    threshold : float
        Chosen beforehand on validation images.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        As ``estimate``; or if a probability lies outside [0, 1].
    """
    y, probability = _arrays(y, np.ravel(probability))

    def found_on(rows):
        return [metrics(y[rows], probability[rows], threshold)]

    found = _estimates(found_on, y, groups, n_resamples, seed, several=False)
    called, groups = probability >= threshold, np.asarray(groups)
    counted = {"accuracy": y >= 0, "sensitivity": y == 1, "specificity": y == 0}
    for metric, rows in (counted | {"precision": called}).items():
        if found[metric].value in (0, 1):
            lesions = len(np.unique(groups[rows]))
            found[metric] = exact(found[metric].value * lesions, lesions)
    return Evaluation(
        name=name,
        metrics=found,
        confusion=confusion_matrix(y, probability >= threshold, labels=[0, 1]),
        threshold=float(threshold),
        n_images=len(y),
        n_lesions=len(np.unique(groups)),
    )


def evaluate_seeds(y, probabilities, groups, thresholds, n_resamples=1000, seed=0):
    """What a recipe is worth: each metric's mean over trainings from different seeds.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
    probabilities : array of float in [0, 1], shape (n_seeds, n)
        One row a training, all on the same test images.
    groups : array, shape (n,)
    thresholds : sequence of float, length n_seeds
        Each training's own, chosen on validation.

    Returns
    -------
    dict of str to Estimate
        By ``METRICS``. The intervals are those of the means, lesions resampled (the uncertainty
        of the test set); ``seeds`` show the spread of training.
    """
    y, probabilities = _arrays(y, probabilities)

    def found_on(rows):
        pairs = zip(probabilities, thresholds, strict=True)
        return [metrics(y[rows], p[rows], threshold) for p, threshold in pairs]

    return _estimates(found_on, y, groups, n_resamples, seed)


def ranking(y, probabilities, groups, n_resamples=500, seed=0):
    """As ``evaluate_seeds``, for the measures of ``RANKING``, which need no threshold."""
    y, probabilities = _arrays(y, probabilities)

    def found_on(rows):
        return [{k: f(y[rows], p[rows]) for k, f in RANKING.items()} for p in probabilities]

    return _estimates(found_on, y, groups, n_resamples, seed)


def as_table(evaluations):
    """Evaluations as a DataFrame of text: a row a metric, a column a model, with intervals."""
    columns = {e.name: {m: f"{e.metrics[m]:.3f}" for m in METRICS} for e in evaluations}
    return pd.DataFrame(columns).rename_axis("95 % interval by lesion")
