"""Exercises of the lesson deployment."""

import io
import struct
import tempfile
import time
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from utils import lite
from utils.exercises.registry import Hint, answered, exercise, number
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
        raise ValueError("too large")
    try:
        image = Image.open(io.BytesIO(content))
        if image.width * image.height > pixels:
            raise ValueError("too many pixels")
        if load:
            image.load()
    except caught:
        raise ValueError("no image") from None
    return image.convert("RGB") if load else Image.new("RGB", image.size)


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
    "deployment.2",
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


def _median_ms(call, n):
    call()
    taken = []
    for _ in range(n):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return 1000 * np.median(taken)


class _Call:
    """Takes a known time: long at first, then short, with one long outlier."""

    def __init__(self):
        self.times = 0

    def __call__(self):
        self.times += 1
        time.sleep({1: 0.15, 5: 0.2}.get(self.times, 0.01))


def _mean_ms(call, n):
    call()
    start = time.perf_counter()
    for _ in range(n):
        call()
    return 1000 * (time.perf_counter() - start) / n


@exercise(
    "deployment.3",
    hint="A list, a loop, `time.perf_counter()` before and after each call, `np.median` last.",
    blank=lambda call, n: ...,
    right=_median_ms,
    wrong=[
        (lambda call, n: _median_ms(call, n) / 1000, "milliseconds"),
        (_mean_ms, "median"),
        (lambda call, n: _median_ms(call, 2), "n times"),
        (lambda call, n: n * [call()], "one number"),
        (lambda call, n: None, "return"),
    ],
)
def _timed(answer):
    call = _Call()
    found = number(answer(call, 9))
    if call.times not in (9, 10):
        raise Hint(f"You called it {call.times} times: once before, and then n times.")
    if found < 1:
        raise Hint("That looks like seconds: we want milliseconds.")
    if found > 25:
        raise Hint("One call in nine is slow. The median ignores it, the mean does not.")
    if found < 9:
        raise Hint("That is too short: take the time before and after each call.")
    return f"{found:.0f} ms."
