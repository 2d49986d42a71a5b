"""The model in models/: its recipe, its figures, and the records that speak of it."""

import os

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from sklearn.metrics import roc_auc_score

from course.build import pages
from experiments import common, ensemble, recipe, shipped_model
from experiments.shipped import calibrate, export, judge, limits, train
from utils import (
    backbone,
    data,
    lite,
    other_images,
    predict,
    pretrained,
    results,
    serve,
    settings,
    splits,
    training,
)
from utils.data import Lesions, synthetic
from utils.quiet import keras

# --- from logits to a shipped model --------------------------------------------------------------


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_temperature_is_found(true):
    rng = np.random.default_rng(0)
    honest = rng.normal(size=20_000)
    y = rng.random(20_000) < 1 / (1 + np.exp(-honest))
    assert calibrate.temperature(y.astype(int), true * honest) == pytest.approx(true, rel=0.06)


def tiny(shape, alpha, include_top, weights, input_tensor=None):
    """Takes the place of Keras's MobileNetV2, with names of its layers: quick to build."""
    given = keras.Input(shape) if input_tensor is None else input_tensor
    x = given
    for name in limits.LAYERS:
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same", name=f"{name}_conv")(x)
        x = keras.layers.BatchNormalization(name=name)(x)
    x = keras.layers.ReLU(name=limits.LAST)(keras.layers.Conv2D(9, 1, name="Conv_1")(x))
    return keras.Model(keras.utils.get_source_inputs(given), x)


@pytest.mark.slow
def test_the_whole_recipe_in_small(tmp_path, monkeypatch, few_resamples):
    """Every step but the learning: random images, one epoch of a tiny network."""
    monkeypatch.setattr(splits, "MINI_SIZES", (150, 50, 50))
    table = synthetic.metadata().iloc[::10]
    table = splits.full(table.assign(copy_of=table["image_id"]))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (len(table), 32, 32, 3), dtype=np.uint8)
    asked = yaml.safe_load(common.PARAMETERS.read_text())
    asked["train"] |= {"size": 32, "source_size": 32, "epochs": 1}
    asked["limits"] |= {"others": 20}
    asked |= {"recipe": {"seeds": [0], "mini_seeds": [5]}, "ensemble": {"seeds": [1]}}
    settings.write_json(tmp_path / "params.yaml", asked)  # JSON is YAML
    path = tmp_path / "models" / "m.keras"
    monkeypatch.setattr(common, "PARAMETERS", tmp_path / "params.yaml")
    monkeypatch.setattr(common, "lesions", lambda size: Lesions(images, table, "folder"))
    monkeypatch.setattr(keras.applications, "MobileNetV2", tiny)
    monkeypatch.setattr(pretrained, "mobilenet_v2", lambda *_: None)
    monkeypatch.setattr(pretrained, "SHIPPED", tmp_path / "models" / "backbone.weights.h5")
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    monkeypatch.setattr(predict, "SHIPPED", path)
    monkeypatch.setattr(predict.load_model, "__defaults__", (path,))
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))

    train.run()
    facts = predict.load_model()[1]
    assert facts["temperature"] == 1 and facts["threshold"] == 0.5
    assert "guard" not in facts
    export.run()
    monkeypatch.setattr(serve, "shipped", lambda: lite.Shipped(path))
    found = serve.answer(serve.png(Image.fromarray(images[0])))  # it can serve
    assert found.decision in ("benign", "melanoma") and found.threshold == 0.5
    assert found.threshold_chosen_for == serve.NOT_CHOSEN
    calibrate.run()
    temperature = predict.load_model()[1]["temperature"]
    with pytest.raises(ValueError, match="another training, temperature or layer"):
        lite.Shipped(path)
    limits.run()
    export.run()
    shipped, expected = lite.Shipped(path), predict.predict_skin_cancer(images[0], path)
    assert shipped(images[0]).probability == pytest.approx(expected.probability, abs=1e-4)
    assert shipped(images[0]).decision == expected.decision
    model, facts = predict.load_model()
    assert model.output.shape == (None, 1) and model.input.shape == (None, 32, 32, 3)
    assert facts["temperature"] == temperature != 1
    validation = common.lesions(32).subset("validation")
    p = predict.melanoma_probability(validation.images, model)
    expected = shipped_model.threshold_for_sensitivity(validation.melanoma, p, 0.9)
    assert facts["threshold"] == pytest.approx(expected, rel=1e-3)
    kinds = set(other_images.OTHER_IMAGES) - {limits.UNSEEN}
    assert all(found.keys() == kinds for found in facts["guard"]["auc_by_layer"].values())
    judge.run()
    found = results.committed("shipped_model")
    for name in ("split_fingerprint", "model_sha256", "threshold", "temperature"):
        assert found[name] == facts[name]
    assert found["mini"]["images"] == 50
    # The same training, saved again, would be another file; another fact makes it one.
    saved = path.read_bytes()
    train.run()
    assert path.read_bytes() == saved
    asked["train"]["threads"] = 1
    settings.write_json(tmp_path / "params.yaml", asked)
    train.run()
    assert path.read_bytes() != saved
    # The backbone beside it holds the same layers.
    base = backbone.mobilenet_v2(0.35, 32, 32, pretrained.SHIPPED)
    ours = model.get_layer("one_view").get_layer("Conv_1").get_weights()
    np.testing.assert_array_equal(base.get_layer("Conv_1").get_weights()[0], ours[0])
    # The same recipe in other experiments: the first seed's training comes from disk.
    trained, batches = [], training.batches
    monkeypatch.setattr(training, "batches", lambda *a: trained.append(len(a[0])) or batches(*a))
    recipe.run()
    ensemble.run()
    assert trained == [150, (table["split"] == "train").sum()]
    found = results.committed("recipe")
    single = found["ways"]["single"]["roc_auc"]
    assert len(single.seeds) == len(found["mini_600"]["roc_auc"].seeds) == 1
    assert single.low < 0.6 and single.high > 0.4  # random images: nothing may be claimed
    found = results.committed("ensemble")
    assert found["seeds"] == [0, 1] and len(found["balanced_accuracy"]["single"]) == 2


