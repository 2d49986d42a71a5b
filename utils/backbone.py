"""MobileNetV2 and two more backbones with ImageNet weights, raw pixels in, cut where the frozen
part ends. Taught in lesson 03."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from utils import predict
from utils.data import online
from utils.quiet import keras

SIZES = (96, 128, 160, 192, 224)  # pixels a side that the published weights were trained at
WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{size}_no_top.h5"
DEVIATIONS = (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue, on a scale of 0..1
HOST = "storage.googleapis.com"
FOLDER = f"https://{HOST}/tensorflow/keras-applications/mobilenet_v2/"  # as keras.applications


@dataclass(frozen=True)
class Backbone:
    """What an architecture of keras.applications needs to be built, fed, fetched and cut.

    Attributes
    ----------
    build : callable
        The constructor in keras.applications.
    scale, offset : float
        ``scale * pixel + offset`` turns pixels 0..255 into what the ImageNet weights expect.
    url : str
        The published ImageNet weights without the top; Keras caches them under the last part.
    frozen_end : str
        The layer after which fine-tuning of the top begins: the last two blocks come after it.
    size : int
        Pixels a side that the weights were trained at.
    """

    build: Callable
    scale: float
    offset: float
    url: str
    frozen_end: str
    size: int = 224


BACKBONES = {
    "MobileNetV2": Backbone(
        keras.applications.MobileNetV2,
        scale=1 / 127.5,
        offset=-1,
        url=FOLDER + FILE.format(alpha=1.0, size=224),
        frozen_end="block_14_add",
    ),
    "EfficientNetB0": Backbone(
        keras.applications.EfficientNetB0,
        scale=1,  # it scales inside
        offset=0,
        url=f"https://{HOST}/keras-applications/efficientnetb0_notop.h5",
        frozen_end="block6c_add",
    ),
    "ResNet50V2": Backbone(
        keras.applications.ResNet50V2,
        scale=1 / 127.5,
        offset=-1,
        url=f"https://{HOST}/tensorflow/keras-applications/resnet/"
        "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        frozen_end="conv5_block1_out",
    ),
}


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
    native = size if size in SIZES else 224
    path = _fetch(FOLDER + FILE.format(alpha=alpha, size=native))
    for found in (native, *reversed(SIZES)):
        path = path.with_name(FILE.format(alpha=alpha, size=found))
        if path.exists():
            return path, f"ImageNet, width {alpha:g}, trained at {found} px"
    return None, "RANDOM"


def _fetch(url):
    """Where Keras caches a file of weights, downloaded if it can be; it may not be there."""
    cache = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    path = cache / "models" / url.rpartition("/")[2]
    if not path.exists() and online(HOST):
        keras.utils.get_file(path.name, url, cache_dir=cache, cache_subdir="models")
    return path


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
    _check(size, weights)
    path, origin = imagenet_weights(alpha, size) if weights else (None, "RANDOM, as asked")
    shipped = None
    if origin == "RANDOM":
        origin += ": no ImageNet weights in Keras's cache and no network to fetch them"
        if lesions is not None:
            shipped = _shipped_layers(alpha, lesions)
        if shipped is not None:
            origin = origin.replace("RANDOM", "SHIPPED") + f"; layers of {predict.SHIPPED.name}"
    print(f"Weights: {origin}")
    entry = BACKBONES["MobileNetV2"]
    model = _assemble(entry, "mobilenet_v2", source_size, size, path, alpha=alpha)
    if shipped is not None:
        for layer in model.layers:
            if layer.weights:
                layer.set_weights(shipped.get_layer(layer.name).get_weights())
    return model, origin


def from_registry(name, source_size=28, size=224, weights="imagenet"):
    """A backbone of ``BACKBONES`` without its top, which takes raw pixels and prepares them itself.

    Resizing and scaling are layers of the model, as in ``mobilenet_v2``. Architectures: Sandler
    et al., CVPR 2018, arXiv:1801.04381; Tan and Le, "EfficientNet: Rethinking Model Scaling for
    Convolutional Neural Networks", ICML 2019, arXiv:1905.11946; He et al., "Identity Mappings in
    Deep Residual Networks", ECCV 2016, arXiv:1603.05027.

    Parameters
    ----------
    name : str
        One of ``BACKBONES``; MobileNetV2 is that of width 1.0.
    source_size : int
        Pixels a side of the pictures that will be fed.
    size : int
        Pixels a side inside the network, 32 or more. The weights were trained at 224.
    weights : "imagenet" or None
        None: random initial values.

    Returns
    -------
    keras.Model
        From pixels 0..255 of shape (n, source_size, source_size, 3) to features of shape
        (n, ceil(size / 32), ceil(size / 32), channels), float32.

    Raises
    ------
    ValueError
        If there is no such backbone, ``weights`` is neither, ``size`` is under 32, or the weights
        file is broken (the sentence names the file to delete).
    ConnectionError
        If the ImageNet weights are not in Keras's cache and their host cannot be reached.
    """
    if name not in BACKBONES:
        raise ValueError(f"There is no backbone {name!r}; there are {', '.join(BACKBONES)}.")
    _check(size, weights)
    entry = BACKBONES[name]
    path = _fetch(entry.url) if weights else None
    if path and not path.exists():
        raise ConnectionError(
            f"ImageNet weights of {name} cannot be had: {HOST} cannot be reached, and {path} is "
            "not there. Connect to the network once, or put the file there."
        )
    origin = f"ImageNet, {name}, trained at {entry.size} px" if path else "RANDOM, as asked"
    print(f"Weights: {origin}")
    return _assemble(entry, name.lower(), source_size, size, path)


def _check(size, weights):
    """Refuse what no backbone takes."""
    if weights not in ("imagenet", None):
        raise ValueError(f'weights must be "imagenet" or None, not {weights!r}.')
    if size < 32:
        raise ValueError(f"The network needs an input of 32 px or more, not {size}.")


def _assemble(entry, name, source_size, size, path, **arguments):
    """A backbone behind the layers that prepare its pixels, with the weights of a file if any."""
    pixels = keras.Input((source_size, source_size, 3), name="pixels")
    x = keras.layers.Resizing(size, size, name="resize")(pixels)
    x = keras.layers.Rescaling(entry.scale, offset=entry.offset, name="scale")(x)
    try:
        model = entry.build(
            input_shape=(size, size, 3),
            input_tensor=x,
            include_top=False,
            weights=path and str(path),
            **arguments,
        )
    except (OSError, ValueError, KeyError) as error:
        if path is None:
            raise
        raise ValueError(
            f"The weights file {path} cannot be read (an interrupted download?): delete it and "
            f"run again. [{error}]"
        ) from error
    for layer in model.layers:
        if path and isinstance(layer, keras.layers.Normalization):
            # EfficientNet's file holds ImageNet's deviations where variances belong. Keras mends
            # it only for weights="imagenet", not for the file (tensorflow issue 49930).
            layer.adapt_variance.assign(layer.adapt_variance * DEVIATIONS)
            layer.finalize_state()
    return keras.Model(pixels, model.output, name=name)


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
    return model.get_layer("one_view")


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
