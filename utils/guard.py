"""Does an image look like those that a model learned from? A distance between features.

A softmax must name a class, whatever it is shown. The guard compares the means of a middle layer's
channels with those of the training images, before anybody reads a probability. Taught in the lesson
not_a_lesion."""

from functools import lru_cache

import numpy as np
from sklearn.covariance import EmpiricalCovariance

from utils.decision import distance
from utils.quiet import keras


def features(model, layer, images):
    """The mean of each channel of a layer, over the whole image.

    Parameters
    ----------
    model : keras.Model
        The shipped model, or another that holds its network as layer ``one_view``.
    layer : str
        Name of a layer of that network, with an output of shape (n, h, w, channels).
    images : ndarray, shape (n, size, size, 3)
        Pixels 0..255; resized to the network's input.

    Returns
    -------
    ndarray of float32, shape (n, channels)
    """
    asked = network(model, layer)
    batches = np.array_split(images, range(200, len(images), 200))
    return np.concatenate([np.asarray(asked.predict_on_batch(batch)) for batch in batches])


@lru_cache(maxsize=2)
def network(model, layer):
    """The part of a model that computes ``features``, as a keras.Model; parameters as there."""
    one_view = model.get_layer("one_view")
    inside = keras.Model(one_view.input, one_view.get_layer(layer).output)
    pixels = keras.Input(model.input.shape[1:])
    maps = inside(keras.layers.Resizing(*one_view.input.shape[1:3])(pixels))
    return keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(maps))


def distances(model, limits, images):
    """How far images lie from the training images, for a guard that is fitted.

    Parameters
    ----------
    model, images
        As for ``features``.
    limits : dict
        ``layer``, ``mean`` and ``precision``, as the facts of the shipped model hold them.

    Returns
    -------
    ndarray of float, shape (n,)
    """
    found = features(model, limits["layer"], images)
    return distance(found, limits["mean"], limits["precision"])


def fit(found):
    """What ``decision.distance`` compares with.

    Parameters
    ----------
    found : ndarray of float, shape (n, channels)
        ``features`` of training images, many more than channels.

    Returns
    -------
    dict of ndarray
        ``mean`` of shape (channels,) and ``precision``, the inverse covariance, of shape
        (channels, channels).
    """
    fitted = EmpiricalCovariance().fit(found)
    return {"mean": fitted.location_, "precision": fitted.precision_}
