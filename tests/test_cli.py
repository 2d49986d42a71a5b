"""The command line itself."""

import asyncio
import io
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from course import cli
from utils import serve, settings


def test_help_and_refusals_come_without_the_slow_imports():
    code = (
        "import sys; from course import cli; cli.main(['run', 'nonsense'])\n"
        "slow = {'tensorflow', 'numpy', 'papermill', 'jupytext', 'nbformat'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=settings.ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_it_works_in_a_notebook_whose_streams_cannot_be_reconfigured(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert cli.main(["run", "nonsense"]) == 2
    assert "not of the form NAME=VALUE" in sys.stderr.getvalue()


@pytest.mark.skipif(os.name == "nt", reason="needs a shell that closes streams")
def test_it_works_with_closed_streams():
    code = (
        "import os, sys; from course import cli\n"
        "assert sys.stdout is sys.stderr is None\n"
        "code = cli.main(['run', 'nonsense'])\n"
        "with open(os.devnull) as file: fine = code == 2 and file.fileno() > 2\n"
        "sys.exit(0 if fine else 5)"
    )
    command = f'"{sys.executable}" -c "{code}" >&- 2>&-'
    assert subprocess.run(command, shell=True, cwd=settings.ROOT).returncode == 0


def test_folders_are_made_absolute_for_every_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAM10K_DIR", "images")
    monkeypatch.setattr("course.run.lab.lab", lambda options: 0)
    assert cli.main(["lab"]) == 0
    assert os.environ["HAM10K_DIR"] == str(tmp_path / "images")


@pytest.fixture
def served(monkeypatch):
    """What uvicorn was called with, in its place."""
    calls = []
    monkeypatch.setattr("uvicorn.run", lambda *words, **options: calls.append(options))
    return calls


def test_the_service_starts_where_it_can_listen(served):
    assert cli.main(["serve", "--port", "0"]) == 0
    assert served == [{"host": "127.0.0.1", "port": 0, "timeout_keep_alive": serve.IDLE}]


@pytest.mark.parametrize("port", ["taken", "99999", "-1"])
def test_an_address_that_cannot_be_listened_on_is_refused_at_once(served, capsys, port):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1]) if port == "taken" else port
        assert cli.main(["serve", "--port", port]) == 2
        assert cli.main(["serve", "--host", "no such host", "--port", "0"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"127.0.0.1:{port} cannot be listened on (")
    assert first.endswith("choose another with --port or --host.") and served == []
    assert second.startswith("no such host:0 cannot")


def test_a_notebook_cannot_serve(served, capsys):
    async def cell():
        return cli.main(["serve", "--port", "0"])

    assert asyncio.run(cell()) == 2
    assert "type `python -m course serve` into a terminal" in capsys.readouterr().err
    assert served == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_command_as_ctrl_c_does(monkeypatch, capsys, name):
    number, cleared = getattr(signal, name), []
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_DFL)  # not pytest's own
    before = signal.signal(number, signal.SIG_IGN)

    def run(given):
        try:
            os.kill(os.getpid(), number)
            time.sleep(20)
        finally:
            cleared.append(given)

    try:
        monkeypatch.setattr("course.run.terminal.run", run)
        assert cli.main(["run"]) == 130
        assert cleared and capsys.readouterr().err == "interrupted\n"
        os.kill(os.getpid(), number)  # ignored again
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ([], []),
        (["--no-browser", "--port", "9999"], ["--no-browser", "--port", "9999"]),
        (["--", "--no-browser", "--port=9999"], ["--no-browser", "--port=9999"]),
    ],
)
def test_jupyterlab_gets_its_own_options(monkeypatch, words, options):
    monkeypatch.setattr("course.run.lab.lab", lambda got: 0 if got == options else 1)
    assert cli.main(["lab", *words]) == 0


def test_tests_share_two_processes_unless_told_otherwise(monkeypatch):
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    called = []
    monkeypatch.setattr(pytest, "main", lambda words: called.append(words[1:]) or 0)
    for words in ([], ["-m", "not slow"], ["-n0", "-x"]):
        assert cli.main(["test", *words]) == 0
    two = ["-n", "2", "--dist", "worksteal"]
    assert called == [two, [*two, "-m", "not slow"], ["-n0", "-x"]]


def test_records_are_refused_without_the_folder_of_real_images(toy, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HAM10K_DIR", str(tmp_path / "nothing"))
    assert cli.main(["record", "LESSONS=toy"]) == 1
    assert "real images only" in capsys.readouterr().err
    assert cli.main(["record", "LESSONS=toy", "SOURCE=kaggle"]) == 2
    assert not (toy / "runs").exists()


def test_the_readme_is_current(capsys):
    assert cli.main(["pages", "--check"]) == 0, capsys.readouterr().err
