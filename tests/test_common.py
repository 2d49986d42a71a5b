"""What experiments share: kept answers, the images that count, records, processes, the command."""

import json
import os
import sys
import time
from types import ModuleType

import numpy as np
import pytest

from experiments import common
from utils import data, digest, results, settings
from utils.evaluation import Estimate

PARAMETERS = {
    "data": {"ham10000": "0123"},
    "toy": {"SEED": 0},
    "other": {"SEED": 0},
}


@pytest.fixture
def parameters(tmp_path, monkeypatch):
    """``parameters(name, value)`` changes a part of a params.yaml."""
    path = tmp_path / "params.yaml"
    monkeypatch.setattr(common, "PARAMETERS", path)

    def change(name="toy", value=PARAMETERS["toy"]):
        settings.write_json(path, PARAMETERS | {name: value})  # JSON is YAML

    change()
    return change


@pytest.fixture
def toy(tmp_path, monkeypatch, parameters):
    """An experiment that keeps one answer: ``ask(depends)`` says whether it was made anew."""
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path / "work"))
    digest._parse.cache_clear()
    module = ModuleType("experiments.toy")
    module.__file__ = str(tmp_path / "experiments" / "toy.py")
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "toy.py").write_text("A = 1\n")
    monkeypatch.setitem(sys.modules, "experiments.toy", module)

    def ask(depends=0):
        made = []
        found = common.kept(
            "experiments.toy", "an answer", depends, lambda backup: made.append(backup) or [7, 8]
        )
        np.testing.assert_array_equal(found, [7, 8])
        return bool(made)

    yield ask
    digest._parse.cache_clear()


CHANGES = {
    "a parameter": lambda root, change, patch: change("toy", {"SEED": 1}),
    "the images": lambda root, change, patch: change("data", {"ham10000": "4567"}),
    "the code": lambda root, change, patch: (root / "experiments/toy.py").write_text("A = 2\n"),
    "a package": lambda root, change, patch: patch.setattr(results, "version", lambda name: "9.9"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_an_answer_depends_on_asks_anew(toy, tmp_path, parameters, monkeypatch, change):
    assert toy() and not toy()
    CHANGES[change](tmp_path, parameters, monkeypatch)
    assert toy() and not toy()


def test_another_seed_asks_anew_and_the_first_is_still_there(toy, tmp_path, parameters):
    assert toy({"seed": 0}) and toy({"seed": 1})
    parameters("other", {"SEED": 5})  # of another experiment
    (tmp_path / "experiments" / "toy.py").write_text('"""A toy."""\n\nA = 1  # one\n')
    assert not toy({"seed": 0}) and not toy({"seed": 1})


def test_an_interrupted_training_finds_its_backup_again(toy, tmp_path):
    def stops(backup):
        backup.write_text("five epochs")
        raise KeyboardInterrupt

    def resumes(backup):
        return [len(backup.read_text())]

    with pytest.raises(KeyboardInterrupt):
        common.kept("experiments.toy", "an answer", 0, stops)
    assert toy(1)  # another training does not meet it
    assert common.kept("experiments.toy", "an answer", 0, resumes) == [11]
    assert {path.suffix for path in (tmp_path / "work" / "runs").rglob("*.*")} == {".npy"}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_jobs_are_processes_and_change_no_answer(monkeypatch, jobs):
    monkeypatch.setenv("JOBS", jobs)
    assert common.in_parallel(divmod, [(7, 2), (9, 4), (8, 3)]) == [(3, 1), (2, 1), (2, 2)]
    assert (os.getpid() in common.in_parallel(os.getpid, [()] * 2)) == (jobs == "1")


@pytest.mark.slow
def test_a_cluster_of_ray_gives_the_same(monkeypatch):
    ray = pytest.importorskip("ray")
    import joblib
    from ray.util.joblib import register_ray

    arguments = [(np.arange(6.0).reshape(3, 2) + k,) for k in range(4)]
    alone = common.in_parallel(np.linalg.pinv, arguments)
    monkeypatch.setenv("JOBS", "2")
    ray.init(num_cpus=2, include_dashboard=False)
    try:
        register_ray()
        with joblib.parallel_config("ray"):
            np.testing.assert_array_equal(common.in_parallel(np.linalg.pinv, arguments), alone)
            assert os.getpid() not in common.in_parallel(os.getpid, [()] * 2)
    finally:
        ray.shutdown()


def test_other_images_than_those_of_the_records_are_refused(parameters, monkeypatch):
    monkeypatch.setattr(data, "load_lesions", lambda source, size, select: [source, size])
    monkeypatch.setattr(data, "fingerprint", lambda source: "0123")
    common.lesions.cache_clear()
    try:
        assert common.lesions(28) == ["folder", 28]
        monkeypatch.setattr(data, "fingerprint", lambda source: "89ab")
        with pytest.raises(ValueError, match=r"other files of HAM10000 \(89ab\).* \(0123\)") as e:
            common.lesions(32)
        assert "python -m course refresh" in str(e.value)
    finally:
        common.lesions.cache_clear()


@pytest.mark.parametrize("name", ["toy", "on_drawn"])
def test_a_record_says_where_its_numbers_come_from(tmp_path, monkeypatch, name):
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    findings, origin = {"auc": Estimate(0.8, 0.7, 0.9)}, {"model_sha256": "m"}
    drawn = name == "on_drawn"
    source = "synthetic" if drawn else "folder"
    started = time.monotonic() - 5
    results.commit(name, findings, source, {"SEED": 0}, started, synthetic=drawn, **origin)
    found = json.loads((tmp_path / f"{name}.json").read_text())
    assert 5 <= found.pop("seconds") < 60
    assert found.pop("versions") == results.versions()
    assert found == {
        "source": source,
        "model_sha256": "m",
        "parameters": {"SEED": 0},
        "auc": {"value": 0.8, "low": 0.7, "high": 0.9},
    }
    with pytest.raises(ValueError, match=rf"results/{name}\.json was not written: .*HAM10K_DIR"):
        results.commit(name, {}, "synthetic", {}, started)
    assert results.committed(name)["auc"] == findings["auc"]  # nothing is lost


@pytest.fixture
def command(monkeypatch):
    """``python -m experiments``; the variables that it sets are gone after the test."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    from experiments.__main__ import main

    return main


@pytest.mark.parametrize("words", [[], ["nonsense"], ["ladder", "common"]])
def test_an_unknown_name_is_told_which_there_are(command, capsys, words):
    assert command(words) == 2
    names = capsys.readouterr().out.partition("one of ")[2].removesuffix(".\n").split(", ")
    committed = {"artefacts", "ten_draws", "shipped.train", "shipped.judge", "benchmarks.serving"}
    assert committed < set(names) and "common" not in names and "__init__" not in str(names)


@pytest.mark.parametrize("error", [ConnectionError, FileNotFoundError, ValueError])
def test_what_cannot_run_says_so_and_leaves_all_as_it_was(command, monkeypatch, capsys, error):
    def stop(*_):
        raise error("Why it cannot be.")

    monkeypatch.setattr(common, "lesions", stop)
    monkeypatch.setattr(settings, "write_atomically", lambda path, _: pytest.fail(f"wrote {path}"))
    assert command(["shipped.train", "shipped.calibrate"]) == 1
    assert capsys.readouterr().err == "shipped.train stopped: Why it cannot be.\n"
