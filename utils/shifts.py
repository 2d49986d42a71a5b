"""Images as another camera or lamp might give them: darker, blurred, JPEG, turned, recoloured.

Taught in the lesson not_a_lesion; the lesson groups estimates how light the skin beside a lesion
is."""

from io import BytesIO

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter
from scipy.ndimage import rotate

from utils.images import require_squares

SEVERITIES = (1, 2, 3, 4)
QUALITY = {1: 50, 2: 25, 3: 12, 4: 5}  # of JPEG, 100 is the best


def darker(pixels, severity):
    """15 % less light for each step."""
    return pixels * (1 - 0.15 * severity)


def blurred(pixels, severity):
    """Out of focus: a Gaussian blur, 0.8 % of the side for each step."""
    blur = ImageFilter.GaussianBlur(0.008 * severity * len(pixels))
    return np.asarray(Image.fromarray(pixels).filter(blur))


def compressed(pixels, severity):
    """JPEG of a lower and lower quality."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY[severity])
    return np.asarray(Image.open(file))


def turned(pixels, severity):
    """By 11.25 degrees for each step, so by 45 at the last; the border is mirrored outwards."""
    return rotate(pixels.astype(float), 11.25 * severity, reshape=False, order=1, mode="mirror")


def warmer(pixels, severity):
    """Another white balance: 6 % more red and 6 % less blue for each step."""
    return pixels * (1 + 0.06 * severity * np.array([1, 0, -1]))


SHIFTS = {
    "darker": darker,
    "blurred": blurred,
    "compressed": compressed,
    "turned": turned,
    "warmer": warmer,
}


def shift(name, images, severity):
    """Images changed alike.

    Parameters
    ----------
    name : str
        One of ``SHIFTS``.
    images : ndarray of uint8, shape (n, size, size, 3)
    severity : int
        1 to 4.

    Returns
    -------
    ndarray of uint8, shape (n, size, size, 3)

    Raises
    ------
    ValueError
        If there is no such shift or severity, or the images have another shape or dtype.
    """
    images = require_squares(images)
    if name not in SHIFTS or severity not in SEVERITIES:
        raise ValueError(
            f"The shift is one of {', '.join(SHIFTS)} and its severity 1 to 4, not {name!r} and "
            f"{severity!r}."
        )
    changed = [np.clip(np.rint(SHIFTS[name](pixels, severity)), 0, 255) for pixels in images]
    return np.stack(changed).astype(np.uint8)


def typology_angle(images):
    """Individual typology angle (ITA) of the border of each image: the larger, the lighter.

    ``arctan((L* - 50) / b*)`` in degrees, of the border's median colour in CIELAB: Chardon,
    Cretois & Hourseau, International Journal of Cosmetic Science 13:191, 1991. Over 55 very light,
    41 to 55 light, 28 to 41 intermediate, 10 to 28 tan, under 10 brown or dark. It depends on the
    lamp and the white balance, and the border need not be skin.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, size, size, 3)
        sRGB.

    Returns
    -------
    ndarray of float, shape (n,)
        Degrees, -90 to 90 for skin; beyond, on either side, where the border is bluish, which is
        the lamp's doing.

    Raises
    ------
    ValueError
        If the images have another shape or dtype.
    """
    images = require_squares(images)
    edge = images.shape[1] // 8
    border = np.ones(images.shape[1:3], bool)
    border[edge:-edge, edge:-edge] = False
    lightness, _, yellow = lab(np.median(images[:, border], axis=1)).T
    return np.degrees(np.arctan2(lightness - 50, yellow))


def skin_tone(angles):
    """The band of each typology angle, by the limits in ``typology_angle``.

    Parameters
    ----------
    angles : array of float, shape (n,)
        Degrees.

    Returns
    -------
    pandas.Series of category, shape (n,)
        "brown, dark", "tan", "intermediate", "light" or "very light"; "bluish" beyond 90 degrees
        on either side, where the border has no colour that skin has.
    """
    angles = pd.Series(angles)
    names = ["brown, dark", "tan", "intermediate", "light", "very light"]
    bands = pd.cut(angles, [-90, 10, 28, 41, 55, 90], labels=names)
    return bands.cat.add_categories("bluish").where(angles.abs() < 90, "bluish")


def lab(rgb):
    """CIELAB (white point D65) of sRGB colours 0..255, shape (n, 3): IEC 61966-2-1, CIE 15."""
    c = np.asarray(rgb, float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    t = linear @ np.transpose(to_xyz) / np.array([0.9505, 1, 1.089])
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
