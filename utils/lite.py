"""A small file for a phone: a model converted to LiteRT (once called TensorFlow Lite), and asked.

Taught in the lesson deployment."""

import re
import tempfile
import warnings

import numpy as np

FORMATS = ("float32", "float16", "int8")


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

    Parameters
    ----------
    content : bytes
        From ``convert``, or read from a ``.tflite`` file.
    """

    def __init__(self, content):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TensorFlow's own interpreter will move out
            self._interpreter = _interpreter()(model_content=content)
        self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        (self._output,) = self._interpreter.get_output_details()

    def __call__(self, images):
        """Probabilities of shape (n,) for pixels 0..255 of shape (n, size, size, 3)."""
        return np.array([self._answer(image) for image in images], np.float32)

    def _answer(self, image):
        self._interpreter.set_tensor(self._input["index"], image[None].astype(self._input["dtype"]))
        self._interpreter.invoke()
        answer = float(self._interpreter.get_tensor(self._output["index"]).ravel()[0])
        scale, zero = self._output["quantization"]
        return scale * (answer - zero) if scale else answer


def _interpreter():
    """LiteRT's own interpreter where it is installed, else the one that TensorFlow ships."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        Interpreter = tf.lite.Interpreter
    return Interpreter
