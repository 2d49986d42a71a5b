"""Exercises of the lesson deployment."""

import io
import struct
import tempfile
import warnings
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from utils import lite
from utils.exercises.registry import Hint, answered, exercise
from utils.quiet import keras


def _png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _good(height=60):
    rng = np.random.default_rng(0)
    return _png(Image.fromarray(rng.integers(0, 256, (height, 80, 4), dtype=np.uint8)))


def _black(side):
    """A PNG of side x side pixels, written without the memory that they would need."""
    file = io.BytesIO()
    file.write(b"\x89PNG\r\n\x1a\n")
    PngImagePlugin.putchunk(file, b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    PngImagePlugin.putchunk(file, b"IDAT", zlib.compress(bytes(side * (1 + side // 8)), 9))
    PngImagePlugin.putchunk(file, b"IEND", b"")
    return file.getvalue()


@lru_cache(maxsize=1)
def _bad():
    """What has to be refused, by the hint for who does not."""
    good = _good()
    first, part, rest = _good(400).partition(b"IDAT")  # so large that its pixels have many parts
    return {
        "A text file passed, or stopped with another error than ValueError.": b"not an image",
        "An image that was cut off passed: call `load` while you still can refuse.": good[:9000],
        "11 million bytes passed.": good + bytes(11_000_000),
        "81 million pixels passed: multiply width and height, before `load`.": _black(9000),
        "400 million pixels in a PNG of 49 kB: Pillow stops at so many by itself, with "
        "`Image.DecompressionBombError`. That is no OSError: catch it too.": _black(20_000),
        "A damaged PNG makes `load` stop with SyntaxError: Pillow raises many kinds of errors, so "
        "catch every `Exception`.": first + part + rest.replace(part, b"????"),
    }


def _checked(content, largest=10e6, pixels=50e6, load=True, caught=Exception):
    if len(content) > largest:
        raise ValueError("The file is too large: send at most 10 MB.")
    try:
        image = Image.open(io.BytesIO(content), formats=["JPEG", "PNG"])
    except caught:
        raise ValueError("This is no JPEG or PNG that I can read.") from None
    if image.width * image.height > pixels:
        raise ValueError("The image has too many pixels.")
    if not load:
        return Image.new("RGB", image.size)
    try:
        image.load()
    except caught:
        raise ValueError("The image is broken or cut off.") from None
    return image.convert("RGB")


@exercise(
    "deployment.1",
    hint="Four checks, from the cheapest to the most expensive. Pillow raises OSError both for "
    "what is no image and for one that is cut off, and other errors for far too many pixels and "
    "for damaged files: catch them all, and raise ValueError.",
    blank=lambda content: ...,
    right=_checked,
    wrong=[
        (lambda content: Image.open(io.BytesIO(content)).convert("RGB"), "text file"),
        (lambda content: _checked(content, load=False), "cut off"),
        (lambda content: _checked(content, largest=1e9), "11 million bytes"),
        (lambda content: _checked(content, pixels=1e9), "81 million pixels"),
        (lambda content: _checked(content, caught=OSError), "400 million pixels"),
        (
            lambda content: _checked(content, caught=(OSError, Image.DecompressionBombError)),
            "damaged PNG",
        ),
        (lambda content: _checked(content, largest=10), "good image"),
        (lambda content: _checked(content).convert("RGBA"), "RGB"),
        (lambda content: None, "return"),
    ],
)
def _check(answer):
    try:
        image = answered(answer(_good()))
    except ValueError as error:
        raise Hint(f"A good image was refused: {error}") from None
    if not isinstance(image, Image.Image) or image.mode != "RGB":
        raise Hint('Return an image of mode "RGB".')
    for hint, content in _bad().items():
        try:
            answer(content)
        except ValueError as error:
            if not str(error):
                raise Hint("Give ValueError a sentence that says what is wrong.") from None
        except Exception:
            raise Hint(hint) from None
        else:
            raise Hint(hint)
    return "A good image passes, six bad files get a sentence."


def _service(judge, path="/predict", method="post"):
    """A FastAPI application that answers as ``judge(content)`` says."""
    from fastapi import FastAPI, UploadFile

    app = FastAPI()

    @getattr(app, method)(path)
    def answer(image: UploadFile):
        return judge(image.file.read(11_000_000))

    return app


def _answer(content, check=_checked, status=422, sentence=str):
    from fastapi import HTTPException

    from utils import predict

    try:
        image = check(content)
    except ValueError as error:
        raise HTTPException(status, sentence(error)) from None
    found = predict.predict_skin_cancer(image)
    return {"decision": found.decision, "probability": found.probability}


def _uncaught(content):
    return _answer(_checked(content) and content)


def _large(content):
    return _answer(content, lambda given: _checked(given, largest=1e9))


@exercise(
    "deployment.2",
    hint="Copy the service above under another name. Its first line becomes a call of checked "
    "inside try; after `except ValueError as error`, str(error) is the sentence.",
    cases=lambda: {
        "right": _service(_answer),
        "wrong": [
            (_answer, "FastAPI application"),
            (_service(_answer, path="/judge"), "/predict"),
            (_service(_answer, method="put"), "post"),
            (_service(_uncaught), "fails"),
            (_service(lambda content: _answer(content, status=400)), "422"),
            (_service(lambda content: _answer(content, sentence=lambda error: "")), "sentence"),
            (_service(lambda content: {"decision": "benign"}), "probability"),
            (_service(_large), "11 million"),
            (_service(lambda content: _answer(content, lambda given: 1 / 0)), "good image"),
        ],
    },
)
def _is_safe(answer):
    from fastapi import FastAPI

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using `httpx`")  # Starlette prefers another client
        from fastapi.testclient import TestClient

    if not isinstance(answered(answer), FastAPI):
        raise Hint("safe is a FastAPI application: safe = FastAPI(), and below it the function.")
    client = TestClient(answer, raise_server_exceptions=False)

    def ask(content):
        return client.post("/predict", files={"image": content})

    reply = ask(_good())
    if reply.status_code == 404:
        raise Hint('There is nothing at "/predict": write @safe.post("/predict").')
    if reply.status_code == 405:
        raise Hint("It does not take a post: write @safe.post.")
    if reply.status_code != 200:
        raise Hint(f"For a good image the status is {reply.status_code}: {reply.text[:200]}")
    if not {"decision", "probability"} <= set(reply.json()):
        raise Hint("For a good image it answers with a decision and a probability.")
    for what, content in (
        ("a text file", b"not an image"),
        ("11 million bytes", _good() + bytes(10_900_000)),
        ("81 million pixels", _black(9000)),
    ):
        reply = ask(content)
        if reply.status_code == 200:
            raise Hint(f"It takes {what}: send the bytes through checked.")
        if reply.status_code == 500:
            raise Hint(
                f"With {what} it fails. Which line raises ValueError? That one goes into try."
            )
        if reply.status_code != 422:
            raise Hint(f"With {what} the status is {reply.status_code}, where 422 is asked for.")
        detail = reply.json().get("detail")
        if not isinstance(detail, str) or not detail:
            raise Hint("Give the sentence of the error: it is str(error).")
    return "A good image gets an answer, and bad files a sentence."


@lru_cache(maxsize=1)
def _exported():
    """Folder of a small exported model."""
    pixels = keras.Input((8, 8, 3))
    x = keras.layers.Dense(300)(keras.layers.GlobalAveragePooling2D()(pixels))
    model = keras.Model(pixels, keras.layers.Dense(40)(x))
    model.trainable = False
    folder = tempfile.mkdtemp()
    model.export(folder, verbose=False)
    return folder


def _convert(folder, optimize=True, half=True):
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    if optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if half:
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


@exercise(
    "deployment.3",
    hint="As above, with two lines between the converter and `convert`.",
    cases=lambda: {
        "blank": lambda folder: ...,
        "right": _convert,
        "wrong": [
            (lambda folder: _convert(folder, False, False), "32 bits"),
            (lambda folder: _convert(folder, True, False), "8 bits"),
            (lambda folder: Path(folder), "bytes"),
            (lambda folder: b"TFL3", "interpreter"),
            (lambda folder: None, "return"),
        ],
    },
)
def _half(answer):
    folder = _exported()
    content = answered(answer(folder))
    if not isinstance(content, bytes):
        raise Hint(f"Return the bytes that `convert` gives, not {type(content).__name__}.")
    try:
        lite.Lite(content)
    except Exception:
        raise Hint("LiteRT's interpreter cannot read what you returned.") from None
    weights = 4 * (3 * 300 + 300 * 40)  # bytes, in 32 bits
    if len(content) > 0.8 * weights:
        raise Hint("The weights still have 32 bits: set `optimizations` and `supported_types`.")
    if len(content) < 0.4 * weights:
        raise Hint("The weights have 8 bits: set `supported_types`, too.")
    return f"{len(content) / 1000:.0f} kB instead of {weights / 1000:.0f}."
