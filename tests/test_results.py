"""What lessons record, and how it is read again."""

import json
import math
import time

import numpy as np
import pandas as pd
import pytest

from utils import evaluation, results, splits
from utils.data import Lesions
from utils.evaluation import Estimate


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    monkeypatch.setenv("COURSE_RESULTS_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def lesions():
    table = pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(12)],
            "group": [f"g{k // 2}" for k in range(12)],
            "dx": ["mel" if k % 4 < 2 else "nv" for k in range(12)],
            "split": np.repeat(["train", "validation", "test"], 4),
        }
    )
    return Lesions(np.zeros((12, 28, 28, 3), np.uint8), table, "folder")


def test_a_result_can_be_repeated_and_is_strict_json(own, lesions):
    undefined = Estimate(math.nan, math.nan, math.nan)
    judged = [
        evaluation.Evaluation(
            name,
            {"roc_auc": Estimate(0.75, 0.5, 1.0), "precision": undefined},
            np.array([[2, 0], [1, 1]]),
            0.25,
            4,
            2,
        )
        for name in ("MobileNetV2", "majority class")
    ]
    p = np.array([0.1, 0.2, 0.30000049, 0.9], np.float32)
    settings = {"ALPHA": 0.35, "SIZE": 28}
    path = results.record("00_x-seed3", judged, lesions, p, 3, settings, "ImageNet")
    assert path == own / "00_x-seed3.json"
    content = json.loads(path.read_text(), parse_constant=pytest.fail)  # NaN is no JSON
    versions = content.pop("versions")
    assert {"python", "keras", "tensorflow", "numpy"} <= versions.keys()
    nothing = {"value": None, "low": None, "high": None}
    model = {
        "metrics": {"roc_auc": {"value": 0.75, "low": 0.5, "high": 1.0}, "precision": nothing},
        "confusion": [[2, 0], [1, 1]],
        "threshold": 0.25,
        "n_images": 4,
        "n_lesions": 2,
    }
    assert content == {
        "headline": {"name": "roc_auc", "value": 0.75, "low": 0.5, "high": 1.0},
        "source": "folder",
        "split_fingerprint": splits.fingerprint(lesions.table),
        "parameters": settings,
        "seed": 3,
        "weights": "ImageNet",
        "models": {"MobileNetV2": model, "majority class": model},
        "test": {
            "image_id": ["i8", "i9", "i10", "i11"],
            "group": ["g4", "g4", "g5", "g5"],
            "melanoma": [1, 1, 0, 0],
            "probability": [0.1, 0.2, 0.3, 0.9],
        },
    }


def test_estimates_stand_anywhere_in_findings_and_are_read_again(own, lesions):
    gain = Estimate(0.02, -0.01, 0.05, (0.01, 0.03))
    findings = {"rungs": [{"gain": gain, "n": 5}], "share": math.nan}
    results.keep("x", "folder", lesions.table, {}, findings, ("gain", gain))
    found = results.committed("x")
    assert found["rungs"] == [{"gain": gain, "n": 5}] and found["share"] is None
    assert found["headline"] == {"name": "gain", "value": 0.02, "low": -0.01, "high": 0.05}
    assert results.committed("y") is None


def test_a_list_of_numbers_takes_one_line(own, lesions):
    findings = {"swing": [0.1, 0.2], "confusion": [[1, 2], [3, 4]], "odd [": "two  blanks ]"}
    path = results.keep("x", "folder", lesions.table, {}, findings)
    text = path.read_text()
    assert ' "swing": [ 0.1, 0.2 ],\n "confusion": [\n  [ 1, 2 ],\n  [ 3, 4 ]\n ],\n' in text
    assert results.committed("x")["odd ["] == "two  blanks ]"


def test_an_experiments_record_says_where_its_numbers_come_from(own):
    began = time.monotonic() - 60
    gain = Estimate(0.02, -0.01, 0.05)
    results.commit("x", {"gain": gain}, "folder", {"SIZE": 28}, began, model_sha256="e0")
    found = results.committed("x")
    assert found.pop("seconds") == pytest.approx(60, abs=5)
    assert found == {
        "source": "folder",
        "model_sha256": "e0",
        "parameters": {"SIZE": 28},
        "versions": results.versions(),
        "gain": gain,
    }
    results.commit("x", {}, None, {}, began)
    assert "source" not in results.committed("x")


def test_numbers_of_drawn_lesions_are_not_committed(own):
    results.commit("x", {"n": 1}, "folder", {}, 0)
    with pytest.raises(ValueError, match=r"results/x.json was not written: its lesions are drawn"):
        results.commit("x", {"n": 2}, "synthetic", {}, 0)
    assert results.committed("x")["n"] == 1


def test_every_committed_figure_is_strict_json_with_its_interval_in_one_way():
    files = sorted(results.COMMITTED.glob("*.json"))
    assert len(files) >= 10

    def check(kept):
        assert not {"interval", "nine colour numbers", "constant answer"} & kept.keys()
        assert not {"mean", "low"} <= kept.keys()
        return kept

    for path in files:
        json.loads(path.read_text(), parse_constant=pytest.fail, object_hook=check)
