"""Heat maps measured against masks and by removing what they mark: by hand."""

import numpy as np
import pytest

from experiments import attribution
from utils.quiet import keras

layers = keras.layers
FACTS = {"temperature": 1.0}


def test_measures_are_paired_where_there_is_a_map():
    masks = np.zeros((4, 8, 8), bool)
    masks[:, 2:6, 2:6] = True
    half = np.zeros((4, 8, 8))
    half[:, 2:6, 4:8] = 1
    half[:, 3, 3] = 2  # 2 of 18 parts more, and the largest
    half[0] = 0
    maps = {"map": half, "blob": masks.astype(float), "random": np.ones((4, 8, 8))}
    flat = np.full((4, 3), 0.5)
    curves = {"map": flat * [2, 1, 0], "blob": flat, "random": flat * 2}
    curves["map"][0] = 9  # belongs to an empty map
    found = attribution.measured(maps, masks, curves)
    assert found["empty"] == 1
    assert found["share"]["map"].value == pytest.approx(10 / 18)
    assert found["share"]["minus_blob"].value == pytest.approx(10 / 18 - 1)
    assert found["share"]["minus_random"].value == pytest.approx(10 / 18 - 1 / 4)
    assert found["points"]["map"].value == 1 and found["points"]["minus_random"].value == 1
    assert found["area"]["map"].value == 0.5 and found["area"]["minus_random"].value == -0.5
    assert found["curves"]["map"] == [1, 0.5, 0]
    each = {kind: pytest.approx(one, nan_ok=True) for kind, one in found["each"].items()}
    assert each["map"] == [np.nan, *[0.5556] * 3] and each["blob"] == [1] * 4
    assert each["probability"] == [9, 1, 1, 1]


@pytest.fixture
def network():
    """Its logit is the brightest red."""
    kernel = np.array([[1 / 255], [0], [0]])
    last = layers.Dense(1, name="logits")
    model = keras.Sequential([keras.Input((16, 16, 3)), layers.GlobalMaxPooling2D(), last])
    last.set_weights([kernel, np.zeros(1)])
    return model


def test_removal_goes_by_the_map_and_where_that_is_silent_by_the_other(network):
    images = np.zeros((1, 16, 16, 3), np.uint8)
    images[0, 3, 3] = 255
    marks, empty = images[..., 0] / 255, np.zeros((1, 16, 16))
    first = attribution.removal(network, images, marks, empty, 4, FACTS)
    last = attribution.removal(network, images, empty, -marks, 4, FACTS)
    assert first.shape == (1, 5) and (first[0, 1:] < first[0, 0]).all()
    assert (last[0, :4] == last[0, 0]).all() and last[0, 4] == first[0, 4]


def test_random_heads_leave_the_network_as_it_was():
    network = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(4, 3)])
    network.add(layers.GlobalAveragePooling2D())
    network.add(layers.Dense(1, name="logits"))
    before = network.get_weights()
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    maps = np.stack(list(attribution.random_heads(network, images, 3, seed=0)))
    assert maps.shape == (3, 2, 16, 16) and not np.array_equal(maps[0], maps[1])
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_map_is_compared_with_each_random_head():
    masks = np.zeros((3, 2, 2), bool)
    masks[:, 0] = True
    inside, everywhere = masks.astype(float), np.ones((3, 2, 2))
    everywhere[:, 0] = 3
    mostly = inside.copy()
    mostly[1] = 1  # shares of 1, 1/2 and 1
    found = attribution.against_heads(
        mostly, [inside, inside * [[[0]], [[1]], [[1]]], everywhere], masks
    )
    assert found["heads"] == 3 and found["share"]["as_high"] == 2
    # Paired, and without the image where the second head's map is empty: -1/6, -1/4, +1/12.
    assert found["share"]["mean_difference"] == pytest.approx(-1 / 9)
