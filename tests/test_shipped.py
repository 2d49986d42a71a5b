"""The model in models/: its recipe, its figures and its card."""

import os
from itertools import islice

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from course import publish, shipped
from course.errors import CourseError
from utils import (
    backbone,
    data,
    predict,
    pretrained,
    results,
    settings,
    splits,
)
from utils.data import Lesions, synthetic

# --- from logits to a shipped model --------------------------------------------------------------


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_temperature_is_found(true):
    rng = np.random.default_rng(0)
    honest = rng.normal(size=20_000)
    y = rng.random(20_000) < 1 / (1 + np.exp(-honest))
    assert shipped.temperature(y.astype(int), true * honest) == pytest.approx(true, rel=0.06)


def test_threshold_finds_the_share_that_was_asked_for():
    y, p = np.array([0] * 5 + [1] * 10), np.linspace(0, 1, 15)
    t = shipped.threshold_for_sensitivity(y, p, 0.9)
    assert (p[y == 1] >= t).mean() == 0.9
    assert (p[y == 1] >= np.nextafter(t, 2)).mean() < 0.9


@pytest.mark.slow
def test_the_whole_recipe_in_small(tmp_path, monkeypatch, few_resamples):
    """Every step but the learning: random images, one epoch, weights that were never trained."""
    table = synthetic.metadata().iloc[::3]  # a third of it is enough
    table = splits.full(table.assign(copy_of=table["image_id"]))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (len(table), 32, 32, 3), dtype=np.uint8)
    asked = []

    def load_lesions(*given):
        asked.append(given)
        return Lesions(images, table, "folder")

    monkeypatch.setattr(data, "load_lesions", load_lesions)
    monkeypatch.setattr(pretrained, "mobilenet_v2", lambda *_: None)
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    monkeypatch.setattr(predict, "SHIPPED", tmp_path / "models" / "m.keras")
    monkeypatch.setattr(pretrained, "SHIPPED", tmp_path / "models" / "backbone.weights.h5")
    corners = models.corner_views  # two of them will do
    monkeypatch.setattr(predict, "corner_views", lambda images: islice(corners(images), 2))
    small = dict(size=32, source_size=32, epochs=1)
    shipped.make(tmp_path / "work", seeds=(0, 1), mini_seeds=(5,), **small)
    assert asked == [("folder", 32, splits.full)]  # real images, and the full split
    model, facts = predict.load_model(predict.SHIPPED)
    assert model.output.shape == (None, 1) and model.input.shape == (None, 32, 32, 3)
    found = results.committed("shipped_model")
    assert facts["split_fingerprint"] == found["split_fingerprint"] == splits.fingerprint(table)
    assert facts["threshold"] == found["threshold"]
    assert facts["training_images"] == table["image_id"][table["split"] == "train"].tolist()
    # The backbone beside it holds the same layers.
    base = backbone.mobilenet_v2(0.35, 32, 32, pretrained.SHIPPED)
    ours = model.get_layer("one_view").get_layer("Conv_1").get_weights()
    np.testing.assert_array_equal(base.get_layer("Conv_1").get_weights()[0], ours[0])
    assert len(found["ways"]["single"]["roc_auc"].seeds) == 2
    assert found["mini"]["images"] == 200
    assert len(found["mini_600"]["roc_auc"].seeds) == 1
    # Random images: nothing can be known, and nothing may be claimed.
    single = found["ways"]["single"]["roc_auc"]
    assert single.low < 0.5 < single.high
    assert "mean of 2 seeds" in publish.card()
    # No backup is left by which the next call would believe that all is done.
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("error", [ConnectionError, FileNotFoundError, ValueError])
def test_a_training_that_cannot_be_leaves_the_model_as_it_was(tmp_path, monkeypatch, error):
    def stop(*_):
        raise error("Why it cannot be.")

    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    monkeypatch.setattr(data, "load_lesions", stop)
    with pytest.raises(CourseError, match=r"is as it was\. Why it cannot be\."):
        shipped.train_shipped()


def test_figures_by_group_are_those_of_the_group_and_only_where_there_are_enough(few_resamples):
    n = 60
    table = pd.DataFrame(
        {
            "group": np.arange(n),
            "dx": ["mel" if k % 3 == 0 else "nv" for k in range(n)],
            "sex": ["female"] * 45 + ["male"] * 15,
            "age": [30.0] * 50 + [np.nan] * 10,
            "localization": ["ear"] * n,
            "dx_type": ["histo"] * n,
        }
    )
    test = Lesions(np.zeros((n, 1, 1, 3), np.uint8), table, "folder")
    probability = np.where(test.melanoma == 1, 0.9, 0.1)
    probability[0] = 0.2  # a missed melanoma, in the first group alone
    found = shipped.subgroups(test, probability, 0.5)
    counts = {name: (group["images"], group["melanomas"]) for name, group in found.items()}
    assert counts == {
        "sex: female": (45, 15),
        "sex: male": (15, 5),
        "age: up to 40": (50, 17),
        "age: 41 to 60": (0, 0),
        "age: over 60": (0, 0),
        "site: ear": (60, 20),
        "confirmed by: histo": (60, 20),
    }
    assert found["sex: female"]["sensitivity"].value == pytest.approx(14 / 15)
    assert found["site: ear"]["sensitivity"].value == pytest.approx(19 / 20)
    assert found["site: ear"]["specificity"].value == found["site: ear"]["roc_auc"].value == 1
    assert found["sex: male"].keys() == {"images", "melanomas"}


# --- what is in models/ --------------------------------------------------------------------------


def test_the_shipped_file_is_what_the_results_speak_of():
    model, facts = predict.load_model()
    found = results.committed("shipped_model")
    assert predict.SHIPPED.stat().st_size < 4_000_000
    for key in ("threshold", "temperature", "split_fingerprint", "source"):
        assert facts[key] == found[key]
    assert model.get_layer("temperature").scale == pytest.approx(1 / found["temperature"])
    assert found["source"] == "folder"


def test_the_card_agrees_with_the_results():
    card = (settings.ROOT / "models" / "README.md").read_text(encoding="utf-8")
    assert card == publish.card()
    assert "not a medical device" in card.lower()


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("HAM10K_DIR"), reason="needs the real images")
def test_the_shipped_model_has_the_figures_of_its_card():
    """Those on HAM10k-Mini's test set: 200 images in place of 1,999."""
    found = results.committed("shipped_model")
    size = found["parameters"]["source_size"]
    test = data.load_lesions("folder", size, splits.mini).subset("test")
    p = predict.melanoma_probability(test.images)
    assert roc_auc_score(test.melanoma, p) == pytest.approx(
        found["mini"]["roc_auc"].value, abs=2e-3
    )
    right = (p >= found["mini"]["threshold"]) == test.melanoma
    assert right.mean() == pytest.approx(found["mini"]["accuracy"].value, abs=0.006)
