"""A small file for a phone: a model converted to LiteRT (once called TensorFlow Lite), and asked.

The service and the command line answer by such a file, and need neither TensorFlow nor Keras for
it. Taught in the lesson deployment."""

import json
import os
import re
import tempfile
import threading
import warnings
from contextlib import contextmanager

import numpy as np

from utils import settings
from utils.decision import Prediction, decide, distance, joined, read_beside, sha256
from utils.images import read, square

EXPORT = "python -m experiments shipped.export"  # makes the shipped model's file
FORMATS = ("float32", "float16", "int8")
LOG = threading.Lock()  # two threads that turn standard error away would not find it again


def convert(model, form="float32", images=None):
    """The model as the content of a ``.tflite`` file.

    Parameters
    ----------
    model : keras.Model
        From pixels 0..255 of shape (n, size, size, 3) to probabilities (n, 1), all layers frozen
        (``load_model`` sees to that): else BatchNorm could be exported as in training. One that
        computes in another precision (``mixed_float16``) is converted as if in float32.
    form : str
        ``"float32"``; ``"float16"``, weights of half the size; or ``"int8"``, all numbers of eight
        bits, for chips that know no others: pixels go in and probabilities come out as 0..255.
    images : ndarray of uint8, shape (n, size, size, 3)
        Training images for ``"int8"``: they show in which range each layer's numbers lie. A
        hundred will do.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If there is no such form, a layer can still learn, or images are missing.
    """
    if form not in FORMATS:
        raise ValueError(f"The form is one of {', '.join(FORMATS)}, not {form!r}.")
    if model.trainable_variables:
        raise ValueError("Freeze the model first: model.trainable = False.")
    if form == "int8" and images is None:
        raise ValueError('"int8" needs training images, which show the range of each layer.')
    import tensorflow as tf

    if _precisions(model) & {"float16", "bfloat16", "float64"}:
        model = _in_float32(model)
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if form != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if form == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if form == "int8":
            converter.representative_dataset = lambda: (
                [image[None].astype(np.float32)] for image in images
            )
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.uint8
        return converter.convert()


def _precisions(layer):
    """In which types a layer, and all layers in it, compute."""
    return {layer.compute_dtype}.union(*map(_precisions, getattr(layer, "layers", ())))


def _in_float32(model):
    """The same model with the same weights; TensorFlow cannot convert another precision."""
    from utils.quiet import keras

    policy = r'("class_name": "DTypePolicy", "config": {"name": )"\w+"'
    plain = keras.models.model_from_json(re.sub(policy, r'\1"float32"', model.to_json()))
    plain.set_weights(model.get_weights())
    plain.trainable = False
    return plain


class Lite:
    """A converted model that answers for images, one after the other.

    Several threads may ask it: each has an interpreter of its own, which computes with one thread.

    Parameters
    ----------
    content : bytes
        From ``convert``, or read from a ``.tflite`` file.

    Raises
    ------
    ValueError
        If it is no such file.
    """

    def __init__(self, content):
        self._content, self._own = content, threading.local()
        with LOG, _without_log():
            self._interpreter()

    def __call__(self, images):
        """Probabilities of shape (n,) for pixels 0..255 of shape (n, size, size, 3)."""
        found = [self.outputs(image).values() for image in images]
        return np.array([answer.item() for (answer,) in found], np.float32)

    def outputs(self, pixels):
        """All outputs for one image of shape (size, size, 3): dict of ndarray of shape (1, ...)."""
        interpreter, asked, outputs = self._interpreter()
        interpreter.set_tensor(asked["index"], pixels[None].astype(asked["dtype"]))
        interpreter.invoke()
        return {
            name: _as_float(interpreter.get_tensor(one["index"]), one["quantization"])
            for name, one in outputs.items()
        }

    def _interpreter(self):
        """This thread's, with the details of its input and, by name, of its outputs."""
        if not hasattr(self._own, "ready"):
            interpreter = _interpreter()(model_content=self._content, num_threads=1)
            interpreter.allocate_tensors()
            (asked,) = interpreter.get_input_details()
            outputs = interpreter.get_signature_runner().get_output_details()
            self._own.ready = interpreter, asked, outputs
        return self._own.ready


def _as_float(found, quantization):
    scale, zero = quantization
    return np.float32(scale) * (found.astype(np.float32) - zero) if scale else found


def _interpreter():
    """LiteRT's own interpreter where it is installed, else the one that TensorFlow ships."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
        Interpreter = tf.lite.Interpreter
    return Interpreter


@contextmanager
def _without_log():
    """Without what C++ writes past Python: TensorFlow's import, and the first interpreter."""
    try:
        before = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)


# --- the shipped model ---------------------------------------------------------------------------


def made_for(facts, content):
    """What stands beside the shipped model's LiteRT file, so that nothing else is taken for it.

    Parameters
    ----------
    facts : dict
        Of the model, from ``decision.joined``.
    content : bytes
        The file's own.

    Returns
    -------
    dict
    """
    own = {"layer": facts["guard"]["layer"] if "guard" in facts else None}
    own |= {name: facts[name] for name in ("model_sha256", "temperature")}
    return own | {"sha256": sha256(content)}


class Shipped:
    """The shipped model by its LiteRT file; ``predict.predict_skin_cancer`` without TensorFlow.

    Parameters
    ----------
    path : Path
        Of the ``.keras`` file, beside which the others stand; it need not be there itself.

    Attributes
    ----------
    facts : dict
        Of the model, from ``decision.joined``.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If one is broken, or the LiteRT file was made for another training, temperature or layer.
    """

    def __init__(self, path=settings.SHIPPED):
        file, beside = path.with_suffix(".tflite"), path.with_suffix(".export.json")
        for one in (file, beside):
            if not one.is_file():
                raise FileNotFoundError(f"There is no file {one}: run `{EXPORT}`, which makes it.")
        content = file.read_bytes()
        try:
            self.facts = joined(*read_beside(path))
            same = json.loads(beside.read_bytes()) == made_for(self.facts, content)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"A file beside the model {path} is broken: fetch it again. [{error}]"
            ) from error
        if not same:
            raise ValueError(
                f"{file} was made for another training, temperature or layer of the guard: run "
                f"`{EXPORT}`, which makes it anew."
            )
        self._ask = Lite(content)

    def __call__(self, image):
        """The Prediction for an image, as ``images.read`` takes it and with its errors."""
        pixels = square(read(image), self.facts["source_size"])
        found = self._ask.outputs(pixels)
        probability, far = found["probability"].item(), None
        if guard := self.facts.get("guard"):
            far = distance(found["means"], guard["mean"], guard["precision"])
        decision = decide([probability], far, self.facts).tolist()
        return Prediction(probability, self.facts["threshold"], *decision)
