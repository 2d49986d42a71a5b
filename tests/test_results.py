import json

import numpy as np
import pandas as pd
import pytest

from utils import evaluation, results, splits
from utils.data import Lesions


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    monkeypatch.setenv("COURSE_RESULTS_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def lesions():
    n = 60
    table = pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(n)],
            "group": [f"g{k // 2}" for k in range(n)],
            "dx": ["mel" if k % 4 < 2 else "nv" for k in range(n)],
            "split": np.repeat(["train", "validation", "test"], n // 3),
        }
    )
    return Lesions(np.zeros((n, 28, 28, 3), np.uint8), table, "folder")


def write(lesions, seed, source="folder", **parameters):
    test = lesions.part("test")
    p = np.random.default_rng(seed).uniform(size=len(test)) * 0.5 + 0.5 * test.melanoma
    judged = [
        evaluation.evaluate(name, test.melanoma, q, test.table["group"], 0.5, n_resamples=50)
        for name, q in (("MobileNetV2", p), ("constant answer", np.full(len(test), 0.3)))
    ]
    lesions = Lesions(lesions.images, lesions.table, source)
    settings = {"ALPHA": 0.35, "SIZE": 28} | parameters
    name = f"00_quickstart-width0.35-28px-seed{seed}"
    return results.record(name, judged, lesions, p, seed, settings, "ImageNet"), judged[0]


def test_a_result_can_be_repeated_and_is_strict_json(own, lesions):
    path, judged = write(lesions, 3)
    content = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert content["source"] == "folder" and content["seed"] == 3
    assert content["split_fingerprint"] == splits.fingerprint(lesions.table)
    assert content["parameters"] == {"ALPHA": 0.35, "SIZE": 28}
    assert {"python", "keras", "tensorflow", "numpy"} <= content["versions"].keys()
    for metric in evaluation.METRICS:
        kept = content["models"]["MobileNetV2"]["metrics"][metric]
        assert kept == {
            "value": judged.values[metric],
            "interval": list(judged.intervals[metric]),
        }
    assert content["models"]["constant answer"]["metrics"]["precision"]["value"] is None
    assert content["headline"]["name"] == "roc_auc"


def test_seeds_are_summed_up(own, lesions):
    aucs = [write(lesions, seed)[1].values["roc_auc"] for seed in range(3)]
    results.summarise_seeds("00_quickstart-width0.35-28px")
    content = json.loads((own / "00_quickstart-width0.35-28px.json").read_text())
    over = content["over_seeds"]["roc_auc"]
    assert content["seeds"] == [0, 1, 2]
    assert over["mean"] == pytest.approx(np.mean(aucs), abs=1e-6)
    assert (over["min"], over["max"]) == pytest.approx((min(aucs), max(aucs)), abs=1e-6)
    assert over["low"] <= over["mean"] <= over["high"]
    table = results.results_table()
    assert "| 0.852 |" in table and f"| {209 / 250:.3f} |" in table  # (167 + 42) / 250
    for figure in (42 / 65, 42 / 60, 84 / 125):  # precision, recall, F1 of the claimed matrix
        assert f"{figure:.3f}" in table
    assert "constant answer" in table and "mean of 3 seeds" in table and "undefined" in table


@pytest.mark.parametrize(
    "other", [{"source": "kaggle"}, {"ALPHA": 1.0}], ids=["source", "parameter"]
)
def test_unlike_runs_are_not_summed_up(own, lesions, other):
    write(lesions, 0)
    write(lesions, 1, **other)
    with pytest.raises(ValueError, match="differ in more than the seed"):
        results.summarise_seeds("00_quickstart-width0.35-28px")


def test_synthetic_and_missing_runs_are_not_summed_up(own, lesions):
    with pytest.raises(ValueError, match="There is no 00_x-seed"):
        results.summarise_seeds("00_x")
    write(lesions, 0, source="synthetic")
    with pytest.raises(ValueError, match="synthetic"):
        results.summarise_seeds("00_quickstart-width0.35-28px")


def test_the_readme_is_rendered_from_address_and_results(own, lesions):
    names = ("badges", "clone", "results", "speed", "shipped", "ladder", "streaming")
    blank = "".join(f"<!-- {n} -->\n<!-- /{n} -->\n" for n in names)
    text = results.render_readme(blank, "ada/moles", "trunk")
    assert "git clone https://github.com/ada/moles\ncd moles\n" in text
    assert "github/ada/moles/blob/trunk/notebooks/00_quickstart.ipynb" in text
    assert results.render_readme(text, "ada/moles", "trunk") == text
    assert text.count("not measured yet") == 4
    with pytest.raises(ValueError, match="no block <!-- speed -->"):
        results.render_readme(blank.replace("speed", "sped"), "ada/moles", "trunk")


def test_the_ladder_is_put_into_words():
    def rung(mean, gain=None):
        auc = {"mean": mean, "low": mean - 0.02, "high": mean + 0.02}
        return {"roc_auc": auc} | (
            {"gain": {"value": gain[0], "interval": gain[1:]}} if gain else {}
        )

    rungs = {
        "head": rung(0.8),
        "layers": rung(0.85, (0.05, 0.03, 0.07)),
        "paint": rung(0.855, (0.005, -0.01, 0.02)),
        "blur": rung(0.83, (-0.025, -0.04, -0.01)),
    }
    beside = {"nine colour numbers": rung(0.79), "constant answer": rung(0.5)}
    content = {"rungs": rungs, "ladder": ["head", "layers", "paint"], "beside": beside}
    text = results.ladder_figure(content)
    assert "from head, 0.800 [0.780, 0.820], up to paint, 0.855 [0.835, 0.875]" in text
    assert "- Clear of noise: layers (+0.050 [+0.030, +0.070])." in text
    assert "- Within noise: paint (+0.005 [-0.010, +0.020])." in text
    assert "- A loss: blur" in text and text.startswith("![")


def test_prose_quotes_results_and_nothing_else(own):
    both = {"value": 0.8123, "interval": [0.7, 0.9]}
    results.write_json(
        own / "x.json", {"auc": both, "n": 5, "seeds": {"mean": 0.5, "low": 0, "high": 1}}
    )
    assert results.quote("A {{ x: auc }} b") == "A 0.81 [0.70, 0.90] b"
    assert results.quote("{{ x: auc.value | .3f }} {{ x: n | d }}") == "0.812 5"
    assert results.quote("{{ x: seeds | .1f }}") == "0.5 [0.0, 1.0]"
    assert results.quote("{{ repository }}") == "{{ repository }}"
    for wrong in ("{{ y: auc }}", "{{ x: acc }}", "{{ x: n.m }}"):
        with pytest.raises(ValueError, match="cannot be filled in from results/"):
            results.quote(wrong)
