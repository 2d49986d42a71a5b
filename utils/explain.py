"""Maps of what a model looks at, and measures of whether a map can be believed.

Two families: Grad-CAM follows gradients inside the network; occlusion covers a part of the image
and asks the model again. Both explain the logit, not the probability: near 0 and 1 a sigmoid is
flat, and its gradient vanishes."""

from contextlib import contextmanager

import numpy as np

from utils.quiet import keras


def map_layers(model):
    """Names of the layers that give maps, those of models inside the model included.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    list of str
        From input to output.
    """
    return [layer.name for layer in _layers(model) if _gives_maps(layer)]


def grad_cam(model, images, layer=None, output=None, own_scale=True):
    """Where the activations of a layer speak for an output.

    Each channel of the layer weighs the mean gradient of the logit; the weighted sum of the
    channels, where it is positive, is the map. Selvaraju et al., "Grad-CAM: Visual Explanations
    from Deep Networks via Gradient-Based Localization", ICCV 2017, arXiv:1610.02391, equations 1
    and 2.

    Parameters
    ----------
    model : keras.Model
        From pixels 0..255 to one probability or logit (n, 1), or one for each class (n, k). Of the
        shipped model its network for one view is explained.
    images : ndarray, shape (n, h, w, 3)
        Pixels 0..255; resized to the model's input.
    layer : str, optional
        One of ``map_layers(model)``; default: the last, whose map is the coarsest.
    output : int, optional
        Which output to explain; needed where there are several.
    own_scale : bool
        Whether each map is divided by its largest value. A map that hardly says anything then looks
        like one that says much; False keeps the numbers as they are, to be compared.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        From 0 on, to 1 with ``own_scale``; a map of zeros where nothing speaks for the output.

    Raises
    ------
    ValueError
        If the images, the layer or the output cannot be used; the sentence says why.
    """
    import tensorflow as tf

    model, images, x = _prepare(model, images)
    chosen = _choose(model, layer)
    with _logits(model), tf.GradientTape() as tape, _watched(chosen, tape) as seen:
        score = tf.reduce_sum(_score(model(x, training=False), output))
    gradient = tape.gradient(score, seen[-1])
    if gradient is None:
        raise ValueError(f"The output does not depend on the layer {chosen.name}: take another.")
    activation, gradient = (tf.cast(t, tf.float32) for t in (seen[-1], gradient))
    weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    maps = tf.reduce_sum(weights * activation, axis=-1).numpy()
    return enlarged(maps, images.shape[1:3], own_scale)


def occlusion(model, images, cells=8, output=None):
    """How much the logit falls when a square of the image is covered with the image's mean colour.

    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014,
    arXiv:1311.2901, section 4.2.

    Parameters
    ----------
    model, images, output
        As for ``grad_cam``.
    cells : int
        Squares along each side; the model is asked cells * cells + 1 times.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        As for ``grad_cam``.

    Raises
    ------
    ValueError
        As ``grad_cam``, and if the input has fewer pixels a side than cells.
    """
    model, images, x = _prepare(model, images)
    height, width = x.shape[1:3]
    if not 1 <= cells <= min(height, width):
        raise ValueError(f"cells must be from 1 to {min(height, width)}, not {cells}.")
    rows, columns = (np.linspace(0, side, cells + 1).astype(int) for side in (height, width))
    mean = x.mean(axis=(1, 2), keepdims=True)
    with _logits(model):

        def ask(pixels):
            return np.asarray(_score(model(pixels, training=False), output), np.float32)

        whole, maps = ask(x), np.empty((len(x), cells, cells), np.float32)
        for i in range(cells):
            for j in range(cells):
                covered = x.copy()
                covered[:, rows[i] : rows[i + 1], columns[j] : columns[j + 1]] = mean
                maps[:, i, j] = whole - ask(covered)
    return enlarged(maps, images.shape[1:3])


def centre_blob(size, cells=None):
    """A map that has seen neither image nor model: the baseline for every other map.

    Parameters
    ----------
    size : int
        Pixels a side.
    cells : int, optional
        Numbers a side, enlarged as the map is with which it is compared: a coarse map lies on a
        lesion less well than a fine one, whatever it shows. Default: ``size``.

    Returns
    -------
    ndarray of float32, shape (size, size)
        A round hill, 1 in the centre, with a standard deviation of a quarter of the side.
    """
    side = cells or size
    distance = (np.arange(side) - (side - 1) / 2) / (side / 4)
    hill = np.exp(-(distance**2) / 2)
    blob = np.outer(hill, hill).astype(np.float32)
    return enlarged(blob[None], (size, size))[0] if cells else blob


