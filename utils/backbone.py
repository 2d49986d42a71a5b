"""MobileNetV2: pixels in, cut where the frozen part ends, counted. Taught in the lesson
mobilenetv2."""

import math
from itertools import pairwise
from pathlib import Path

from utils import settings
from utils.quiet import keras, require_threads

FROZEN_END = "block_14_add"  # the last 20 layers, two blocks, come after it


def mobilenet_v2(alpha=0.35, source_size=28, size=96, weights=None):
    """MobileNetV2 without its top, which takes raw pixels and prepares them itself.

    Resizing (bilinear) and scaling to [-1, 1], the range the ImageNet weights expect, are
    layers of the model, so that a saved model cannot be fed wrongly. Architecture: Sandler et
    al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, arXiv:1801.04381.

    Parameters
    ----------
    alpha : float
        Width multiplier.
    source_size : int
        Pixels a side of the images that will be fed.
    size : int
        Pixels a side inside the network, 32 or more.
    weights : path or None
        A file from ``pretrained.mobilenet_v2`` for this width; None: random initial values.

    Returns
    -------
    keras.Model
        From pixels 0..255 of shape (n, source_size, source_size, 3) to features of shape
        (n, ceil(size / 32), ceil(size / 32), channels), float32.

    Raises
    ------
    ValueError
        If ``size`` is under 32, or ``weights`` is no file of weights for this network.
    RuntimeError
        In a process that was forked from one in which a model had been used.
    """
    require_threads()
    if size < 32:
        raise ValueError(f"The network needs an input of 32 px or more, not {size}.")
    if weights is not None and not Path(weights).is_file():
        raise ValueError(f"weights must be a file of utils.pretrained or None, not {weights!r}.")
    pixels = keras.Input((source_size, source_size, 3), name="pixels")
    x = keras.layers.Resizing(size, size, name="resize")(pixels)
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scale")(x)
    model = keras.applications.MobileNetV2(
        (size, size, 3), alpha, include_top=False, weights=None, input_tensor=x
    )
    if weights is not None:
        try:
            model.load_weights(weights)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"The weights file {weights} does not fit this network or is broken: take another, "
                "or delete it and run again."
            ) from error
    return keras.Model(pixels, model.output, name="mobilenet_v2")


def save_backbone(model, path, alpha=0.35, size=96):
    """Save the layers of a trained MobileNetV2 as weights for ``keras.applications.MobileNetV2``.

    Parameters
    ----------
    model : keras.Model
        That holds every layer of MobileNetV2 under its name; what else it holds is left out.
    path : Path
        Ends in ``.weights.h5``.
    alpha : float
        Width multiplier of the model.
    size : int
        Pixels a side that its layers were built for.
    """
    plain = keras.applications.MobileNetV2((size, size, 3), alpha, include_top=False, weights=None)
    for layer in plain.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    settings.write_atomically(path, plain.save_weights)


def macs(model):
    """Multiply-adds (MACs) that a model spends on one image.

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
            numbers = layer.output.shape[1:]  # of one image
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
        pieces = [keras.Model(start, end) for start, end in pairwise(tensors)]
        if any(model.layers[0] in piece.layers for piece in pieces[1:]):
            raise ValueError("a piece needs the input again")  # older Keras fails when called
        return pieces
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
