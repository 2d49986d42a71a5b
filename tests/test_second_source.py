"""What another training is worth: what each learns from, and how they are compared."""

import numpy as np
import pandas as pd
import pytest

from experiments import common, second_source, shipped_model
from utils import data

FREE = ("ISIC_0000001", "ISIC_0000002", "ISIC_0000003", "ISIC_0000004")


def lesions(ids, dx, split, source="folder"):
    table = pd.DataFrame({"image_id": ids, "dx": dx, "split": split, "group": ids})
    images = np.arange(len(ids), dtype=np.uint8).repeat(12).reshape(-1, 2, 2, 3)
    return data.Lesions(images, table, source)


@pytest.fixture
def sets(monkeypatch, tmp_path):
    """A HAM10000 of three images, and an ISIC 2017 of six of which one is a sample."""
    home = lesions(["a", "b", "c"], ["mel", "bkl", "nv"], ["train", "train", "test"])
    ids = [*FREE, "ISIC_0000009", "ISIC_0014001"]
    split = ["train", "train", "validation", "test", "train", "test"]
    isic = lesions(ids, ["mel", "other", "other", "mel", "mel", "other"], split)
    shown = {"samples": FREE[:1], "elsewhere": []}
    others = {name: lesions([*ids], ["mel"] * len(ids), "test") for name, ids in shown.items()}
    monkeypatch.setattr(common, "lesions", lambda size: home)
    monkeypatch.setattr(common, "data_set", lambda name, size: ({"isic2017": isic} | others)[name])
    monkeypatch.setenv("ISIC2017_DIR", str(tmp_path))
    (tmp_path / "isic2016_training_ids.txt").write_text("\n".join(FREE))


@pytest.mark.usefixtures("sets")
@pytest.mark.parametrize(
    ("name", "added"),
    [
        (second_source.TODAY, []),
        (second_source.BEFORE, []),
        (second_source.ISIC, [(1, "nv"), (4, "mel")]),
        (second_source.FEW, [(1, "nv"), (2, "nv")]),  # neither the sample nor the test image
    ],
)
def test_a_training_sees_neither_samples_nor_test_images(name, added):
    images, diagnosis, recipe = second_source.training_set(name)
    assert [data.DX[place] for place in diagnosis] == ["mel", "bkl", *(dx for _, dx in added)]
    assert images[2:, 0, 0, 0].tolist() == [row for row, _ in added]
    own = common.parameters("second_source")["before"] if name == second_source.BEFORE else {}
    assert recipe == common.parameters("train") | own


@pytest.mark.usefixtures("few_resamples")
def test_trainings_are_compared_seed_by_seed_with_the_shipped_recipe():
    rng, y = np.random.default_rng(0), np.arange(200) % 4 == 0
    table = pd.DataFrame({"melanoma": y.astype(int), "group": np.arange(200)})
    seeds = {second_source.TODAY: [0, 1, 2], second_source.ISIC: [0, 1]}
    for name, own in seeds.items():
        for seed in own:
            better = 3 if name == second_source.ISIC else 1
            table[name, seed] = 1 / (1 + np.exp(-(rng.normal(size=200) + better * y)))
    thresholds = {(name, seed): 0.5 for name, own in seeds.items() for seed in own}
    found = second_source.judged(table, seeds, thresholds)
    assert (found["images"], found["melanomas"]) == (200, 50)
    assert "minus HAM10000" not in found[second_source.TODAY]
    better = found[second_source.ISIC]
    assert better["minus HAM10000"]["low"] > 0
    called = table[second_source.ISIC, 0][~y] >= 0.5, table[second_source.ISIC, 1][~y] >= 0.5
    assert better["false positives"] == pytest.approx(np.mean(called))


def test_every_training_has_seeds_and_the_blocks_do_not_overlap():
    seeds = common.parameters("second_source")["seeds"]
    names = {second_source.TODAY, second_source.BEFORE, second_source.ISIC, second_source.FEW}
    assert set(seeds) == names
    ids = [one for block in second_source.BLOCKS.values() for one in block]
    assert len(ids) == len(set(ids))


def test_what_is_judged_apart_is_the_same_for_every_experiment():
    frame = pd.DataFrame({"dx_type": ["histo", "follow_up"], "dx": ["mel", "nv"], "split": "test"})
    rows = shipped_model.judged_apart({name: frame for name in ("test", "isic2017", "pad_ufes_20")})
    assert {name: len(one) for name, one in rows.items()} == {
        "HAM10000, test": 2,
        "HAM10000, test, without follow-up": 1,
        "HAM10000, test, histology only": 1,
        "ISIC 2017, test": 2,
        "ISIC 2017, all": 2,
        "PAD-UFES-20, all": 2,
        "PAD-UFES-20, melanoma against nevus": 2,
    }


def test_no_training_is_judged_on_images_that_another_one_has_seen():
    ids = [f"ISIC_00{block}000" for block in (12, 12, 14, 16)]
    isic = pd.DataFrame({"image_id": ids, "split": ["train", "test", "test", "test"]})
    home = pd.DataFrame({"dx_type": ["histo"], "dx": ["mel"], "split": ["test"]})
    tables = {"test": home, "isic2017": isic, "pad_ufes_20": home}
    rows = second_source.judged_apart(tables)
    of_isic = {name: len(one) for name, one in rows.items() if name.startswith("ISIC 2017")}
    assert of_isic == {
        "ISIC 2017, test": 3,
        "ISIC 2017, test, ids 12, 13": 1,
        "ISIC 2017, test, ids 14": 1,
        "ISIC 2017, test, ids 15, 16": 1,
    }
