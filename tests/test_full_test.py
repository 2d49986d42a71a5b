"""600 images judged on all test images: by hand."""

import functools

import numpy as np

from experiments import common, full_test
from utils import baselines, results, splits
from utils.data import Lesions, synthetic


def test_the_network_is_judged_on_all_test_images_beside_the_colours(
    tmp_path, monkeypatch, few_resamples
):
    table = synthetic.metadata().assign(copy_of=lambda t: t["image_id"])

    @functools.cache  # a split takes half a second
    def split(select):
        return select(table)

    def lesions(size, select=splits.full):
        chosen = split(select)
        return Lesions(np.zeros((len(chosen), 1, 1, 3), np.uint8), chosen, "folder")

    test = lesions(28).subset("test")

    def colours(train, asked):
        assert (len(train), len(asked)) == (600, len(test))
        return {"colour baseline": [1.0 - asked.melanoma]}

    monkeypatch.setattr(common, "lesions", lesions)
    monkeypatch.setattr(common, "kept", lambda module, name, depends, make: test.melanoma * 0.2)
    monkeypatch.setattr(baselines, "baseline_probabilities", colours)
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    full_test.run()
    found = results.committed("full_test")
    for size in common.parameters("full_test")["SIZES"]:
        measured = {name: estimate.value for name, estimate in found[f"{size} px"].items()}
        assert measured == {"network": 1, "colour baseline": 0, "network minus colours": 1}
    assert found["test"]["images"] == len(test)
    assert found["test"]["melanomas"] == test.melanoma.sum()
