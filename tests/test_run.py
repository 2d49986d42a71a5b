"""Running lessons, on the toy course."""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from course import cli, lessons
from course.run import terminal
from utils import settings


@pytest.mark.slow
def test_run_executes_in_the_notebooks_folder_and_ends_with_a_table(toy, capfd):
    assert cli.main(["run", "ALPHA=1.0", "SEED=4"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "[1/2] 00_toy ALPHA=1.0 SEED=4 ..."
    assert lines[1] == "notebooks auto 1.0 4 True None"
    assert lines[2] == "[2/2] 01_two SEED=4 ..."
    assert lines[3] == "notebooks auto 0.35 4 True None"
    row = next(line for line in lines[4:] if line.startswith("00_toy"))
    assert "roc_auc 0.87 [0.81, 0.92]  SYNTHETIC  " in row
    assert row.endswith(os.path.join("runs", "00_toy.ipynb"))
    assert lines[-1].endswith(f"-m course lab {toy / 'runs'}")
    names = sorted(p.name for p in (toy / "runs").iterdir())
    assert names == ["00_toy.ipynb", "01_two.ipynb", "results"]


def test_only_results_of_this_run_are_shown(toy, capsys):
    """Not those of an earlier run, nor of another with other parameters at the same time."""
    path = toy / "notebooks" / "00_toy.ipynb"
    notebook = nbformat.read(path, 4)
    del notebook.cells[-1]
    nbformat.write(notebook, path)
    headline = {"name": "roc_auc", "value": 0.87, "low": 0.81, "high": 0.92}
    result = {"headline": headline, "source": "folder", "seed": 3, "parameters": {"ALPHA": 0.35}}
    file = toy / "runs" / "results" / "toy-seed3.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(result))
    assert cli.main(["run", "LESSONS=00", "SEED=3"]) == 0
    row = capsys.readouterr().out.splitlines()[-3]
    assert row.startswith("00_toy") and "roc_auc" not in row

    used = {"SOURCE": "auto", "ALPHA": 0.35, "SEED": 3, "FAST": True}
    assert terminal.headline([file], used) == ("roc_auc 0.87 [0.81, 0.92]", "folder")
    assert terminal.headline([file], used | {"SEED": 4}) == ("-", "-")
    assert terminal.headline([file], used | {"ALPHA": 1.0}) == ("-", "-")


def test_two_runs_of_a_lesson_write_to_different_files_until_they_are_done(
    toy, tmp_path, monkeypatch
):
    (lesson, *_), written = lessons.choose_lessons("00"), []

    def note(lesson, unfinished, *_, **__):
        written.append(unfinished.name)
        unfinished.touch()

    monkeypatch.setattr("papermill.execute_notebook", note)
    for process in (11, 12):
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        terminal.run_notebook(lesson, {}, tmp_path / "00_toy.ipynb")
    assert written == [".00_toy.11.unfinished.ipynb", ".00_toy.12.unfinished.ipynb"]
    assert sorted(p.name for p in tmp_path.glob("*00_toy*")) == ["00_toy.ipynb"]


@pytest.mark.slow
def test_a_lesson_that_fails_stops_the_run_and_is_kept(toy, capfd, mend):
    for path in (toy / "notebooks").glob("*.ipynb"):
        mend(path, "SEED == 9", "SEED == 9 and 'BETA' in globals()")
    assert cli.main(["run", "SEED=9"]) == 1
    out, err = capfd.readouterr()
    failed = toy / "runs" / "01_two.failed.ipynb"
    assert err == f"lesson 01_two stopped: ValueError: seed nine (see {failed})\n"
    assert "roc_auc" in next(line for line in out.splitlines() if line.startswith("00_toy"))
    assert not any(line.startswith("01_two") for line in out.splitlines())
    names = {p.name for p in (toy / "runs").iterdir()}
    assert names == {"00_toy.ipynb", "01_two.failed.ipynb", "results"}
    assert cli.main(["run", "LESSONS=01", "SEED=1"]) == 0
    assert not failed.exists()


def test_the_kernel_is_this_python_whatever_else_is_registered(toy, tmp_path, monkeypatch):
    """And a folder of one's own takes everything that a run writes."""
    other = tmp_path / "jupyter" / "kernels" / "python3"
    other.mkdir(parents=True)
    spec = {"argv": ["no-such-python"], "display_name": "Python 3", "language": "python"}
    (other / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_WORK_DIR", "mine")
    assert cli.main(["run", "LESSONS=00"]) == 0
    runs = tmp_path / "mine" / "runs"
    result = json.loads((runs / "results" / "toy-seed0.json").read_text())
    assert os.path.samefile(result["python"], sys.executable)
    assert (runs / "00_toy.ipynb").exists() and not (toy / "runs").exists()


def test_what_is_set_for_other_programs_harms_no_lesson(monkeypatch, capsys):
    """A container's MPLBACKEND, under which a kernel shows no figure; a desktop's SOCKS proxy,
    under which JupyterLab and httpx do not even start."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(terminal.importlib.util, "find_spec", lambda name: None)
    with terminal.environment():
        assert "MPLBACKEND" not in os.environ  # then a kernel takes the notebook's
        assert "ALL_PROXY" not in os.environ and os.environ["https_proxy"] == "http://127.0.0.1:9"
    assert os.environ["MPLBACKEND"] == "Agg" and "ALL_PROXY" in os.environ
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("ALL_PROXY: a SOCKS proxy") and "pip install" in said
    monkeypatch.setattr(terminal.importlib.util, "find_spec", lambda name: name)
    with terminal.environment():
        assert "ALL_PROXY" in os.environ  # what it needs is installed
    assert capsys.readouterr().err == ""


def test_nobody_without_a_home_gets_one_for_jupyter(monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", str)  # what it then returns
    monkeypatch.delenv("HOME")
    with terminal.environment():
        assert os.path.isdir(os.environ["HOME"])
    assert "HOME" not in os.environ


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_a_run_that_is_ended_leaves_nothing_unfinished(toy, mend):
    path = toy / "notebooks" / "00_toy.ipynb"
    mend(path, "print(Path", "import time; print('begun', flush=True); time.sleep(60); print(Path")
    code = (
        "import sys; from pathlib import Path; from course import cli, lessons\n"
        f"lessons.NOTEBOOKS = Path({str(toy / 'notebooks')!r})\n"
        "sys.exit(cli.main(['run', 'LESSONS=00']))"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", code], cwd=settings.ROOT, stdout=subprocess.PIPE, text=True
    )
    assert any("begun" in line for line in command.stdout)
    assert list((toy / "runs").glob(".*"))
    command.terminate()
    command.wait(30)
    assert list((toy / "runs").glob(".*")) == []


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(toy, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()  # root may write into any folder, but nobody into a file
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path / "file"))
    assert cli.main(["run", "LESSONS=00"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert f"{tmp_path / 'file' / 'runs'} cannot be written" in err
    assert "set COURSE_WORK_DIR to a folder of your own" in err


@pytest.mark.slow
def test_a_kernel_that_a_test_starts_has_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    code = f"import sys; sys.path.insert(0, {str(settings.ROOT)!r})\nfrom utils import data\n"
    cell = nbformat.v4.new_code_cell(code + "data.load_table('kaggle')")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    with terminal.environment():
        NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()
    (error,) = (o for o in notebook.cells[0].outputs if o.output_type == "error")
    assert error.ename == "ConnectionError"
    assert "COURSE_OFFLINE forbids the network" in error.evalue
