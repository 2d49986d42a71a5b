"""What is put on images: where it lies, that it changes nothing else, and how it is judged."""

import json

import numpy as np
import pandas as pd
import pytest

from experiments import artefacts as experiment
from experiments import common, shipped_model
from utils import artefacts, predict, results
from utils.data import Lesions

WHITE = np.full((8, 96, 96, 3), 250, np.uint8)


def changed(name, seed=0):
    return (artefacts.add(name, WHITE, seed) != WHITE).any(axis=-1)


@pytest.mark.parametrize("name", artefacts.ARTEFACTS)
def test_each_is_there_differs_by_image_and_seed_and_leaves_the_input_alone(name):
    where = changed(name)
    assert (where.mean(axis=(1, 2)) > 0.005).all() and (where.mean(axis=(1, 2)) < 0.3).all()
    assert len({one.tobytes() for one in where}) > 1 and (where != changed(name, 1)).any()
    np.testing.assert_array_equal(where, changed(name))
    assert (WHITE == 250).all()


def test_where_they_lie():
    assert not changed("ruler")[:, :84].any() and changed("ruler")[:, -1].any()
    corners = changed("dark corners")
    assert corners[:, 0, 0].all() and corners[:, -1, -1].all() and not corners[:, 48, 48].any()
    assert not changed("coloured patch")[:, 30:66, 30:66].any()
    assert (artefacts.add("hair", WHITE)[changed("hair")] < 250).any(axis=-1).all()


@pytest.mark.parametrize(
    ("name", "images", "sentence"),
    [
        ("snow", WHITE, "one of ruler, hair, dark corners, coloured patch, not 'snow'"),
        ("hair", WHITE / 255, "uint8 of shape"),
        ("hair", WHITE[0], "uint8 of shape"),
        ("hair", WHITE[:, :50], "uint8 of shape"),
    ],
)
def test_what_cannot_be_done_is_refused(name, images, sentence):
    with pytest.raises(ValueError, match=sentence):
        artefacts.add(name, images)


def test_the_shipped_models_answers_are_compared_lesion_by_lesion(tmp_path, monkeypatch):
    """A model that calls dark images melanoma, on ten lesions with two photographs each."""
    n = 20
    table = pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(n)],
            "group": np.arange(n) // 2,
            "dx": ["mel" if k // 2 % 2 else "nv" for k in range(n)],
            "split": ["test"] * n,
        }
    )
    images = np.full((n, 32, 32, 3), 250, np.uint8)
    images[table["dx"] == "mel"] = 90
    images += np.arange(n, dtype=np.uint8)[:, None, None, None] // 4  # not all alike
    facts = {
        "threshold": 0.5,
        "source_size": 32,
        "split_fingerprint": "s",
        "model_sha256": "m",
        "temperature": 1.0,
    }
    monkeypatch.setattr(predict, "load_model", lambda: ("model", facts))
    monkeypatch.setattr(shipped_model, "asked", lambda model, x: 1 - x.mean(axis=(1, 2, 3)) / 255)
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    monkeypatch.setattr(common, "lesions", lambda size: Lesions(images, table, "folder"))
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    experiment.run()
    found = json.loads((tmp_path / "artefacts.json").read_text(), parse_constant=pytest.fail)
    assert found["lesions"] == {"not melanoma": 5, "melanoma": 5}
    assert found["alarms"] == {"not melanoma": 0, "melanoma": 1}
    for name in artefacts.ARTEFACTS:
        moved = found["artefacts"][name]["not melanoma"]["probability"]
        assert 0 < moved["low"] < moved["value"] < moved["high"] < 0.5, name
    assert found["artefacts"]["ruler"]["melanoma"]["alarms"]["value"] == 0
