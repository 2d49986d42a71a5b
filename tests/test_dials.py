"""The dials: what is fed and counted, the judgement of a draw, and the record."""

import json

import numpy as np
import pandas as pd
import pytest

from experiments import dials
from utils import pretrained, results


@pytest.fixture
def without_weights(monkeypatch):
    """Random values in the place of ImageNet's weights, whichever are asked for."""
    monkeypatch.setattr(pretrained, "mobilenet_v2", lambda alpha, size: None)
    monkeypatch.setattr(pretrained, "describe", lambda path: "trained at 96 px, trained at 224 px")


@pytest.mark.parametrize(("name", "low", "high"), [("0 to 1", 0, 1), (dials.RIGHT, -1, 1)])
def test_a_network_is_fed_in_its_range(without_weights, name, low, high):
    model, base = dials.network(name)
    (scale,) = (x for x in model.layers if type(x).__name__ == "Rescaling")
    fed = np.asarray(scale(np.array([[0.0, 255.0]])))
    assert fed == pytest.approx(np.array([[low, high]]))
    assert base.output.shape == (None, 1280)


def test_weights_of_another_size_are_refused(monkeypatch):
    monkeypatch.setattr(pretrained, "mobilenet_v2", lambda alpha, size: None)
    monkeypatch.setattr(pretrained, "describe", lambda path: "trained at 224 px")
    with pytest.raises(FileNotFoundError, match="at 96 px are not here"):
        dials.network(dials.RIGHT)


@pytest.mark.slow
def test_probes_learn_from_training_alone_and_answer_for_what_is_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    rng = np.random.default_rng(0)
    mini = pd.DataFrame(
        {"dx": ["mel", "nv"] * 50, "split": ["train"] * 60 + ["validation"] * 20 + ["test"] * 20}
    ).assign(image_id=lambda t: t.index.astype(str))
    melanoma = (mini["dx"] == "mel").to_numpy()
    images = rng.integers(0, 256, (100, 28, 28, 3), dtype=np.uint8)
    useless = rng.normal(size=(100, 4))
    telling = useless + 9 * melanoma[:, None]
    misleading = np.where((mini["split"] == "test").to_numpy()[:, None], -telling, telling)
    found = dict.fromkeys(dials.NETWORKS, useless)
    found |= {dials.RIGHT: misleading, "0 to 1": -telling, "0 to 255": telling}
    rows = np.arange(100)
    p = dials.of_draw(mini, images, found, rows, list(rows[60:]))
    judged = dials.judge(mini[60:80], p[:, :20])
    assert judged[dials.RIGHT] == judged["0 to 1"] == judged["later: 0 to 255"] == 1
    assert judged["later: 0 to 1"] == 0
    assert 0.1 < judged["random 0"] < 0.9
    assert 0 <= judged[dials.COLOURS] <= 1
    on_test = dials.judge(mini[80:], p[:, 20:])
    assert on_test[dials.RIGHT] == 0 and on_test["0 to 255"] == 1


def test_a_draw_is_not_judged_on_lesions_that_it_was_trained_on(few_resamples):
    rng = np.random.default_rng(0)
    test = pd.DataFrame({"dx": ["mel", "nv"] * 100, "group": [f"g{i // 2}" for i in range(200)]})
    melanoma = (test["dx"] == "mel").to_numpy()
    trained = [test["group"][:100], test["group"][:0]]
    guessed = rng.random((2, 200))
    known = np.where(np.arange(200) < 100, melanoma, guessed[0])  # by heart what it was trained on
    names = [dials.RIGHT, dials.COLOURS, *dials.RANDOMS]
    answers = [dict.fromkeys(names, known), dict.fromkeys(names, guessed[1])]
    found = dials.on_test(test, answers, trained)
    new = [
        dials.auc_of_new(melanoma, p) for p in (np.where(test.index < 100, -1, known), guessed[1])
    ]
    assert found["ImageNet"]["value"] == pytest.approx(np.mean(new)) and np.mean(new) < 0.65
    assert found["ImageNet minus random"]["value"] == 0
    assert (found["images"], found["fewest"], found["most"]) == (200, 100, 200)


def test_the_committed_record_is_of_these_networks():
    kept = json.loads((results.COMMITTED / "dials.json").read_text())
    assert set(dials.NETWORKS) <= set(kept["roc_auc"])
    grid = pd.DataFrame(kept["grid"])
    settings = zip(grid["width"], grid["input"], strict=True)
    assert [f"width {width:.0%}, input {size}" for width, size in settings] == list(dials.GRID)
    assert (grid.groupby("width")["parameters"].nunique() == 1).all()
    assert grid["auc"].tolist() == [kept["roc_auc"][name]["value"] for name in dials.GRID]
    mean = np.mean(kept["roc_auc"][dials.RIGHT]["seeds"])
    assert kept["roc_auc"][dials.RIGHT]["value"] == pytest.approx(mean)
