"""From scratch or from ImageNet's weights: what differs between the trainings, and the record."""

import json

import numpy as np
import pytest

from experiments import common, from_scratch
from utils import data, pretrained, results, splits, training
from utils.data import Lesions, synthetic
from utils.quiet import keras


@pytest.fixture(scope="module")
def lesions():
    """Drawn lesions' table with black images that claim to be real."""
    table = splits.full(synthetic.metadata().assign(copy_of=lambda t: t["image_id"]))
    return Lesions(np.zeros((len(table), 8, 8, 3), np.uint8), table, "folder")


@pytest.mark.slow
def test_only_weights_and_epochs_differ(lesions, monkeypatch, tmp_path):
    """Random weights are what Keras draws: each seed others, none of them ImageNet's."""
    fetched, called, first = [], [], []

    def all_layers(model, images, labels, size, backup, epochs, **how):
        called.append((len(labels), set(labels) <= set(range(len(data.DX))), size, epochs, how))
        first.append(model.get_layer("Conv1").get_weights()[0])

    monkeypatch.setattr(training, "all_layers", all_layers)
    monkeypatch.setattr(pretrained, "mobilenet_v2", lambda *asked: fetched.append(asked))
    monkeypatch.setattr(common, "melanoma_probability", lambda _, images: np.zeros(len(images)))
    for way in from_scratch.WAYS:
        from_scratch.train(lesions, lesions.subset("test"), way, 1, tmp_path / "x")
    assert fetched == [(0.35, 96)]
    assert np.array_equal(first[1], first[2])
    (n, known, size, epochs, how), again, longer = called
    assert (n, known, size) == (600, True, 64) and how["seed"] == 1
    assert again == called[0] and longer == (n, known, size, 3 * epochs, how)
    keras.backend.clear_session()


def test_it_is_recorded_by_paired_differences(lesions, tmp_path, monkeypatch, few_resamples):
    def train(lesions, test, way, seed, backup):
        better = 0.2 if way == "ImageNet" else 0
        rng = np.random.default_rng(seed)
        return np.clip(0.3 + better * test.melanoma + rng.normal(0, 0.1, len(test)), 0, 1)

    monkeypatch.setattr(common, "lesions", lambda size: lesions)
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    monkeypatch.setattr(from_scratch, "train", train)
    from_scratch.run()
    found = json.loads((tmp_path / "from_scratch.json").read_text(), parse_constant=pytest.fail)
    assert set(found["roc_auc"]) == set(from_scratch.WAYS)
    assert len(found["gains"]) == 2
    for gain in found["gains"].values():
        assert gain["low"] > 0 and len(gain["seeds"]) == 3
    assert found["n_images"] == len(lesions.subset("test"))
