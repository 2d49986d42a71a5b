import json

import numpy as np
import pytest
import yaml

from experiments import common, ten_draws
from utils import baselines, results, settings, splits
from utils.data import Lesions, synthetic


def test_the_interval_over_draws_is_students():
    # Mean 3, standard error 1, t(0.975, 2) = 4.303.
    found = common.over_draws([3 - 3**0.5, 3, 3 + 3**0.5])
    assert found["value"] == pytest.approx(3)
    assert [found["low"], found["high"]] == pytest.approx([3 - 4.303, 3 + 4.303], abs=1e-3)
    assert len(found["seeds"]) == 3


@pytest.mark.slow
def test_draws_are_judged_recorded_and_resumed(tmp_path, monkeypatch):
    table = synthetic.metadata().assign(copy_of=lambda t: t["image_id"])
    trained = []

    def load(size, select):
        mini = select(table)
        return Lesions(np.zeros((len(mini), size, size, 3), np.uint8), mini, "folder")

    def training_of(lesions, backup):
        """Right for all but the first melanoma of each set; interrupted once."""
        if len(trained) == 3 and None not in trained:
            trained.append(None)
            raise KeyboardInterrupt
        trained.append(backup)
        answers = []
        for name in ("validation", "test"):
            p = lesions.subset(name).melanoma * 0.9
            p[np.flatnonzero(p)[0]] = 0
            answers.append(p)
        return np.concatenate(answers)

    def simple(train, *others):
        return {
            "colour baseline": [lesions.melanoma * 0.4 + 0.3 for lesions in others],
            "majority class": [np.full(len(lesions), 0.24) for lesions in others],
        }

    asked = yaml.safe_load(common.PARAMETERS.read_text())
    asked["ten_draws"]["DRAWS"] = [0, 1]
    settings.write_json(tmp_path / "params.yaml", asked)  # JSON is YAML
    monkeypatch.setattr(common, "PARAMETERS", tmp_path / "params.yaml")
    monkeypatch.setattr(common, "lesions", load)
    ten_draws.load.cache_clear()
    monkeypatch.setattr(baselines, "baseline_probabilities", simple)  # its trees take their time
    monkeypatch.setattr(ten_draws, "recipe", training_of)
    monkeypatch.setattr(ten_draws, "all_layers", training_of)
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        ten_draws.run()
    ten_draws.run()
    ten_draws.load.cache_clear()
    assert len(set(trained)) == len(trained) == 8 + 1  # two models, two draws, two sizes, once
    found = json.loads((tmp_path / "ten_draws.json").read_text(), parse_constant=pytest.fail)
    assert found["models"]["recipe, 28 px"]["accuracy"]["value"] == pytest.approx(199 / 200)
    assert len(found["models"]["recipe, 28 px"]["accuracy"]["seeds"]) == 2
    assert found["models"]["majority class"]["accuracy"]["value"] == pytest.approx(0.76)
    gain = found["differences"]["recipe, 28 px minus majority class"]["accuracy"]
    assert gain["value"] == pytest.approx(0.24 - 1 / 200)
    assert found["split_fingerprints"] == [
        splits.fingerprint(splits.mini(table, seed=draw)) for draw in (0, 1)
    ]


def test_the_recorded_draws_are_those_of_the_splits():
    found = results.committed("ten_draws")
    draws = common.parameters("ten_draws")["DRAWS"]
    assert len(set(found["split_fingerprints"])) == len(draws)
    assert found["split_fingerprints"][0].startswith("d348282aa942")  # the default draw
    assert len(found["models"]["recipe, 28 px"]["accuracy"].seeds) == len(draws)
