"""Puts on images what is no part of a lesion: a ruler, hairs, dark corners, a coloured patch."""

import numpy as np
from PIL import Image, ImageDraw

from utils.images import require_squares

FINER = 4  # shapes are drawn so many times larger and made smaller again: edges are soft


def ruler(draw, size, rng):
    """A scale of dark ticks along the lower edge, every fifth of them long."""
    step = size / rng.uniform(22, 30)
    for tick in range(int(size / step) + 1):
        length = (0.09 if tick % 5 == 0 else 0.05) * size
        draw.line([(tick * step, size), (tick * step, size - length)], 255, round(size / 110))
    return 25, 25, 30


def hair(draw, size, rng):
    """Eight dark, slightly bent hairs from edge to edge, combed about one way."""
    combed, t = rng.uniform(0, np.pi), np.linspace(-1, 1, 40)
    for _ in range(8):
        heading, bend = combed + rng.normal(0, 0.3), rng.normal(0, 0.15)
        x, y = rng.uniform(0, size, 2)
        along, aside = size * t, size * bend * t**2
        xs = x + along * np.cos(heading) - aside * np.sin(heading)
        ys = y + along * np.sin(heading) + aside * np.cos(heading)
        draw.line(list(zip(xs, ys, strict=True)), 255, round(size / 140))
    return 45, 30, 25


def dark_corners(draw, size, rng):
    """The round field of a lens that does not fill the sensor; outside it is black."""
    radius = rng.uniform(0.52, 0.58) * size
    draw.rectangle([0, 0, size, size], 255)
    low, high = size / 2 - radius, size / 2 + radius
    draw.ellipse([low, low, high, high], 0)
    return 5, 5, 8


def coloured_patch(draw, size, rng):
    """A round sticker at one corner, half in the image, as used to calibrate colours."""
    x, y = rng.choice([0.06, 0.94], 2) * size
    r = 0.16 * size
    draw.ellipse([x - r, y - r, x + r, y + r], 255)
    return ((60, 110, 190), (230, 150, 40), (70, 160, 80))[rng.integers(3)]


ARTEFACTS = {
    "ruler": ruler,
    "hair": hair,
    "dark corners": dark_corners,
    "coloured patch": coloured_patch,
}


def add(name, images, seed=0):
    """Images with an artefact on each, every one a little different.

    Parameters
    ----------
    name : str
        One of ``ARTEFACTS``.
    images : ndarray of uint8, shape (n, size, size, 3)
        Left as they are.
    seed : int

    Returns
    -------
    ndarray of uint8, shape (n, size, size, 3)

    Raises
    ------
    ValueError
        If there is no such artefact, or the images have another shape or dtype.
    """
    images = require_squares(images)
    if name not in ARTEFACTS:
        raise ValueError(f"The artefact is one of {', '.join(ARTEFACTS)}, not {name!r}.")
    changed = np.empty_like(images)
    for i, pixels in enumerate(images):
        image, size = Image.fromarray(pixels), FINER * len(pixels)
        covered = Image.new("L", (size, size))
        rng = np.random.default_rng([seed, i])
        colour = ARTEFACTS[name](ImageDraw.Draw(covered), size, rng)
        image.paste(colour, mask=covered.resize(image.size, Image.Resampling.BOX))
        changed[i] = image
    return changed
