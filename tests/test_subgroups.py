"""For whom the shipped model works: what is recorded, on answers made by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from experiments import common, shipped_model, subgroups
from utils import evaluation, guard, lite, predict, results, shifts
from utils.data import Lesions


def people(n=400, seed=0):
    """Age says much, the site nothing; the probability says something."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(20, 90, n)
    melanoma = (rng.random(n) < np.where(age > 60, 0.7, 0.1)).astype(int)
    return pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.05, np.nan, age),
            "sex": rng.choice(["female", "male"], n),
            "localization": rng.choice(["back", "face"], n),
            "dx_type": np.where(melanoma == 1, "histo", rng.choice(["histo", "follow_up"], n)),
            "melanoma": melanoma,
            "probability": np.clip(rng.normal(0.3 + 0.2 * melanoma, 0.15), 0, 1),
            "group": np.arange(n),
        }
    )


def test_what_helps_beside_the_image_is_found(few_resamples):
    found = subgroups.beside(people(), people(seed=1))
    alone = found["image alone"]["roc_auc"]
    table = people(seed=1)  # the order of the log-odds is that of the probabilities
    expected = evaluation.roc_auc(table["melanoma"], table["probability"].clip(1e-5, 1 - 1e-5))
    assert alone["value"]["value"] == pytest.approx(expected)
    assert alone["gain"] == {"value": 0, "low": 0, "high": 0}
    assert found["image and age"]["roc_auc"]["gain"]["low"] > 0
    assert found["image and way of confirmation"]["average_precision"]["gain"]["low"] > 0
    assert 0.75 < found["age, sex and site alone"]["roc_auc"]["value"]["value"] < 0.95


def test_a_site_that_was_never_seen_is_no_reason_to_stop():
    other = people(seed=2).assign(localization="ear", sex="unknown")
    p = subgroups.fitted(people(), ["age", "sex", "localization"])(other)
    assert p.shape == (400,) and np.isfinite(p).all()


def test_shifts_are_paired_with_the_images_as_they_were(few_resamples):
    """A model that grows surer of "no melanoma" and, at the last step, says one number for all."""
    table = people().assign(probability=lambda t: 0.2 + 0.6 * t["melanoma"])

    def answer(name, severity):
        p = table["probability"].to_numpy() / severity * (severity < 4)
        return p, np.arange(len(p)) < 40 * severity

    found = subgroups.shifted(table, answer, 0.5)
    assert found["unchanged"]["roc_auc"] == found["unchanged"]["sensitivity"] == 1
    for name in shifts.SHIFTS:
        assert [row["severity"] for row in found[name]] == list(shifts.SEVERITIES)
        assert [row["roc_auc"] for row in found[name]] == [1, 1, 1, 0.5]
        assert [row["sensitivity"] for row in found[name]] == [1, 0, 0, 0]
        assert [row["refused"] for row in found[name]] == pytest.approx([0.1, 0.2, 0.3, 0.4])
        slipped = [row["melanomas_called_benign"] for row in found[name]]
        assert slipped[0] == 0 and 1 > slipped[1] > slipped[2] > slipped[3] > 0
        same, last = found[name][0], found[name][3]
        for measure in ("change", "calibration_change", "sensitivity_change"):
            assert same[measure] == {"value": 0, "low": 0, "high": 0}
        assert last["change"] == {"value": -0.5, "low": -0.5, "high": -0.5}
        assert last["sensitivity_change"]["value"] == -1
        assert last["mean_probability"] == 0
        assert last["calibration_error"] == pytest.approx(table["melanoma"].mean())


def test_bands_of_skin_tone_have_an_auc_where_there_are_melanomas(few_resamples):
    table = people(120).assign(ita=np.repeat([70.0, 0.0, 120.0], 40))
    table["melanoma"] = [0, 1] * 20 + [0] * 30 + [1] * 10 + [0, 1] * 20
    table["probability"] = table["melanoma"] * 0.5 + np.r_[np.zeros(80), np.tile([0.5, 0], 20)]
    found = subgroups.by_tone(table)
    dark = found["brown, dark"]
    assert (dark["images"], dark["melanomas"]) == (40, 10) and "roc_auc" not in dark
    assert found["very light"]["roc_auc"]["value"] == 1
    assert found["bluish"]["roc_auc"]["value"] == 0.5
    assert set(found) == {"brown, dark", "very light", "bluish"}


