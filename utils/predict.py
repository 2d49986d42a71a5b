"""A trained model's answer for an image, by Keras: saving, loading, asking.

What a probability becomes says utils/decision.py; utils/lite.py asks the shipped model without
Keras.

Education only: this is not a medical device, and no answer of it is a diagnosis."""

import json
import os
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from utils import decision, guard, models, settings
from utils.decision import Prediction, decide
from utils.images import read, square
from utils.models import plain_keras
from utils.quiet import keras, require_threads

SHIPPED = settings.SHIPPED
BATCH = 8  # images at a time: the shipped model makes thirty-two views of each


@plain_keras()
def predict_skin_cancer(image, model=SHIPPED):
    """Label and confidence for one image; probability, threshold and decision are attributes.

    Parameters
    ----------
    image : path, PIL.Image.Image or ndarray
        As ``images.read`` takes it.
    model : path
        A model saved by ``save_model``; by default the one that the course ships (its card:
        models/README.md). ``trained()`` is the one that the lesson quickstart trained last.

    Returns
    -------
    Prediction

    Raises
    ------
    FileNotFoundError
        If the image or the model is not there.
    ValueError
        If the image or the model cannot be used; the sentence says why.
    RuntimeError
        In a process that was forked from one in which a model had been used.
    """
    loaded, facts = load_model(model)
    pixels = square(read(image), _input_size(loaded))[None]
    probability = float(melanoma_probability(pixels, loaded)[0])
    far = guard.distances(loaded, facts["guard"], pixels) if "guard" in facts else None
    return Prediction(probability, facts["threshold"], *decide([probability], far, facts).tolist())


@plain_keras()
def melanoma_probability(images, model=SHIPPED):
    """Probability of melanoma for images of any size.

    Parameters
    ----------
    images : ndarray of shape (n, h, w, channels), sequence of images, or a single image
        Each as ``images.read`` takes it.
    model : path or keras.Model
        A model saved by ``save_model`` or in memory; it takes square pixels 0..255.

    Returns
    -------
    ndarray of float32, shape (n,)

    Raises
    ------
    FileNotFoundError, ValueError, RuntimeError
        As ``predict_skin_cancer``; also for an empty sequence.
    """
    if isinstance(images, (str, os.PathLike, Image.Image)) or (
        isinstance(images, np.ndarray) and images.ndim != 4
    ):
        images = [images]
    if len(images) == 0:
        raise ValueError("There is no image to predict: the list is empty.")
    if not isinstance(model, keras.Model):
        model = load_model(model)[0]
    size = _input_size(model)
    pixels = np.stack([square(read(image), size) for image in images])
    if len(pixels) <= BATCH:  # here ``predict`` would spend longer on its loop than on the network
        answer = np.asarray(model.predict_on_batch(pixels))
    else:
        answer = model.predict(pixels, batch_size=BATCH, verbose=0)
    if answer.shape != (len(pixels), 1) or not ((answer >= 0) & (answer <= 1)).all():
        raise ValueError(
            "The model does not answer with one probability an image: its output must have shape "
            "(n, 1) and end with a sigmoid."
        )
    return answer[:, 0].astype(np.float32)


def _input_size(model):
    """Pixels a side that a model takes; ValueError if it does not take square colour images."""
    inputs = getattr(model, "inputs", None) or ()
    shape = tuple(inputs[0].shape) if len(inputs) == 1 else ()
    if len(shape) != 4 or None in shape[1:] or shape[1] != shape[2] or shape[3] != 3:
        raise ValueError(
            "The model must take square colour images of a fixed size, for example "
            f"keras.Input((96, 96, 3)); its input has the shape {shape}."
        )
    return shape[1]


def trained():
    """Path of the model that the lesson quickstart trained last."""
    return settings.results() / "melanoma_mobilenetv2.keras"