def test_figures_by_group_are_those_of_the_group_and_only_where_there_are_enough(few_resamples):
    """Enough lesions: of the men's ten images of melanomas most show one a second time."""
    k = np.arange(75)
    melanoma = k % 3 == 0
    table = pd.DataFrame(
        {
            "group": np.where(melanoma & (k >= 45), 1000 + k // 6, k),
            "dx": np.where(melanoma, "mel", "nv"),
            "sex": np.where(k < 45, "female", "male"),
            "age": np.where(k < 50, 30.0, np.nan),
            "localization": "ear",
            "dx_type": "histo",
        }
    )
    test = Lesions(np.zeros((75, 1, 1, 3), np.uint8), table, "folder")
    probability = np.where(melanoma, 0.9, 0.1)
    probability[0] = 0.2  # a missed melanoma, in the first group alone
    found = judge.subgroups(test, probability, 0.5)
    names = ("images", "melanomas", "lesions", "melanoma_lesions")
    assert {name: tuple(group[n] for n in names) for name, group in found.items()} == {
        "sex: female": (45, 15, 45, 15),
        "sex: male": (30, 10, 26, 6),
        "age: up to 40": (50, 17, 50, 17),
        "age: 41 to 60": (0, 0, 0, 0),
        "age: over 60": (0, 0, 0, 0),
        "site: ear": (75, 25, 71, 21),
        "confirmed by: histo": (75, 25, 71, 21),
    }
    assert found["sex: female"]["sensitivity"].value == pytest.approx(14 / 15)
    assert found["site: ear"]["sensitivity"].value == pytest.approx(24 / 25)
    assert found["site: ear"]["specificity"].value == found["site: ear"]["roc_auc"].value == 1
    assert found["sex: male"].keys() == set(names)


# --- what is in models/, and the records ---------------------------------------------------------


def test_the_shipped_file_is_what_the_results_speak_of():
    model, facts = predict.load_model()
    found = results.committed("shipped_model")
    assert predict.SHIPPED.stat().st_size < 4_000_000
    for key in ("threshold", "temperature", "source"):
        assert facts[key] == found[key]
    assert model.get_layer("temperature").scale == pytest.approx(1 / found["temperature"])


STAGES = yaml.safe_load((settings.ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


@pytest.mark.parametrize("name", [n for n in STAGES if f"results/{n}.json" in str(STAGES[n])])
def test_a_record_belongs_to_the_shipped_model_and_to_the_split(name):
    found, stage = results.committed(name), STAGES[name]
    if found is None and name in pages.OPTIONAL:
        pytest.skip("not recorded yet: the pages do without it")
    facts = predict.load_model()[1]
    if "models/melanoma_mobilenetv2.keras" in stage.get("deps", ()):
        assert found["model_sha256"] == facts["model_sha256"]
    if stage.get("meta") == {"needs": "images"}:
        assert found["source"] == "folder"
    if "split_fingerprint" in found:
        mini = results.committed("ten_draws")["split_fingerprints"][0]
        split = mini if name == "cached_prefix" else facts["split_fingerprint"]
        assert found["split_fingerprint"] == split


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
