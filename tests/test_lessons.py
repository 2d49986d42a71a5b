"""Which lessons are chosen, and what they can be given."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from course import cli, lessons
from utils import settings


@pytest.mark.parametrize(
    ("wanted", "stems"),
    [
        ("", ["00_toy", "01_two"]),
        ("00", ["00_toy"]),
        ("1", ["01_two"]),
        ("01,toy", ["00_toy", "01_two"]),
        ("01_two", ["01_two"]),
        ("00-03", ["00_toy", "01_two"]),
    ],
)
def test_lessons_are_chosen_by_number_range_and_name(toy, wanted, stems):
    assert [path.stem for path in lessons.choose_lessons(wanted)] == stems


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["LESSONS=07"], "no lesson is called '07'; there are 00_toy, 01_two"),
        (["LESSONS=00,qickstart"], "no lesson is called 'qickstart'"),
        (["ALHPA=1.0"], "the lessons have ALPHA, BETA, FAST, SEED, SOURCE. Did you mean ALPHA?"),
        (["LESSON=00"], "Did you mean LESSONS?"),
        (["LESSONS=00", "BETA=1"], "BETA is not a parameter: the lesson has ALPHA, FAST"),
        (["alpha=1.0"], "Did you mean ALPHA?"),
        (["SEED=1.5"], "SEED must be a whole number, such as 0"),
        (["ALPHA=wide"], "ALPHA must be a number, such as 0.35"),
        (["FAST=1"], "FAST must be true or false, such as True"),
        (["00"], "'00' is not of the form NAME=VALUE"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(toy, capsys, words, message):
    assert cli.main(["run", *words]) == 2
    out, err = capsys.readouterr()
    assert message in err and err.count("\n") == 1 and out == ""
    assert not (toy / "runs").exists()


def test_a_lesson_gets_the_parameters_it_has_typed_as_their_defaults(toy):
    both = lessons.choose_lessons()
    given = lessons.plan(both, {"ALPHA": "1", "SEED": "3", "FAST": "false", "SOURCE": "5"})
    common = {"SEED": 3, "FAST": False, "SOURCE": "5"}
    assert given == {both[0]: {"ALPHA": 1.0, **common}, both[1]: common}
    assert isinstance(given[both[0]]["ALPHA"], float)


def test_folders_given_like_parameters_go_to_the_environment_as_absolute_paths(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAM10K_DIR", "")
    monkeypatch.setenv("KERAS_HOME", os.path.join("here", "keras"))
    assert lessons.split_settings(["SEED=1", "HAM10K_DIR=a b"]) == {"SEED": "1"}
    assert Path(os.environ["HAM10K_DIR"]) == tmp_path / "a b"
    assert Path(os.environ["KERAS_HOME"]) == tmp_path / "here" / "keras"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
def test_what_make_was_given_arrives_whole(tmp_path):
    makefile = (settings.ROOT / "Makefile").read_text()
    given = next(line for line in makefile.splitlines() if line.startswith("GIVEN"))
    (tmp_path / "Makefile").write_text(f"{given}\nall:\n\t@printf %s $(GIVEN)\n")
    words = ['HAM10K_DIR=/x/archive  (1)\'s \\ "new"; &', "ALPHA=1.0", "PYTHON=/a b/python3"]
    own = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}  # not of `make test`
    made = subprocess.run(["make", *words], cwd=tmp_path, env=own, capture_output=True, text=True)
    assert sorted(lessons.split_make(made.stdout)) == sorted(words[:2]), made.stderr
