"""Heat maps measured on drawn masks: by hand."""

import numpy as np
import pytest

from experiments import attribution


def test_shares_and_points_are_paired_with_the_blob():
    masks = np.zeros((4, 8, 8), bool)
    masks[:, 2:6, 2:6] = True
    good, half, empty = masks.astype(float), np.zeros((4, 8, 8)), np.zeros((4, 8, 8))
    half[:, 2:6, 4:8] = 1
    half[:, 3, 3] = 2  # 2 of 18 parts more, and the largest
    good[0] = 0
    blob = np.ones((4, 8, 8))
    maps = {"good": good, "half": half, "empty": empty + good * 0.5, "centre blob": blob}
    found = attribution.measured(maps, masks)
    assert found["good"]["empty"] == 1
    assert found["good"]["share_inside"]["value"] == 1
    assert found["good"]["share_inside_minus_blob"]["value"] == pytest.approx(0.75)
    assert found["half"]["share_inside"]["value"] == pytest.approx(10 / 18)
    assert found["half"]["points_inside"]["value"] == 1
    assert found["centre blob"]["points_inside_minus_blob"]["value"] == 0
