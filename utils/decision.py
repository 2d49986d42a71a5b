"""What a probability becomes: the rule of decision, its limits, and the files that hold them.

One rule for every way to ask (Keras, LiteRT, the service) and for the experiments. It needs NumPy
alone, so that an answer by LiteRT loads nothing else.

Education only: this is not a medical device, and no answer of it is a diagnosis."""

import hashlib
import json
import math
from collections import namedtuple
from numbers import Real

import numpy as np


class Prediction(namedtuple("Prediction", "label confidence")):
    """What the model says of one image. For education only, not a diagnosis.

    Unpacks into ``label, confidence``.

    Attributes
    ----------
    label : str
        ``"melanoma"``, or ``"benign"``, which means *not melanoma* and includes other skin
        cancers: whether the probability reaches the threshold.
    confidence : float
        The model's probability of that label, 0..1. Where the threshold is low, "melanoma" can
        have a low one.
    probability : float
        Of melanoma, 0..1.
    threshold : float
        The model's own.
    decision : str
        The label where the model answers; ``"refused"`` where the image does not look like those
        that it learned from. A model without a guard always answers.
    """

    def __new__(cls, probability, threshold, decision=None):
        melanoma = probability >= threshold
        label = "melanoma" if melanoma else "benign"
        self = super().__new__(cls, label, probability if melanoma else 1 - probability)
        self.probability, self.threshold = probability, threshold
        self.decision = decision or label
        return self

    def __getnewargs__(self):  # for copies
        return self.probability, self.threshold, self.decision

    def __repr__(self):
        shown = {name: f"{getattr(self, name):.3f}" for name in ("probability", "threshold")}
        if self.decision != self.label:
            shown["decision"] = repr(self.decision)
        rest = ", ".join(f"{name}={text}" for name, text in shown.items())
        return f"Prediction(label={self.label!r}, confidence={self.confidence:.3f}, {rest})"


def decide(probability, distance, facts):
    """What is answered: the one rule, for a single image and for many.

    Parameters
    ----------
    probability : array_like of float, shape (n,)
        Of melanoma.
    distance : array_like of float, shape (n,), or None
        From ``guard.distances``; None where the model has no guard.
    facts : dict
        From ``joined``: ``threshold``, and where the model has a guard ``guard`` with its
        ``limit``.

    Returns
    -------
    ndarray of str, shape (n,)
        ``"refused"``, ``"melanoma"`` or ``"benign"``, the first that holds.
    """
    p = np.asarray(probability)
    far = np.zeros(p.shape, bool)
    if distance is not None:
        far = np.asarray(distance) > facts["guard"]["limit"]
    return np.select([far, p >= facts["threshold"]], ["refused", "melanoma"], "benign")


def distance(found, mean, precision):
    """Mahalanobis distance: how many standard deviations from the mean, along each direction.

    Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and
    Adversarial Attacks", NeurIPS 2018, arXiv:1807.03888, with one mean for all classes.

    Parameters
    ----------
    found : ndarray of float, shape (n, channels)
    mean, precision : array
        From ``guard.fit``.

    Returns
    -------
    ndarray of float, shape (n,)
    """
    offset = found - np.asarray(mean)
    return np.sqrt(np.einsum("ni,ij,nj->n", offset, np.asarray(precision), offset))


# --- the files beside a model --------------------------------------------------------------------


def files_beside(path):
    """Where a model's own facts, its calibration and its limits stand: three paths."""
    return [path.with_suffix(end) for end in (".json", ".calibration.json", ".limits.json")]


def read_beside(path):
    """The bytes of ``files_beside``, an empty object for what is not there: list of bytes."""
    return [file.read_bytes() if file.is_file() else b"{}" for file in files_beside(path)]


def joined(own, calibration, limits):
    """Facts of a model, with the calibration and the limits that were made for it.

    Parameters
    ----------
    own, calibration, limits : bytes
        From ``read_beside``.

    Returns
    -------
    dict
        With ``threshold``, and whatever else the files hold.

    Raises
    ------
    ValueError, KeyError, TypeError
        If one of them is broken.
    """
    facts, calibration, limits = (json.loads(text) for text in (own, calibration, limits))
    if calibration and calibration["model_sha256"] == facts.get("model_sha256"):
        facts = facts | calibration
    # Limits are probabilities: they hold for the temperature that they were found with.
    made_for = ("model_sha256", "temperature")
    if limits and all(limits[key] == facts.get(key) for key in made_for):
        facts = facts | limits
    checked_threshold(facts)
    return facts


def checked_threshold(facts):
    """The threshold among the facts as a float; ValueError if it is no finite number."""
    threshold = facts["threshold"]
    if not isinstance(threshold, Real) or not math.isfinite(threshold):
        raise ValueError(f"The threshold must be a number, not {threshold!r}.")
    return float(threshold)


def sha256(content):
    """Of bytes, as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
