"""Images that show no lesion: noise, text, flowers, blank skin, negatives, photographs.

For testing what a model answers when it should not answer at all. Taught in the lesson
not_a_lesion."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_images

from utils.images import require_squares

WORDS = ["this", "page", "shows", "no", "lesion", "a", "model", "must", "not", "answer", "it"]


def noise(pixels, rng):
    """Random colours in squares of a random size."""
    size = len(pixels)
    cells = int(rng.integers(4, size + 1))
    drawn = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
    return drawn.resize((size, size), Image.Resampling.BILINEAR)


def text(pixels, rng):
    """Dark words on a pale page."""
    size = len(pixels)
    page = Image.new("RGB", (size, size), tuple(int(v) for v in rng.integers(200, 256, 3)))
    draw, height = ImageDraw.Draw(page), max(6, int(size * rng.uniform(0.06, 0.14)))
    ink = tuple(int(v) for v in rng.integers(0, 90, 3))
    for top in range(0, size, int(1.3 * height)):
        line = " ".join(rng.choice(WORDS, 12))
        draw.text((0, top), line, ink, ImageFont.load_default(height))
    return page


def flower(pixels, rng):
    """Petals around a centre, on leaves."""
    size = 4 * len(pixels)  # drawn larger and made smaller again: edges are soft
    image = Image.new("RGB", (size, size), (40, int(rng.integers(80, 150)), 50))
    draw = ImageDraw.Draw(image)
    colour = [(220, 60, 90), (240, 200, 40), (240, 240, 245), (150, 80, 200)][rng.integers(4)]
    x, y = size * rng.uniform(0.35, 0.65, 2)
    petals, radius = int(rng.integers(5, 12)), size * rng.uniform(0.18, 0.3)
    for angle in rng.uniform(0, 6) + np.arange(petals) * 2 * np.pi / petals:
        a, b = x + radius * np.cos(angle), y + radius * np.sin(angle)
        r = 2.2 * radius / petals + radius / 5
        draw.ellipse([a - r, b - r, a + r, b + r], colour)
    r = radius / 2
    draw.ellipse([x - r, y - r, x + r, y + r], (200, 140, 30))
    return image.resize((len(pixels), len(pixels)), Image.Resampling.BOX)


def blank_skin(pixels, rng):
    """A corner of the image, enlarged: skin beside a lesion."""
    size = len(pixels)
    side = size // 5
    x, y = (int(v) for v in rng.choice([0, size - side], 2))
    corner = Image.fromarray(pixels).crop((x, y, x + side, y + side))
    return corner.resize((size, size), Image.Resampling.BICUBIC)


def inverted(pixels, rng):
    """The image as a negative."""
    return 255 - pixels


@lru_cache(maxsize=1)
def _photographs():
    return load_sample_images().images  # a temple and a flower; they come with scikit-learn


def photograph(pixels, rng):
    """A random part of one of scikit-learn's two sample photographs."""
    whole = _photographs()[rng.integers(2)]
    side = int(rng.integers(120, 400))
    y, x = (int(rng.integers(0, length - side)) for length in whole.shape[:2])
    part = Image.fromarray(whole[y : y + side, x : x + side])
    return part.resize(pixels.shape[1::-1], Image.Resampling.BOX)


OTHER_IMAGES = {
    "noise": noise,
    "text": text,
    "flower": flower,
    "blank skin": blank_skin,
    "inverted": inverted,
    "photograph": photograph,
}


def make(name, images, seed=0):
    """As many images that show no lesion, every one a little different.

    Parameters
    ----------
    name : str
        One of ``OTHER_IMAGES``.
    images : ndarray of uint8, shape (n, size, size, 3)
        Of lesions: "blank skin" and "inverted" are made from them, all others take their size.
    seed : int

    Returns
    -------
    ndarray of uint8, shape (n, size, size, 3)

    Raises
    ------
    ValueError
        If there is no such kind, or the images have another shape or dtype.
    """
    images = require_squares(images)
    if name not in OTHER_IMAGES:
        raise ValueError(f"The kind is one of {', '.join(OTHER_IMAGES)}, not {name!r}.")
    draw = OTHER_IMAGES[name]
    made = [draw(p, np.random.default_rng([seed, i])) for i, p in enumerate(images)]
    return np.stack([np.asarray(image, np.uint8) for image in made])
