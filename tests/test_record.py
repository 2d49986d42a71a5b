"""Results of several seeds, recorded and summed up."""

import functools
import json
import os

import numpy as np
import pytest

from course.errors import CourseError, Refused
from course.run import record
from utils import data, evaluation, results, settings
from utils.evaluation import Estimate

NAME = "quickstart-width0.35-28px"


@pytest.fixture
def own(tmp_path, monkeypatch):
    folder = tmp_path / "committed"
    folder.mkdir()
    monkeypatch.setattr(results, "COMMITTED", folder)
    few = functools.partial(evaluation.evaluate_seeds, n_resamples=20)
    monkeypatch.setattr(evaluation, "evaluate_seeds", few)
    monkeypatch.setenv("COURSE_RESULTS_DIR", str(tmp_path / "runs"))
    return folder


def one_seed(seed, probability, source="folder", python="3.11", **parameters):
    """What lesson 00 records of one training, cut short."""
    judged = {"threshold": 0.5, "n_images": 4, "n_lesions": 4}
    return {
        "source": source,
        "split_fingerprint": "abc",
        "weights": "ImageNet",
        "seed": seed,
        "parameters": {"ALPHA": 0.35, "SEED": seed} | parameters,
        "versions": {"python": python},
        "models": {
            "Net": judged,
            "majority class": judged | {"metrics": {"accuracy": Estimate(0.5, 0.0, 1.0)}},
        },
        "test": {
            "image_id": ["a", "b", "c", "d"],
            "group": ["a", "b", "c", "d"],
            "melanoma": [0, 0, 1, 1],
            "probability": probability,
        },
    }


def write(folder, *args, **kwargs):
    content = one_seed(*args, **kwargs)
    settings.write_json(folder / f"{NAME}-seed{content['seed']}.json", content)


def test_seeds_are_summed_up(own):
    write(own, 0, [0.1, 0.2, 0.3, 0.8])  # ranked without error, one of two melanomas found
    write(own, 1, [0.1, 0.6, 0.55, 0.8])  # one pair of four the wrong way round
    record.summarise_seeds(NAME)
    found = results.committed(NAME)
    over = found.pop("over_seeds")
    assert found == {
        "source": "folder",
        "split_fingerprint": "abc",
        "weights": "ImageNet",
        "parameters": {"ALPHA": 0.35},
        "versions": {"python": "3.11"},
        "seeds": [0, 1],
        "n_images": 4,
        "n_melanomas": 2,
        "model": "Net",
        "beside": {
            "majority class": one_seed(0, [])["models"]["majority class"],
        },
    }
    for metric, seeds in (
        ("roc_auc", (1, 0.75)),
        ("sensitivity", (0.5, 1)),
        ("accuracy", (0.75,) * 2),
    ):
        assert over[metric].seeds == seeds and over[metric].value == np.mean(seeds), metric
        assert over[metric].low <= over[metric].value <= over[metric].high


@pytest.mark.parametrize(
    "other",
    [{"source": "kaggle"}, {"ALPHA": 1.0}, {"python": "3.12"}],
    ids=["source", "parameter", "version"],
)
def test_unlike_runs_are_not_summed_up(own, other):
    write(own, 0, [0.1, 0.2, 0.3, 0.8])
    write(own, 1, [0.1, 0.2, 0.3, 0.8], **other)
    with pytest.raises(CourseError, match="differ in more than the seed"):
        record.summarise_seeds(NAME)


def test_synthetic_and_missing_runs_are_not_summed_up(own):
    with pytest.raises(CourseError, match="There is no x-seed"):
        record.summarise_seeds("x")
    write(own, 0, [0.1, 0.2, 0.3, 0.8], source="synthetic")
    with pytest.raises(CourseError, match="synthetic"):
        record.summarise_seeds(NAME)


def test_the_quickstart_runs_with_five_seeds_and_commits_what_they_wrote(
    own, tmp_path, monkeypatch
):
    """The lesson itself is replaced by one that writes its files."""
    asked = []
    (tmp_path / "runs").mkdir()

    def run(given):
        asked.append(given)
        seed = int(given["SEED"])
        write(settings.results(), seed, [0.1, 0.2, 0.3, 0.8])

    (tmp_path / "runs" / "quickstart-old.json").write_text("{}")
    monkeypatch.setattr(record, "run", run)
    monkeypatch.setattr(data, "load_table", lambda source: (None, source))
    assert record.record({"ALPHA": "0.35"}) == 0
    lesson = {"ALPHA": "0.35", "LESSONS": "00_quickstart", "SOURCE": "folder"}
    assert asked == [lesson | {"SEED": str(seed)} for seed in range(5)]
    # Nothing that lay there before.
    assert sorted(os.listdir(own)) == [
        *(f"{NAME}-seed{seed}.json" for seed in range(5)),
        f"{NAME}.json",
    ]
    assert json.loads((own / f"{NAME}.json").read_text())["seeds"] == [0, 1, 2, 3, 4]


QUICKSTART = ({}, {"LESSONS": "00"}, {"LESSONS": "00_quickstart"}, {"LESSONS": "quickstart,02"})


def test_what_record_sets_itself_and_lesions_that_are_not_real_are_refused(own, monkeypatch):
    for given in ({"SOURCE": "kaggle"}, *({"SEED": "1"} | lesson for lesson in QUICKSTART)):
        with pytest.raises(Refused, match="leave them out"):
            record.record(given)
    monkeypatch.setenv("HAM10K_DIR", str(own / "nothing"))
    with pytest.raises(CourseError, match="real images only"):
        record.record({})