def enlarged(maps, size, own_scale=True):
    """Maps as large as the images, without what is negative, each divided by its largest value.

    Parameters
    ----------
    maps : ndarray of float32, shape (n, rows, columns)
    size : (int, int)
        Height and width of the images.
    own_scale : bool
        False: none is divided.

    Returns
    -------
    ndarray of float32, shape (n, height, width)
        From 0 on, to 1 with ``own_scale``; a map of zeros where nothing is positive.
    """
    maps = np.maximum(maps, 0)[..., None]
    maps = np.array(keras.ops.image.resize(maps, size))[..., 0]
    if not own_scale:
        return maps
    largest = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, largest, out=np.zeros_like(maps), where=largest > 0)


def share_inside(maps, masks):
    """Share of each map that lies on the lesion.

    Parameters
    ----------
    maps : ndarray of float, shape (n, h, w)
        Not negative.
    masks : ndarray of bool, shape (n, h, w)
        The lesions.

    Returns
    -------
    ndarray of float, shape (n,)
        0..1; NaN for a map of zeros.
    """
    maps, masks = _pairs(maps, masks)
    whole = maps.sum(axis=(1, 2))
    inside = (maps * masks).sum(axis=(1, 2))
    return np.divide(inside, whole, out=np.full(len(maps), np.nan), where=whole > 0)


def points_inside(maps, masks):
    """The pointing game: whether the largest value of each map lies on the lesion.

    Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016, arXiv:1608.00507.

    Parameters
    ----------
    maps, masks
        As for ``share_inside``.

    Returns
    -------
    ndarray of float, shape (n,)
        1 or 0; NaN for a map of zeros, which points nowhere.
    """
    maps, masks = _pairs(maps, masks)
    flat = maps.reshape(len(maps), -1)
    hit = np.take_along_axis(masks.reshape(len(masks), -1), flat.argmax(axis=1)[:, None], 1)[:, 0]
    return np.where(flat.max(axis=1) > 0, hit.astype(float), np.nan)


def _pairs(maps, masks):
    maps, masks = np.asarray(maps, float), np.asarray(masks, bool)
    if maps.shape != masks.shape or maps.ndim != 3:
        raise ValueError(
            "Maps and masks must have the same shape (n, h, w); these have "
            f"{maps.shape} and {masks.shape}."
        )
    if not np.isfinite(maps).all() or (maps < 0).any():
        raise ValueError("A map holds numbers from 0 on; this one holds negative ones or NaN.")
    return maps, masks


def _layers(model):
    """All layers, depth first, without the models that hold them."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


def _gives_maps(layer):
    try:
        shape = layer.output.shape
    except (AttributeError, ValueError):  # called nowhere, or at several places
        return False
    return len(shape) == 4 and not isinstance(layer, keras.layers.InputLayer)


def _choose(model, name):
    found = {layer.name: layer for layer in _layers(model) if _gives_maps(layer)}
    if not found:
        raise ValueError("The model has no layer that gives maps of shape (n, h, w, channels).")
    name = name or list(found)[-1]
    if name not in found:
        raise ValueError(
            f"No layer {name!r} gives maps of shape (n, h, w, channels): take one of "
            f"map_layers(model), such as {list(found)[-1]!r}."
        )
    return found[name]


def _prepare(model, images):
    """The network to explain, the images as an array, and the network's float32 input."""
    for layer in model.layers:
        if layer.name == "one_view":  # the shipped model's, which has thirty-two views of an image
            model = layer
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or len(images) == 0:
        raise ValueError(f"Images must have shape (n, h, w, 3), n at least 1, not {images.shape}.")
    size = tuple(model.inputs[0].shape[1:3])
    x = images.astype(np.float32)
    if None not in size and images.shape[1:3] != size:
        x = np.array(keras.ops.image.resize(x, size))
    return model, images, x


def _score(outputs, output):
    """One number for each image, shape (n,)."""
    n = outputs.shape[-1]
    if output is None and n > 1:
        raise ValueError(f"The model has {n} outputs: say which to explain, output=0 to {n - 1}.")
    if not 0 <= (output or 0) < n:
        raise ValueError(f"output must be from 0 to {n - 1}, not {output}.")
    return outputs[:, output or 0]


@contextmanager
def _logits(model):
    """The model answers with logits: its last sigmoid or softmax is left out."""
    last = model
    while isinstance(last, keras.Model):
        last = last.layers[-1]
    before = getattr(last, "activation", None)
    if before in (keras.activations.sigmoid, keras.activations.softmax):
        last.activation = keras.activations.linear
    try:
        yield
    finally:
        if before is not None:
            last.activation = before


@contextmanager
def _watched(layer, tape):
    """What the layer gives, watched by the tape, wherever in the model it stands.

    A second model ``keras.Model(model.input, layer.output)`` does not reach a layer of a model
    inside the model: that layer's output belongs to the inner model's graph.
    """
    call, seen = layer.call, []

    def watch(*args, **kwargs):
        seen.append(call(*args, **kwargs))
        tape.watch(seen[-1])
        return seen[-1]

    layer.call = watch
    try:
        yield seen
    finally:
        del layer.call  # the class has its own
