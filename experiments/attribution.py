"""Do the shipped model's heat maps find a melanoma, and does the model use what they mark?

On the melanomas of HAM10000's test set, one image a lesion, with their masks (Tschandl et al.,
Nature Medicine 26:1229, 2020). A map of few cells is compared with others of as few, enlarged in
the same way: a hill in the middle, and random numbers."""

import time

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from experiments import common, shipped_model
from utils import data, explain, results
from utils.evaluation import student
from utils.quiet import keras

MEASURES = {"share": explain.share_inside, "points": explain.points_inside}
BLUR = 1 / 16  # of the side, as standard deviation: the model finds no melanoma in such an image


def run():
    """Explain, measure and record.

    Raises
    ------
    OSError, ValueError
        As ``shipped_model.load`` and ``data.masks``.
    """
    started, asked = time.monotonic(), common.parameters("attribution")
    model, facts, lesions = shipped_model.load()
    lesions = lesions.subset("test")
    first = shipped_model.first_of_each(lesions)
    lesions = lesions.take(first[lesions.melanoma[first] == 1])
    masks = data.masks(lesions.table, facts["source_size"])
    network = model.get_layer("one_view")
    maps = {
        "Grad-CAM": explain.grad_cam(network, lesions.images),
        "occlusion": explain.occlusion(network, lesions.images, asked["CELLS"]),
    }
    last = network.get_layer(explain.map_layers(network)[-1])
    cells = {"Grad-CAM": last.output.shape[1], "occlusion": asked["CELLS"]}
    findings = {"lesions": len(lesions), "covered": float(masks.mean()), "maps": {}}
    for name, found in maps.items():
        three = {"map": found} | baselines(len(lesions), len(masks[0]), cells[name], asked["SEED"])
        curves = {
            kind: removal(network, lesions.images, one, three["random"], asked["STEPS"], facts)
            for kind, one in three.items()
        }
        findings["maps"][name] = {"cells": cells[name]} | measured(three, masks, curves)
    heads = random_heads(network, lesions.images, asked["HEADS"], asked["SEED"])
    findings["random_heads"] = against_heads(maps["Grad-CAM"], heads, masks)
    origin = shipped_model.origin(facts)
    results.commit("attribution", findings, lesions.source, asked, started, **origin)


def baselines(n, size, cells, seed):
    """Maps that have seen neither image nor model, each of shape (n, size, size)."""
    random = np.random.default_rng(seed).random((n, cells, cells), np.float32)
    return {
        "blob": np.stack([explain.centre_blob(size, cells)] * n),
        "random": explain.enlarged(random, (size, size)),
    }


def removal(network, images, maps, otherwise, steps, facts):
    """Probability of melanoma while more and more is blurred, what the map marks most first.

    The deletion curve of Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation
    of Black-box Models", BMVC 2018, arXiv:1806.07421. They paint what is removed in one colour;
    its edges are new to the network and move the answer wherever they are, and it is what
    occlusion is made of. So it is blurred here, as they do for their other curve, insertion.

    Parameters
    ----------
    network : keras.Model
        From pixels 0..255 to one logit.
    images : ndarray of uint8, shape (n, size, size, 3)
    maps, otherwise : ndarray of float, shape (n, size, size)
        Where ``maps`` has equal numbers, as where it is zero, ``otherwise`` decides.
    steps : int
        After each as many pixels more are removed; after the last, all.
    facts : dict
        With ``temperature``.

    Returns
    -------
    ndarray of float, shape (n, steps + 1)
    """
    n, size = images.shape[:2]
    order = np.lexsort((-otherwise.reshape(n, -1), -maps.reshape(n, -1)))
    rank = order.argsort(axis=1).reshape(n, size, size, 1)
    sigma = BLUR * size
    blurred = gaussian_filter(images.astype(np.float32), (0, sigma, sigma, 0), mode="nearest")
    resize = keras.layers.Resizing(*network.inputs[0].shape[1:3])
    logits = []
    for removed in np.linspace(0, size * size, steps + 1):
        pixels = resize(np.where(rank < removed, blurred, images))
        logits.append(network.predict_on_batch(np.asarray(pixels))[:, 0])
    return expit(np.stack(logits, axis=1).astype(float) / facts["temperature"])


def measured(maps, masks, curves):
    """Each measure of a map and of its baselines, where the map is not empty, and the differences.

    Parameters
    ----------
    maps : dict of ndarray, shape (n, size, size)
        ``"map"``, ``"blob"`` and ``"random"``.
    masks : ndarray of bool, shape (n, size, size)
    curves : dict of ndarray, shape (n, steps + 1)
        By the same names, from ``removal``; the area under one is its mean height.

    Returns
    -------
    dict
        For ``results.commit``.
    """
    there = maps["map"].max(axis=(1, 2)) > 0
    found = {"empty": int((~there).sum()), "curves": {}}
    for name, curve in curves.items():
        found["curves"][name] = curve[there].mean(axis=0).round(4).tolist()
    values = {m: {k: f(maps[k], masks) for k in maps} for m, f in MEASURES.items()}
    width = 1 / (len(curves["map"][0]) - 1)
    values["area"] = {k: np.trapezoid(curve, dx=width) for k, curve in curves.items()}
    # One number a lesion, nothing (NaN) where a map is empty: so that they can be paired anew.
    found["each"] = {kind: values["share"][kind].round(4).tolist() for kind in ("map", "blob")}
    found["each"]["probability"] = curves["map"][:, 0].round(4).tolist()
    for measure, of in values.items():
        of = {kind: one[there] for kind, one in of.items()}
        for other in ("blob", "random"):
            of[f"minus_{other}"] = of["map"] - of[other]
        found[measure] = {kind: student(one) for kind, one in of.items()}
    return found


def random_heads(network, images, heads, seed):
    """Grad-CAM's maps of networks whose last layer knows nothing, one such network at a time.

    Its random numbers are as large as the trained ones. Adebayo et al., "Sanity Checks for Saliency
    Maps", NeurIPS 2018, arXiv:1810.03292.

    Yields
    ------
    ndarray of float32, shape (n, size, size)
    """
    last, rng = network.get_layer("logits"), np.random.default_rng(seed)
    trained = last.get_weights()
    for _ in range(heads):
        last.set_weights([rng.normal(0, w.std(), w.shape) for w in trained])
        yield explain.grad_cam(network, images)
    last.set_weights(trained)


def against_heads(maps, heads, masks):
    """How many random heads, as ``random_heads`` gives their maps, do as well as ``maps``.

    A head is one case here, not an image: it likes the same kind of place in all images. Each is
    compared on the images where neither map is empty.

    Parameters
    ----------
    maps : ndarray of float, shape (n, size, size)
    heads : iterable of ndarray of float, shape (n, size, size)
    masks : ndarray of bool, shape (n, size, size)

    Returns
    -------
    dict
        ``heads``, how many; for each measure ``mean_difference``, ``maps`` minus a head, and
        ``as_high``, the heads for which that is not above 0.
    """
    own = [measure(maps, masks) for measure in MEASURES.values()]
    gains = []
    for one in heads:
        others = [measure(one, masks) for measure in MEASURES.values()]
        gains.append([np.nanmean(a - b) for a, b in zip(own, others, strict=True)])
    found = {"heads": len(gains)}
    for name, of in zip(MEASURES, np.transpose(gains), strict=True):
        found[name] = {"mean_difference": float(of.mean()), "as_high": int((of <= 0).sum())}
    return found