def test_a_gap_that_follow_up_moles_make_is_gone_without_them(few_resamples):
    """Easy moles that are only watched lift the AUC of one band; the model is the same in both."""
    rng = np.random.default_rng(5)
    n = 3000
    table = people(n).assign(ita=np.where(np.arange(n) % 2, 70.0, 120.0), dx_type="histo")
    table["melanoma"] = (rng.random(n) < 0.3).astype(int)
    watched = (table["melanoma"] == 0) & (table["ita"] == 70) & (rng.random(n) < 0.7)
    table.loc[watched, "dx_type"] = "follow_up"
    p = rng.normal(0.4 + 0.15 * table["melanoma"], 0.15)
    table["probability"] = np.where(watched, 0.01, p.clip(0.02, 1))
    found = subgroups.tone_gap(table)
    assert found["all"]["low"] > 0
    assert found["without follow-up"]["low"] < 0 < found["without follow-up"]["high"]


def test_the_gap_between_men_and_women_is_pooled_and_compared(few_resamples):
    rng = np.random.default_rng(6)

    def set_of(men, women, n=2000):
        table = people(n).assign(melanoma=(np.arange(n) % 2))
        chance = np.where(table["sex"] == "male", men, women)
        return table.assign(probability=np.where(rng.random(n) < chance, 0.9, 0.1))

    found = subgroups.sex_gap(set_of(0.8, 0.8), set_of(0.9, 0.7), 0.5)
    assert found["validation"]["value"] == pytest.approx(0, abs=0.08)
    assert found["test"]["value"] == pytest.approx(0.2, abs=0.08) and found["test"]["low"] > 0
    assert found["pooled"]["value"] == pytest.approx(0.1, abs=0.06)
    difference = found["test"]["value"] - found["validation"]["value"]
    assert found["test minus validation"]["value"] == pytest.approx(difference)


def test_an_interrupted_experiment_asks_for_no_image_twice(tmp_path, monkeypatch, few_resamples):
    rng = np.random.default_rng(3)
    table = people(60).assign(dx=lambda t: np.where(t["melanoma"] == 1, "mel", "nv"))
    table = table.assign(split=["validation", "test"] * 30, image_id=[f"i{k}" for k in range(60)])
    images = rng.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    facts = {"threshold": 0.5, "source_size": 32, "split_fingerprint": "s"}
    facts |= {"model_sha256": "m" * 64, "temperature": 1.0, "guard": {"limit": 1.0}}
    asked = []

    def ask(images):
        asked.append(images)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return 1 - images.mean(axis=(1, 2, 3)) / 255

    monkeypatch.setattr(predict, "load_model", lambda: ("model", facts))
    monkeypatch.setattr(lite, "convert", lambda model: "content")
    shipped_model._converted.cache_clear()
    monkeypatch.setattr(lite, "Lite", lambda content: ask)
    monkeypatch.setattr(guard, "distances", lambda *_: np.zeros(30))
    monkeypatch.setattr(common, "lesions", lambda size: Lesions(images, table, "folder"))
    monkeypatch.setattr(subgroups, "tone_gap", lambda table: {})  # too few in a band here
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        subgroups.run()
    subgroups.run()
    assert len(asked) == 1 + 2 + len(shifts.SHIFTS) * len(shifts.SEVERITIES)
    found = json.loads((tmp_path / "subgroups.json").read_text(), parse_constant=pytest.fail)
    assert len(found["test"]["probability"]) == 30 and set(found["tones"]) == {"validation", "test"}
    assert found["shifts"]["darker"][3]["mean_probability"] > 0.6
    assert found["shifts"]["darker"][3]["refused"] == 0


def test_the_record_agrees_with_the_shipped_models_own():
    found, facts = results.committed("subgroups"), predict.load_model()[1]
    assert found["threshold"] == facts["threshold"]
    test = pd.DataFrame(found["test"])
    assert len(test) == 1999 and test["melanoma"].sum() == 221
    shipped = results.committed("shipped_model")["shipped"]["roc_auc"]
    ours = evaluation.roc_auc(test["melanoma"], test["probability"])
    assert ours == pytest.approx(shipped.value, abs=0.002)
    assert sum(tone["images"] for tone in found["tones"]["test"].values()) == 1999
