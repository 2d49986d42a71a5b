import json

import numpy as np
import pytest

from course import cli, draws
from utils import results, splits
from utils.data import Lesions, synthetic


def test_the_interval_over_draws_is_students():
    # Mean 3, standard error 1, t(0.975, 2) = 4.303.
    found = draws.over_draws([3 - 3**0.5, 3, 3 + 3**0.5])
    assert found["value"] == pytest.approx(3)
    assert [found["low"], found["high"]] == pytest.approx([3 - 4.303, 3 + 4.303], abs=1e-3)
    assert len(found["seeds"]) == 3


@pytest.mark.slow
def test_ten_draws_are_judged_recorded_and_resumed(tmp_path, monkeypatch):
    table = synthetic.metadata()
    table = table.assign(copy_of=table["image_id"])
    trained = []

    def load(draw, size):
        mini = splits.mini(table, seed=draw)
        rng = np.random.default_rng(draw)
        images = rng.integers(0, 256, (len(mini), size, size, 3), dtype=np.uint8)
        return Lesions(images, mini, "folder")

    def training_of(lesions, backup):
        """Right for all but the first melanoma of each set."""
        trained.append(backup)
        answers = []
        for name in ("validation", "test"):
            p = lesions.subset(name).melanoma * 0.9
            p[np.flatnonzero(p)[0]] = 0.1
            answers.append(p)
        return answers

    def baselines(train, *others):
        return {
            "colour baseline": [lesions.melanoma * 0.4 + 0.3 for lesions in others],
            "majority class": [np.full(len(lesions), 0.24) for lesions in others],
        }

    monkeypatch.setattr(draws.evaluation, "baselines", baselines)  # its trees take their time
    monkeypatch.setattr(draws, "DRAWS", range(2))
    monkeypatch.setattr(draws, "load", load)
    monkeypatch.setattr(draws, "recipe", training_of)
    monkeypatch.setattr(draws, "all_layers", training_of)
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    for _ in range(2):
        draws.run()
    assert len(set(trained)) == len(trained) == 8  # two models, two draws, two sizes, once
    text = (tmp_path / "ten_draws.json").read_text()
    found = json.loads(text, parse_constant=pytest.fail)
    assert found["models"]["recipe, 28 px"]["accuracy"]["seeds"] == [1.0, 1.0]
    assert found["models"]["majority class"]["accuracy"]["value"] == pytest.approx(0.76)
    gain = found["differences"]["recipe, 28 px minus majority class"]["accuracy"]
    assert gain["value"] == pytest.approx(0.24)
    assert len(set(found["split_fingerprints"])) == 2


@pytest.mark.parametrize(
    "words", [["EXPERIMENTS=x"], ["EXPERIMENTS=draws", "SEED=1"]], ids=["unknown", "more"]
)
def test_what_is_no_experiment_is_refused(words, capsys):
    assert cli.main(["results", *words]) == 2
    assert (
        "EXPERIMENTS is one of draws, ladder, dials, artefacts, seven, confidence, groups"
        in capsys.readouterr().err
    )


def test_the_recorded_draws_are_those_of_the_splits():
    found = results.committed(draws.NAME)
    assert len(found["split_fingerprints"]) == len(draws.DRAWS)
    assert found["split_fingerprints"][0].startswith("d348282aa942")  # the default draw
    assert len(found["models"]["recipe, 28 px"]["accuracy"].seeds) == len(draws.DRAWS)
