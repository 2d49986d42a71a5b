"""The teacher's table: stored outputs of checks in submitted notebooks."""

import csv
import errno
import json
import os
import pathlib
import shutil
import sys
import zipfile

import pytest

from course import cli, lessons
from course.run import grade
from utils import exercises

CHECK = 'exercises.check("confidence.{}", answer)'


def cell(source, *texts, tags=(), errors=()):
    """A code cell that printed ``texts``, each in an output of its own."""
    outputs = [{"output_type": "stream", "name": "stdout", "text": text} for text in texts]
    outputs += [{"output_type": "error", "ename": e, "evalue": "", "traceback": []} for e in errors]
    tags = {"tags": list(tags)} if tags else {}
    return {"cell_type": "code", "metadata": tags, "source": source, "outputs": outputs}


def notebook(*cells):
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def submit(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def check(n, *texts, **more):
    return cell(CHECK.format(n), *texts, **more)


def right(n):
    return f"Exercise confidence.{n}: right. It is.\n"


def wrong(n):
    return f"Exercise confidence.{n}: not yet. Exercise on.\n"


def blank(n):
    return f"Exercise confidence.{n}: nothing answered yet. Replace the ...\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A fourth exercise, so that one notebook can hold each state."""
    fourth = exercises.find("confidence.3")
    monkeypatch.setitem(exercises.CHECKS, "confidence.4", fourth)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sent").mkdir()
    return tmp_path / "sent"


def rows(path="grades.csv"):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def states(path="grades.csv"):
    return [row["state"] for row in rows(path)]


def test_each_state_is_read_whatever_the_file_is_called_and_nothing_is_run(folder, capsys):
    danger = 'open("run", "w")'
    submit(
        folder / "a" / "Copy of mine (1).ipynb",
        notebook(
            {"cell_type": "markdown", "metadata": {}, "source": [right(4)]},
            cell([danger]),
            check(1, ["Epoch 1\n", "Exercise confid"], "ence.1: right. It", [" is.\n"]),
            check(2, wrong(2)),
            check(3, blank(3)),
            check(4, errors=["NameError"]),
        ),
    )
    assert cli.main(["grade", "sent"]) == 0
    assert states() == ["right", "not yet", "not begun", "no output"]
    assert rows()[0] == {
        "file": "a/Copy of mine (1).ipynb",
        "lesson": "confidence",
        "exercise": "confidence.1",
        "state": "right",
    }
    out, err = capsys.readouterr()
    assert out == f"grades.csv: 1 of 4 exercises are right.\n{grade.NOTE}\n" and err == ""
    assert sorted(os.listdir()) == ["grades.csv", "sent"]


def test_the_best_of_a_learners_cells_counts_and_no_solution(folder):
    warned = check(3, right(3))
    warned["outputs"][0]["name"] = "stderr"
    submit(
        folder / "07_confidence.ipynb",
        notebook(
            check(1, wrong(1), tags=["exercise"]),
            check(1, right(1), tags=["solution"]),
            check(2, right(2)),
            check(2, blank(2)),
            warned,
        ),
    )
    assert cli.main(["grade", "sent", "--out", "mine.csv"]) == 0
    assert states("mine.csv") == ["not yet", "right", "no output", "no output"]


def test_what_cannot_be_graded_is_said_in_a_sentence_and_the_others_are_graded(folder, capsys):
    submit(folder / "good.ipynb", notebook(check(1, right(1))))
    submit(folder / "no_json.ipynb", "PK")
    submit(folder / "empty.ipynb", "")
    submit(folder / "deep.ipynb", "[" * 200_000)
    for n, content in enumerate(
        ([], {}, 3, None, {"cells": 1}, {"cells": [1]}, {"cells": [{"cell_type": "code"}]})
    ):
        submit(folder / f"shape{n}.ipynb", json.dumps(content))
    submit(folder / "text.ipynb", notebook(cell("", None)))
    submit(folder / "other.ipynb", notebook(cell("print(1)")))
    submit(folder / "old.ipynb", notebook(cell('exercises.check("gone.1", 1)')))
    (folder / "missing.ipynb").symlink_to("nowhere")
    with zipfile.ZipFile(folder / "all.zip", "w") as file:
        file.writestr("x.ipynb", "{}")
    submit(folder / ".ipynb_checkpoints" / "good-checkpoint.ipynb", notebook(check(1, right(1))))
    submit(folder / "__MACOSX" / "._good.ipynb", "\0")
    assert cli.main(["grade", "sent"]) == 1
    assert {row["file"] for row in rows()} == {"good.ipynb"}
    said = dict(line.split(" ", 1) for line in capsys.readouterr().err.splitlines())
    no_notebook = {"no_json", "empty", "deep", "text", *(f"shape{n}" for n in range(7))}
    sentence = "is not a notebook: ask for it again, saved as .ipynb."
    assert said == dict.fromkeys((f"{n}.ipynb" for n in no_notebook), sentence) | {
        "other.ipynb": "calls no check of a lesson.",
        "old.ipynb": "calls no check of a lesson.",
        "missing.ipynb": "is not a file.",
        "all.zip": "is a zip: unpack it first.",
    }


def test_what_may_not_be_read_is_said(folder, capsys, monkeypatch):
    submit(folder / "good.ipynb", notebook(check(1, right(1))))
    submit(folder / "locked.ipynb", notebook(check(1, right(1))))
    (folder / "inside").mkdir()
    read, scan = pathlib.Path.read_bytes, os.scandir

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    # By hand, since root may read everything.
    monkeypatch.setattr(
        pathlib.Path, "read_bytes", lambda p: refuse(p) if p.stem == "locked" else read(p)
    )
    monkeypatch.setattr(os, "scandir", lambda p: refuse(p) if "inside" in str(p) else scan(p))
    assert cli.main(["grade", "sent"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{os.path.join('sent', 'inside')} cannot be read (Permission denied).",
        "locked.ipynb cannot be read (Permission denied).",
    ]
    assert len(rows()) == 4


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere"], 2, "nowhere is not a folder with notebooks; a zip must be unpacked first."),
        (["all.zip"], 2, "all.zip is not a folder with notebooks; a zip must be unpacked first."),
        (["empty"], 1, "There is no notebook of a lesson in empty: nothing was written."),
        (["sent", "--out", "no/x.csv"], 1, "no/x.csv cannot be written (No such file"),
        (["sent", "--out", "empty"], 1, "empty cannot be written ("),
        (["sent", "--out", "."], 1, ". cannot be written ("),
    ],
)
def test_a_command_that_cannot_grade_writes_nothing(folder, capsys, words, code, said):
    submit(folder / "good.ipynb", notebook(check(1, right(1))))
    (folder.parent / "empty").mkdir()
    (folder.parent / "all.zip").touch()
    before = sorted(os.listdir())
    assert cli.main(["grade", *words]) == code
    assert capsys.readouterr().err.startswith(said)
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}"])
def test_a_file_name_is_no_formula_in_a_spreadsheet(folder, start):
    name = f"{start}1+1.ipynb"
    submit(folder / name, notebook(check(1, right(1))))
    submit(folder / "\u00fc.ipynb", notebook(check(1, right(1))))
    assert cli.main(["grade", "sent"]) == 0
    assert {row["file"] for row in rows()} == {f"'{name}", "\u00fc.ipynb"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_file_name_that_is_no_text_is_graded_too(folder):
    submit(folder / os.fsdecode(b"caf\xe9.ipynb"), notebook(check(1, right(1))))
    assert cli.main(["grade", "sent"]) == 0
    assert rows()[0]["file"] == "caf?.ipynb"


def test_the_courses_own_notebooks_are_graded_as_not_begun(tmp_path, monkeypatch):
    shutil.copy(lessons.notebook("confidence"), tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["grade", "."]) == 0
    assert states() == ["not begun"] * len(exercises.numbers("confidence"))


def test_help_says_that_outputs_can_be_typed(capsys):
    with pytest.raises(SystemExit):
        cli.main(["grade", "--help"])
    assert "Anyone can type an output" in " ".join(capsys.readouterr().out.split())