def save_model(model, facts, path=None):
    """Save a model as ``.keras`` and what belongs to it as ``.json`` beside it.

    Parameters
    ----------
    model : keras.Model
        From square pixels 0..255 of a fixed size to probabilities of shape (n, 1), by a sigmoid.
    facts : dict
        Must hold ``threshold`` (float) and ``source`` (of the training data). The file adds
        ``model_sha256``, by which the two files know each other.
    path : path, optional
        Ends in ``.keras``; by default ``trained()``.

    Raises
    ------
    ValueError
        If a fact is missing, the name ends otherwise, or the model takes or gives something else.
    OSError
        If the folder cannot be written.
    """
    path = trained() if path is None else Path(os.path.expanduser(path))
    if path.suffix != ".keras" or not {"threshold", "source"} <= facts.keys():
        raise ValueError("save_model needs a name in .keras and facts with threshold and source.")
    facts = dict(facts) | {"threshold": decision.checked_threshold(facts)}
    _input_size(model)
    last = model
    while isinstance(last, keras.Model):
        last = last.layers[-1]
    activation = getattr(getattr(last, "activation", None), "__name__", None)
    shape = tuple(model.outputs[0].shape)
    if len(model.outputs) != 1 or shape != (None, 1) or activation != "sigmoid":
        raise ValueError(
            "The model must end with one probability, for example keras.layers.Dense(1, "
            f'activation="sigmoid"); its output has shape {shape} and activation {activation}.'
        )
    settings.make_folder(path.parent)

    def write(to):
        model.save(to)
        own = {"model_sha256": decision.sha256(to.read_bytes())}
        settings.write_json(path.with_suffix(".json"), facts | own)

    settings.write_atomically(path, write)


def load_model(path=SHIPPED):
    """The model and its facts; loaded anew if a file has changed.

    Beside the shipped model stand ``NAME.calibration.json`` and ``NAME.limits.json``. What was made
    for another model is left out: without them it answers uncalibrated, by the threshold in its
    own file, and refuses nothing.

    Returns
    -------
    (keras.Model, dict)
        All layers of the model are frozen.

    Raises
    ------
    FileNotFoundError
        If either file is not there.
    ValueError
        If one is broken, or the two belong to different trainings.
    """
    require_threads()
    path = Path(os.path.expanduser(path))  # of pathlib's own, one without a home gets a traceback
    for file in (path, path.with_suffix(".json")):
        if not file.is_file():
            raise FileNotFoundError(
                f"There is no trained model {file}: run the lesson quickstart, which makes one."
            )
    state = path.stat()
    return _load(path, state.st_mtime_ns, state.st_size, *decision.read_beside(path))


@lru_cache(maxsize=2)
@plain_keras()
def _load(path, changed, size, *texts):
    try:
        facts = decision.joined(*texts)
        if facts.get("model_sha256") not in (None, decision.sha256(path.read_bytes())):
            raise ValueError("its .json file belongs to another training")
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise _broken(path, error) from error
    own = facts.get("architecture") == models.CORNER_VIEWS
    try:
        if own:
            model = models.architecture(facts)
            model.load_weights(path)
        else:
            model = keras.models.load_model(path, compile=False)
    except (ValueError, OSError, KeyError, TypeError, zipfile.BadZipFile) as error:
        saved, here = _keras_of(path), keras.version()
        if own or saved in (None, here):
            raise _broken(path, error) from error
        raise ValueError(
            f"The model {path} was saved by Keras {saved}, and Keras {here} cannot read it: "
            f"install the other one (pip install keras=={saved}), or train the model here."
        ) from error
    # In Keras 3 a layer such as Resizing, called without ``training``, hands its default of True
    # to the layers after it: ``model(x)`` would train BatchNorm, and an export would keep it so.
    model.trainable = False
    return model, facts


def _keras_of(path):
    """The version of Keras that wrote a model; None if the file does not say."""
    try:
        with zipfile.ZipFile(path) as file:
            return json.loads(file.read("metadata.json"))["keras_version"]
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return None


def _broken(path, error):
    why = (str(error).splitlines() or [type(error).__name__])[0]  # Keras adds pages
    return ValueError(f"The model {path} is broken: train it again. [{why}]")
