"""A trained model's answer for a picture: any picture that can be read, or one clear refusal.

Education only: this is not a medical device, and no answer of it is a diagnosis."""

import json
import os
import warnings
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from utils.data import fit, write_atomically
from utils.quiet import keras

RESULTS = os.environ.get("COURSE_RESULTS_DIR") or Path(__file__).parents[1] / "runs" / "results"
MODEL = Path(RESULTS) / "melanoma_mobilenetv2.keras"  # what lesson 00 trained last
SHIPPED = Path(__file__).parents[1] / "models" / "melanoma_mobilenetv2.keras"
BATCH = 8  # pictures at a time: the shipped model makes thirty-two views of each
MODES = (
    *("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa"),
    *("CMYK", "YCbCr", "HSV", "LAB"),
)


class Prediction(NamedTuple):
    """What the model says of one picture. For education only, not a diagnosis.

    Attributes
    ----------
    label : str
        ``"melanoma"`` or ``"benign"``: whether the probability reaches the model's threshold.
    confidence : float
        The model's probability of that label, 0..1.
    """

    label: str
    confidence: float


def predict_skin_cancer(image, model=SHIPPED):
    """Label and confidence for one picture.

    Parameters
    ----------
    image : path, PIL.Image.Image or ndarray
        As ``read_image`` takes it.
    model : path
        A model saved by ``save_model``; by default the one that the course ships (its card:
        models/README.md). ``MODEL`` is the one that lesson 00 trained last.

    Returns
    -------
    Prediction

    Raises
    ------
    FileNotFoundError
        If the picture or the model is not there.
    ValueError
        If the picture cannot be used; the sentence says why.
    """
    probability = float(melanoma_probability([image], model)[0])
    if probability >= load_model(model)[1]["threshold"]:
        return Prediction("melanoma", probability)
    return Prediction("benign", 1 - probability)


def melanoma_probability(images, model=SHIPPED):
    """Probability of melanoma for pictures of any size.

    Parameters
    ----------
    images : ndarray of shape (n, h, w, channels), sequence of pictures, or a single picture
        Each as ``read_image`` takes it.
    model : path or keras.Model
        A model saved by ``save_model`` or in memory; it takes square pixels 0..255.

    Returns
    -------
    ndarray of float32, shape (n,)

    Raises
    ------
    FileNotFoundError, ValueError
        As ``predict_skin_cancer``; also for an empty sequence.
    """
    if isinstance(images, (str, Path, Image.Image)) or (
        isinstance(images, np.ndarray) and images.ndim != 4
    ):
        images = [images]
    if len(images) == 0:
        raise ValueError("There is no image to predict: the list is empty.")
    if not isinstance(model, keras.Model):
        model = load_model(model)[0]
    size = model.input_shape[1]
    pixels = np.stack([fit(read_image(image), size) for image in images])
    if len(pixels) <= BATCH:  # here ``predict`` would spend longer on its loop than on the network
        return np.asarray(model.predict_on_batch(pixels))[:, 0]
    return model.predict(pixels, batch_size=BATCH, verbose=0)[:, 0]


def read_image(image):
    """Any usable picture as an upright RGB image; everything else is refused.

    Parameters
    ----------
    image : path, PIL.Image.Image or ndarray
        An array has shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) and holds integers 0..255
        or floats 0..1. Transparent pixels become white.

    Returns
    -------
    PIL.Image.Image
        Mode RGB.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no picture, broken, empty, too large to be one, or an array of another shape or
        range.
    """
    if isinstance(image, (str, Path)):
        return _read_file(Path(image))
    if isinstance(image, Image.Image):
        return _to_rgb(image, "This image")
    if isinstance(image, np.ndarray):
        return _to_rgb(_from_array(image), "This array")
    raise ValueError(
        f"A picture must be a path, a PIL image or a NumPy array, not {type(image).__name__}."
    )


def _read_file(path):
    if not path.is_file():
        raise FileNotFoundError(f"There is no image file {path}: check the name and the folder.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _to_rgb(image, path.name)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{path.name} claims more than {Image.MAX_IMAGE_PIXELS:,} pixels, too many for a "
            "photograph of a lesion: save it smaller."
        ) from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{path.name} is not an image: give a JPEG or PNG file.") from error


def _to_rgb(image, name):
    if image.mode not in MODES:
        raise ValueError(
            f"{name} has pixels of mode {image.mode}, not 8 bits a channel: save it as an "
            "ordinary JPEG or PNG."
        )
    if 0 in image.size:
        raise ValueError(f"{name} is empty: it has {image.width} x {image.height} pixels.")
    if image.width * image.height > Image.MAX_IMAGE_PIXELS:
        raise ValueError(
            f"{name} has more than {Image.MAX_IMAGE_PIXELS:,} pixels: make it smaller."
        )
    try:
        image = ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{name} is broken or truncated: get a new copy of it.") from error
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _from_array(array):
    if array.size == 0:
        raise ValueError(f"The array is empty: its shape is {array.shape}.")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ValueError(
            f"An image array has shape (h, w) or (h, w, 1, 3 or 4), not {array.shape}."
        )
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all():
            raise ValueError("The array holds NaN or infinite values: repair it first.")
        if array.min() < 0 or array.max() > 1:
            raise ValueError(
                f"A float array must lie in [0, 1]; this one goes from {array.min():g} to "
                f"{array.max():g}. For pixels 0..255 pass integers (array.astype('uint8'))."
            )
        array = np.round(array * 255)
    elif not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"An image array holds integers or floats, not {array.dtype}.")
    elif array.min() < 0 or array.max() > 255:
        raise ValueError(
            f"An integer array must lie in 0..255; this one goes from {array.min()} to "
            f"{array.max()}."
        )
    return Image.fromarray(array.astype(np.uint8))


def save_model(model, facts, path=MODEL):
    """Save a model as ``.keras`` and what belongs to it as ``.json`` beside it.

    Parameters
    ----------
    model : keras.Model
    facts : dict
        Must hold ``threshold`` (float) and ``source`` (of the training data).
    path : path
        Ends in ``.keras``.

    Raises
    ------
    ValueError
        If a fact is missing or the name ends otherwise.
    """
    path = Path(path)
    if path.suffix != ".keras" or not {"threshold", "source"} <= facts.keys():
        raise ValueError("save_model needs a name in .keras and facts with threshold and source.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_suffix(".json"), lambda p: p.write_text(json.dumps(facts, indent=1)))
    write_atomically(path, model.save)


def load_model(path=SHIPPED):
    """The model and its facts, as ``save_model`` wrote them; loaded once a process.

    Returns
    -------
    (keras.Model, dict)

    Raises
    ------
    FileNotFoundError
        If either file is not there.
    ValueError
        If one is broken.
    """
    path = Path(path)
    for file in (path, path.with_suffix(".json")):
        if not file.is_file():
            raise FileNotFoundError(
                f"There is no trained model {file}: run lesson 00, which makes one."
            )
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _load(path, changed):
    try:
        facts = json.loads(path.with_suffix(".json").read_text())
        if "source_size" not in facts:
            return keras.models.load_model(path, compile=False), facts
        from utils import shipped  # here, since it imports this module

        model = shipped.architecture(facts)
        model.load_weights(path)
        return model, facts
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"The model {path} is broken: train it again. [{error}]") from error
