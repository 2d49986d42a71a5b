"""What experiments share: answers are kept under all that they depend on."""

import os
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from course.build import graph
from experiments import common
from utils import data, results, settings

PARAMETERS = "data: {ham10000: 0beb, isic2017: 1abc}\ntoy: {SIZE: 28}\nother: {SIZE: 28}\n"


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The folder of a course with one experiment, ``experiments.toy``."""
    code = tmp_path / "experiments" / "toy.py"
    code.parent.mkdir()
    code.write_text("x = 1\n")
    (tmp_path / "params.yaml").write_text(PARAMETERS)
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(common, "PARAMETERS", tmp_path / "params.yaml")
    monkeypatch.setitem(sys.modules, "experiments.toy", SimpleNamespace(__file__=str(code)))
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def ask(toy):
    """Asks for an answer: the number of those that were made until then."""
    made = []

    def make(backup):
        made.append(backup)
        return np.array([len(made)])

    return lambda seed=0: common.kept("experiments.toy", "a rung: x", {"seed": seed}, make)[0]


@pytest.mark.parametrize(
    ("file", "old", "new", "made"),
    [
        ("params.yaml", "toy: {SIZE: 28}", "toy: {SIZE: 64}", 2),
        ("params.yaml", "0beb", "1beb", 2),
        ("params.yaml", "1abc", "2abc", 1),  # of a data set that plays no part
        ("experiments/toy.py", "x = 1", "x = 2", 2),
        ("params.yaml", "other: {SIZE: 28}", "other: {SIZE: 64}", 1),
        ("experiments/toy.py", "x = 1", "x = 1  # why", 1),
    ],
)
def test_what_changed_asks_anew_and_what_is_as_before_finds_the_old(
    toy, ask, mend, file, old, new, made
):
    assert [ask(), ask()] == [1, 1]
    mend(toy / file, old, new)
    assert [ask(), ask()] == [made, made]
    mend(toy / file, new, old)
    assert ask() == 1


def test_another_seed_and_another_version_ask_anew(ask, monkeypatch):
    assert [ask(0), ask(1), ask(0)] == [1, 2, 1]
    monkeypatch.setattr(results, "version", lambda package: "0.1")
    assert [ask(0), ask(0)] == [3, 3]


def test_an_interrupted_answer_leaves_its_backup_and_finds_it_again(toy):
    def stop(backup):
        backup.write_bytes(b"two epochs")
        raise KeyboardInterrupt

    def resume(backup):
        assert backup.read_bytes() == b"two epochs"
        return np.arange(3)

    with pytest.raises(KeyboardInterrupt):
        common.kept("experiments.toy", "x", 0, stop)
    assert common.kept("experiments.toy", "x", 0, resume).tolist() == [0, 1, 2]
    (file,) = (toy / "runs" / "kept" / "toy").iterdir()
    assert file.suffix == ".npy"
    assert common.kept("experiments.toy", "x", 0, stop).tolist() == [0, 1, 2]


def test_an_answer_about_another_data_set_hangs_on_that_one(toy, mend):
    made = []

    def ask():
        made.append(1)
        find = common.kept("experiments.toy", "x", 0, lambda _: np.array(made), ("isic2017",))
        return len(find)

    assert [ask(), ask()] == [1, 1]
    mend(toy / "params.yaml", "0beb", "1beb")
    assert ask() == 1
    mend(toy / "params.yaml", "1abc", "2abc")
    assert ask() == 4


def test_images_of_another_data_set_are_refused(toy, monkeypatch):
    monkeypatch.setattr(data, "load_lesions", lambda *given: given)
    monkeypatch.setattr(data, "load_set", lambda *given: given)
    here = {"ham10000": "1bad", "isic2017": "1bad"}
    monkeypatch.setattr(data, "fingerprint", here.get)
    common.lesions.cache_clear()
    with pytest.raises(ValueError, match=r"other files of HAM10000 \(1bad\) than .*\(0beb\)"):
        common.lesions(28, "full")
    with pytest.raises(ValueError, match=r"other files of ISIC 2017 \(1bad\) than .*\(1abc\)"):
        common.data_set("isic2017", 28)
    here.update(ham10000="0beb", isic2017="1abc")
    assert common.lesions(28, "full") == ("folder", 28, "full")
    assert common.data_set("isic2017", 28) == ("isic2017", 28)
    common.lesions.cache_clear()
    common.data_set.cache_clear()


def test_records_know_every_data_set_and_a_stage_those_that_it_uses():
    assert common.parameters("data").keys() == {"ham10000", *data.SETS}
    stages = yaml.safe_load((settings.ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name, stage in stages.items():
        named = {p.removeprefix("data.") for p in stage["params"] if str(p)[:5] == "data."}
        needs = set(stage.get("meta", {}).get("needs", "").replace("images", "ham10000").split())
        # Samples are always there; masks and Ray are no data set of their own.
        assert needs - {"masks", "ray"} == named - set(settings.SAMPLES), name
        file = settings.ROOT / "experiments" / f"{stage['cmd'].split()[-1].replace('.', '/')}.py"
        if file.exists():
            asked = re.findall(r'data_set\("(\w+)"', file.read_text(encoding="utf-8"))
            assert set(asked) <= named, name


def test_a_stage_is_skipped_where_one_of_its_data_sets_is_not(tmp_path, monkeypatch, capsys):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    (tmp_path / "dvc.yaml").write_text(
        "stages: {elsewhere: {cmd: no-such-command, meta: {needs: images isic2017}}}"
    )
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(graph, "write_digests", lambda: None)
    monkeypatch.setattr(graph, "missing_images", lambda: None)
    monkeypatch.delenv("ISIC2017_DIR", raising=False)
    assert graph.refresh() == 0
    assert "elsewhere is stale and skipped: it needs the real images" in capsys.readouterr().out


@pytest.mark.parametrize("jobs", [1, 2])
def test_jobs_are_processes_and_answers_keep_their_order(monkeypatch, jobs):
    monkeypatch.setenv("JOBS", str(jobs))
    assert common.in_parallel(divmod, [(7, 2), (9, 4)]) == [(3, 1), (2, 1)]
    assert (os.getpid() in common.in_parallel(os.getpid, [()])) == (jobs == 1)


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
