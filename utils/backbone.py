"""MobileNetV2 with ImageNet weights, raw pixels in, cut where the frozen part ends.
Taught in lesson 03."""

import math
import os
from itertools import pairwise
from pathlib import Path

from utils import predict
from utils.data import online
from utils.quiet import keras

SIZES = (96, 128, 160, 192, 224)  # pixels a side that the published weights were trained at
WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{size}_no_top.h5"
HOST = "storage.googleapis.com"
FOLDER = f"https://{HOST}/tensorflow/keras-applications/mobilenet_v2/"  # as keras.applications


def imagenet_weights(alpha=0.35, size=96):
    """The file of ImageNet weights for a width and an input size.

    Taken from Keras's own cache, else downloaded into it, else from the cached weights of the
    same width that were trained at another input size (a convolution fits any size).

    Parameters
    ----------
    alpha : float
        Width multiplier, one of ``WIDTHS``.
    size : int
        Pixels a side; a size outside ``SIZES`` gets the weights of 224, as in Keras.

    Returns
    -------
    (Path or None, str)
        The file, and one line that says what it is. None where no weights can be had.

    Raises
    ------
    ValueError
        If there are no published weights of this width.
    """
    alpha = float(alpha)
    if alpha not in WIDTHS:
        raise ValueError(f"ImageNet weights exist for ALPHA in {WIDTHS}, not for {alpha}.")
    cache = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
    native = size if size in SIZES else 224
    files = {s: cache / FILE.format(alpha=alpha, size=s) for s in SIZES}
    if not files[native].exists() and online(HOST):
        name = files[native].name
        keras.utils.get_file(name, FOLDER + name, cache_dir=cache.parent, cache_subdir="models")
    for found in (native, *reversed(SIZES)):
        if files[found].exists():
            return files[found], f"ImageNet, width {alpha:g}, trained at {found} px"
    return None, "RANDOM"


def mobilenet_v2(alpha=0.35, source_size=28, size=96, weights="imagenet", lesions=None):
    """MobileNetV2 without its top, which takes raw pixels and prepares them itself.

    Resizing (bilinear) and scaling to [-1, 1], the range the ImageNet weights expect, are
    layers of the model, so that a saved model cannot be fed wrongly. Architecture: Sandler et
    al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, arXiv:1801.04381.

    Parameters
    ----------
    alpha : float
        Width multiplier.
    source_size : int
        Pixels a side of the pictures that will be fed.
    size : int
        Pixels a side inside the network, 32 or more.
    weights : "imagenet" or None
        None: random initial values.
    lesions : utils.data.Lesions, optional
        With ``split``. Where ImageNet's weights cannot be had, a model for these lesions gets the
        layers of the model that the course ships, if that has its width.

    Returns
    -------
    (keras.Model, str)
        Model from pixels 0..255 of shape (n, source_size, source_size, 3) to features of shape
        (n, ceil(size / 32), ceil(size / 32), channels), and one line that says where its
        weights come from; it begins with ``SHIPPED`` or ``RANDOM`` if ImageNet's could not be had.

    Raises
    ------
    ValueError
        If ``weights`` is neither, ``size`` is under 32, the width has no published weights, the
        weights file is broken (the sentence names the file to delete), or the shipped model
        was trained on lesions that are to judge here.
    """
    if weights not in ("imagenet", None):
        raise ValueError(f'weights must be "imagenet" or None, not {weights!r}.')
    if size < 32:
        raise ValueError(f"MobileNetV2 needs an input of 32 px or more, not {size}.")
    path, origin = imagenet_weights(alpha, size) if weights else (None, "RANDOM, as asked")
    shipped = None
    if origin == "RANDOM":
        origin += ": no ImageNet weights in Keras's cache and no network to fetch them"
        if lesions is not None:
            shipped = _shipped_layers(alpha, lesions)
        if shipped is not None:
            origin = origin.replace("RANDOM", "SHIPPED") + f"; layers of {predict.SHIPPED.name}"
    print(f"Weights: {origin}")
    pixels = keras.Input((source_size, source_size, 3), name="pixels")
    x = keras.layers.Resizing(size, size, name="resize")(pixels)
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scale")(x)
    try:
        model = keras.applications.MobileNetV2(
            input_shape=(size, size, 3),
            input_tensor=x,
            alpha=alpha,
            include_top=False,
            weights=path and str(path),
        )
    except (OSError, ValueError, KeyError) as error:
        if path is None:
            raise
        raise ValueError(
            f"The weights file {path} cannot be read (an interrupted download?): delete it and "
            f"run again. [{error}]"
        ) from error
    if shipped is not None:
        for layer in model.layers:
            if layer.weights:
                layer.set_weights(shipped.get_layer(layer.name).get_weights())
    return keras.Model(pixels, model.output, name="mobilenet_v2"), origin


