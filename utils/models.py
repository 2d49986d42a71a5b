"""Pieces of networks: heads on a backbone, the views of an image, and the shipped architecture."""

from contextlib import contextmanager

import numpy as np

from utils import backbone
from utils.quiet import keras, require_threads

CORNER_VIEWS = "corner views"  # what the facts of a model say whose layers ``architecture`` builds


def melanoma_classifier(base):
    """The original project's head on a backbone: one probability of melanoma an image.

    Parameters
    ----------
    base : keras.Model
        From ``backbone.mobilenet_v2``.

    Returns
    -------
    keras.Model
        From the base's input to probabilities of shape (n, 1). It shares the base's layers.
    """
    x = keras.layers.GlobalAveragePooling2D(name="pooled")(base.output)
    x = keras.layers.Dropout(0.3)(x)
    x = keras.layers.Dense(128, activation="relu")(x)
    x = keras.layers.Dropout(0.2)(x)
    return keras.Model(base.input, keras.layers.Dense(1, activation="sigmoid")(x))


def logit_classifier(base, n_classes):
    """One logit for each class on a backbone whose layers may all learn.

    BatchNorm learns too, and its averages follow within a few steps: Keras's momentum of 0.999
    lags behind a short training (the lesson batchnorm shows what comes of it). On several
    devices it takes its means over all of them, so that their number changes nothing.

    Parameters
    ----------
    base : keras.Model
        From ``backbone.mobilenet_v2``.
    n_classes : int
        7 for the diagnoses in the order of ``data.DX``, 2 for benign and melanoma: melanoma is the
        last in both.

    Returns
    -------
    keras.Model
        From the base's input to logits of shape (n, n_classes). It shares the base's layers.
    """
    import tensorflow as tf

    base.trainable = True
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
            layer.synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    x = keras.layers.GlobalAveragePooling2D(name="pooled")(base.output)
    return keras.Model(base.input, keras.layers.Dense(n_classes, name="logits")(x))


def melanoma_logit(logits):
    """Log-odds of melanoma from logits of several classes, melanoma last.

    Parameters
    ----------
    logits : tensor or ndarray of float, shape (n, n_classes)

    Returns
    -------
    tensor, shape (n, 1)
    """
    others = keras.ops.logsumexp(logits[:, :-1], axis=(1,), keepdims=True)
    return logits[:, -1:] - others


def symmetric_views(images):
    """The eight symmetries of the square of each image, the image itself first.

    Parameters
    ----------
    images : ndarray, shape (n, size, size, 3)

    Yields
    ------
    ndarray of the same shape and dtype
        Eight times.
    """
    for turned in (images, images.transpose(0, 2, 1, 3)):
        for rows in (1, -1):
            for columns in (1, -1):
                yield np.ascontiguousarray(turned[:, ::rows, ::columns])


def corner_views(images):
    """The four corners of each image, seven eighths of the side, in their eight symmetries.

    Parameters
    ----------
    images : ndarray, shape (n, size, size, 3)

    Yields
    ------
    ndarray of shape (n, side, side, 3), same dtype
        Thirty-two times.
    """
    size = images.shape[1]
    margin = corner_margin(size)
    ends = (slice(0, size - margin), slice(margin, size))
    for rows in ends:
        for columns in ends:
            yield from symmetric_views(images[:, rows, columns])


def corner_margin(size):
    """Pixels that a corner view leaves out of each side."""
    return size // 8


# --- the architecture of the shipped model -------------------------------------------------------


@contextmanager
def plain_keras():
    """Float32 and channels last, whatever the caller has set; the caller's settings come back."""
    require_threads()
    config = keras.config
    before = config.floatx(), config.image_data_format(), config.dtype_policy()

    def use(floatx, image_data_format, policy):
        config.set_floatx(floatx)
        config.set_image_data_format(image_data_format)
        config.set_dtype_policy(policy)

    try:
        use("float32", "channels_last", "float32")
        yield
    finally:
        use(*before)


@plain_keras()
def as_predictor(model, source_size, t):
    """The model that is shipped: raw pixels in, one calibrated probability of melanoma out.

    Inside, the network (layer ``one_view``) looks at the thirty-two ``corner_views`` of an image;
    their log-odds are averaged.

    Parameters
    ----------
    model : keras.Model
        From ``logit_classifier``.
    source_size : int
        Pixels a side that will be fed.
    t : float
        Temperature.

    Returns
    -------
    keras.Model
        From pixels 0..255 of shape (n, source_size, source_size, 3) to probabilities of shape
        (n, 1).
    """
    ops, size, margin = keras.ops, model.input.shape[1], corner_margin(source_size)
    one_view = keras.Model(model.input, melanoma_logit(model.output), name="one_view")
    pixels = keras.Input((source_size, source_size, 3))
    ends = ((0, margin), (margin, 0))
    corners = [keras.layers.Cropping2D((rows, columns)) for rows in ends for columns in ends]
    x = ops.concatenate([corner(pixels) for corner in corners])
    x = keras.layers.Resizing(size, size)(x)
    views = [x, ops.transpose(x, (0, 2, 1, 3))]
    for axis in (1, 2):
        views += [ops.flip(view, axis) for view in views]
    logits = ops.reshape(one_view(ops.concatenate(views)), (32, -1, 1))  # all views in one batch
    x = keras.layers.Rescaling(1 / t, name="temperature")(ops.mean(logits, axis=0))
    return keras.Model(pixels, keras.layers.Activation("sigmoid")(x), name="melanoma")


@plain_keras()
def architecture(facts):
    """The shipped model with initial values, for ``load_weights``.

    Keras reads the description of layers in a ``.keras`` file only if its version is not older than
    that which wrote it; built by code, the model runs under every version of the course.

    Parameters
    ----------
    facts : dict
        ``alpha``, ``size``, ``source_size`` and ``temperature``, from the model's ``.json`` file.

    Returns
    -------
    keras.Model
        As ``as_predictor``.
    """
    base = backbone.mobilenet_v2(facts["alpha"], facts["size"], facts["size"])
    model = logit_classifier(base, 7)  # the diagnoses
    return as_predictor(model, facts["source_size"], facts["temperature"])
