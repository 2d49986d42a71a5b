"""Images that show no lesion: their shape, that they differ, and what cannot be made."""

import numpy as np
import pytest

from utils import other_images

LESIONS = np.random.default_rng(0).integers(90, 200, (4, 40, 40, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", other_images.OTHER_IMAGES)
@pytest.mark.parametrize("size", [28, 40])
def test_each_has_the_shape_differs_by_image_and_is_repeatable(kind, size):
    lesions = LESIONS[:, :size, :size].copy()
    made = other_images.make(kind, lesions)
    assert made.shape == lesions.shape and made.dtype == np.uint8
    assert len({one.tobytes() for one in made}) == len(made)
    np.testing.assert_array_equal(made, other_images.make(kind, lesions))
    np.testing.assert_array_equal(lesions, LESIONS[:, :size, :size])
    if kind != "inverted":
        assert (made != other_images.make(kind, lesions, seed=1)).any()


def test_blank_skin_is_a_corner_and_inverted_a_negative():
    lesions = np.full((6, 40, 40, 3), 200, np.uint8)
    lesions[:, 10:30, 10:30] = 20  # a lesion
    assert (other_images.make("blank skin", lesions) == 200).all()
    np.testing.assert_array_equal(other_images.make("inverted", lesions), 255 - lesions)


@pytest.mark.parametrize(
    ("kind", "images", "sentence"),
    [
        ("cat", LESIONS, "one of noise, text, flower, blank skin, inverted, photograph, not 'cat'"),
        ("noise", LESIONS / 255, "uint8 of shape"),
        ("noise", LESIONS[:, :20], "uint8 of shape"),
    ],
)
def test_what_cannot_be_made_is_refused(kind, images, sentence):
    with pytest.raises(ValueError, match=sentence):
        other_images.make(kind, images)