def _shipped_layers(alpha, lesions):
    """The shipped model, or None if it is of another width; refused where it would leak."""
    model, facts = predict.load_model()
    if alpha != facts["alpha"]:
        return None
    judging = lesions.table.loc[lesions.table["split"] != "train", "image_id"]
    known = set(facts["training_images"]) & set(judging)
    if known and lesions.source != "synthetic":
        raise ValueError(
            f"ImageNet's weights cannot be had, and the model that the course ships was trained on "
            f"{len(known):,} of the pictures that are to judge here, so it would know the answers: "
            "connect to the network once, or take the course's own split."
        )
    return model


def macs(model):
    """Multiply-adds (MACs) that a model spends on one picture.

    A layer spends one multiply-add for each number of its kernel at each place where the kernel
    is laid: ``h_out w_out k k c_in c_out`` for a convolution, ``h_out w_out k k c_in`` for a
    depthwise one, ``c_in c_out`` for a dense layer. Biases, batch normalisation and activations
    are left out. So counted, Sandler et al. (arXiv:1801.04381, table 4) give 300 million for
    MobileNetV2 of width 1.0 at 224 px, classifier included. FLOPs are twice as many.

    Parameters
    ----------
    model : keras.Model
        With a fixed input size. A model inside it is counted too; a layer called twice once.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the input size is not fixed, or another kind of layer has a kernel.
    """
    counted = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += macs(layer)
        elif isinstance(layer, counted):
            *_, c_in, c_out = layer.kernel.shape
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            numbers = layer.output.shape[1:]  # of one picture
            if None in numbers:
                raise ValueError(f"{layer.name} has no fixed size: give the model an input size.")
            places = math.prod(numbers) // (c_in * c_out if depthwise else c_out)
            total += places * math.prod(layer.kernel.shape)
        elif any(len(weight.shape) > 1 for weight in layer.weights):
            kind = type(layer).__name__
            raise ValueError(f"{layer.name} is a {kind}, whose multiply-adds are not counted here.")
    return total


def cut(model, *at):
    """Consecutive pieces of a model, cut after the named layers.

    The pieces share the model's layers: training a piece trains the whole, and the pieces
    one after the other compute what the whole computes.

    Parameters
    ----------
    model : keras.Model
        With one input and one output, and not itself such a piece.
    *at : str
        Layer names in the order of the model, for example ``"block_14_add"``. Everything
        that comes later must depend on this layer's output alone.

    Returns
    -------
    list of keras.Model
        One more than there are names.

    Raises
    ------
    ValueError
        If there is no such layer, or something goes around it.
    """
    names = [layer.name for layer in model.layers]
    for name in at:
        if name not in names:
            raise ValueError(f"The model has no layer {name!r}; its last are {names[-8:]}.")
    tensors = [model.input, *(model.get_layer(name).output for name in at), model.output]
    try:
        return [keras.Model(start, end) for start, end in pairwise(tensors)]
    except ValueError as error:
        raise ValueError(
            f"The model cannot be cut after {', '.join(at)}: a shortcut goes around it. Cut after "
            'the end of a block, for example "block_14_add".'
        ) from error


def unfreeze_top(base, n_layers=20):
    """Make the last layers of a backbone trainable, all others and every BatchNorm frozen.

    A frozen BatchNormalization runs in inference mode in Keras: it keeps the means and variances
    of ImageNet instead of following a few small batches.

    Parameters
    ----------
    base : keras.Model
        From ``mobilenet_v2``.
    n_layers : int
        Counted from the end, BatchNorm and activation layers included; 0 freezes all.

    Raises
    ------
    ValueError
        If it has not as many layers, or the number is negative.
    """
    if not 0 <= n_layers <= len(base.layers):
        raise ValueError(f"n_layers must be between 0 and {len(base.layers)}, not {n_layers}.")
    for i, layer in enumerate(reversed(base.layers)):
        layer.trainable = i < n_layers and not isinstance(layer, keras.layers.BatchNormalization)
