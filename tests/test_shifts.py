"""Shifts of images, and the typology angle against colours with known CIELAB values."""

import numpy as np
import pytest

from utils import shifts

IMAGES = np.random.default_rng(0).integers(60, 200, (3, 40, 40, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", shifts.SHIFTS)
def test_a_shift_grows_with_its_severity_and_leaves_the_input_alone(name):
    before = IMAGES.copy()
    smooth = np.tile(np.linspace(60, 200, 40)[:, None, None], (2, 1, 40, 3)).astype(np.uint8)
    smooth[:, 10:20, 5:30] = 30
    far = [
        np.abs(shifts.shift(name, smooth, severity).astype(float) - smooth).mean()
        for severity in shifts.SEVERITIES
    ]
    assert far == sorted(far) and far[0] > 0
    shifted = shifts.shift(name, IMAGES, 2)
    assert shifted.shape == IMAGES.shape and shifted.dtype == np.uint8
    np.testing.assert_array_equal(IMAGES, before)


def test_what_each_does_by_hand():
    plain = np.full((1, 16, 16, 3), 100, np.uint8)
    assert (shifts.shift("darker", plain, 2) == 70).all()
    assert (shifts.shift("warmer", plain, 4) == [124, 100, 76]).all()
    assert (shifts.shift("warmer", np.full_like(plain, 250), 4)[..., 0] == 255).all()
    for name in ("blurred", "turned"):
        np.testing.assert_array_equal(shifts.shift(name, plain, 4), plain)


@pytest.mark.parametrize(
    ("rgb", "lab"),  # colour-science 0.4, sRGB and D65
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_cielab(rgb, lab):
    np.testing.assert_allclose(shifts.lab([rgb])[0], lab, atol=0.1)


def test_the_typology_angle_looks_at_the_border_alone():
    light, brown = np.array([230, 190, 170]), np.array([110, 75, 55])
    images = np.stack([np.full((40, 40, 3), skin, np.uint8) for skin in (light, brown)])
    images[:, 10:30, 10:30] = 20  # a lesion
    angles = shifts.typology_angle(images)
    assert angles[0] > 55 and angles[1] < 10
    lightness, _, yellow = shifts.lab(light[None])[0]
    assert angles[0] == pytest.approx(np.degrees(np.arctan((lightness - 50) / yellow)))


def test_bands_of_skin_tone():
    angles = [60, 50, 30, 20, 5, -60, 120, -170]
    names = ["very light", "light", "intermediate", "tan", "brown, dark", "brown, dark"]
    assert list(shifts.skin_tone(angles)) == [*names, "bluish", "bluish"]


@pytest.mark.parametrize(
    ("name", "images", "severity", "sentence"),
    [
        ("snow", IMAGES, 1, "one of darker, blurred, compressed, turned, warmer and its severity"),
        ("darker", IMAGES, 5, "severity 1 to 4, not 'darker' and 5"),
        ("darker", IMAGES / 255, 1, "uint8 of shape"),
    ],
)
def test_what_cannot_be_done_is_refused(name, images, severity, sentence):
    with pytest.raises(ValueError, match=sentence):
        shifts.shift(name, images, severity)
