"""JupyterLab as a learner meets it: on copies of the lessons, in a real browser."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from course.errors import CourseError
from course.lessons import NOTEBOOKS
from course.run import chromium, lab
from utils import settings

SMALL = 'SOURCE = "synthetic"\nSIZE = 28\nALPHA = 0.35\nSEED = 0\nEPOCHS = 1\nFINE_TUNE_EPOCHS = 1'
CHECK = 'exercises.check("quickstart.2", alarms, table=test.table, called=called)'
WRONG = f'alarms = test.table["dx"].value_counts()\n{CHECK}'
RIGHT = f"""rows = called & (test.table["dx"] != "mel")
alarms = test.table["dx"][rows].value_counts()
{CHECK}"""
DONE = """() => {
    const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
        .map(prompt => prompt.textContent).filter(text => text)  // a folded cell shows none
    return prompts.every(text => /\\d/.test(text))
}"""


def test_every_lesson_is_copied_once(toy, mend):
    first, second = lab.copies()
    assert first.read_bytes() == (toy / "notebooks" / "00_toy.ipynb").read_bytes()
    first.write_text("my answers")
    second.unlink()
    shutil.copy(toy / "notebooks" / "01_two.ipynb", toy / "notebooks" / "02_new.ipynb")
    mend(toy / "pyproject.toml", '"two"]', '"two", "new"]')
    assert [copy.name for copy in lab.copies()] == ["00_toy.ipynb", "01_two.ipynb", "02_new.ipynb"]
    assert first.read_text() == "my answers"
    assert second.exists() and (toy / "my_notebooks" / "02_new.ipynb").exists()


def test_a_read_only_lesson_becomes_a_copy_that_can_be_saved(toy):
    (toy / "notebooks" / "00_toy.ipynb").chmod(0o444)
    assert lab.copies()[0].stat().st_mode & 0o200


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(toy, monkeypatch):
    monkeypatch.setenv("COURSE_WORK_DIR", str(toy / "pyproject.toml"))
    with pytest.raises(CourseError, match=r"my_notebooks cannot be written .* COURSE_WORK_DIR"):
        lab.copies()


@pytest.fixture
def started(toy, monkeypatch):
    """What JupyterLab would be started with: a list of its words, and the environment."""
    calls = []

    class Process:
        def __init__(self, words):
            calls.append((words[3:], dict(os.environ)))

        def wait(self):
            return 5

    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    return calls


def test_jupyterlab_opens_the_first_copy(toy, started, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", "before")
    assert lab.lab(["--port=9999"]) == 5
    ((words, variables),) = started
    mine = toy / "my_notebooks"
    assert words == [
        "--LabApp.news_url=None",
        f"--ServerApp.root_dir={mine}",
        "--LabApp.default_url=/lab/tree/00_toy.ipynb",
        "--port=9999",
    ]
    assert variables["PYTHONPATH"] == os.pathsep.join([str(settings.ROOT), "before"])
    (line,) = capsys.readouterr().out.splitlines()
    assert str(mine) in line


def test_root_has_to_be_allowed(started, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    lab.lab([])
    assert "--allow-root" in started[0][0]


@pytest.mark.parametrize("option", ["notebooks", "--notebook-dir=x", "--ServerApp.root_dir=x"])
def test_another_folder_is_opened_instead(toy, started, monkeypatch, option):
    monkeypatch.chdir(toy)
    lab.lab([option])
    assert started[0][0] == ["--LabApp.news_url=None", option]
    assert not (toy / "my_notebooks").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_jupyterlab_ends_with_the_command(toy, tmp_path, name):
    """The signal goes to the command alone, as a service manager sends it."""
    (tmp_path / "jupyterlab.py").write_text(
        f"import os, time\nopen({str(tmp_path / 'started')!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(120)"
    )
    command = subprocess.Popen(
        [sys.executable, "-m", "course", "lab"],
        cwd=settings.ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(600):  # a busy machine takes its time
            if (tmp_path / "started").exists() and (tmp_path / "started").read_text():
                break
            time.sleep(0.1)
        command.send_signal(getattr(signal, name))
        command.wait(30)
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "started").read_text()), 0)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)


@pytest.fixture
def jupyterlab(tmp_path):
    """The address of a JupyterLab that ``python -m course lab`` started, for root or not."""
    with chromium.jupyterlab(tmp_path) as address:
        yield f"{address}/?token={chromium.TOKEN}"


@pytest.mark.slow
@pytest.mark.skipif(not chromium.BROWSER, reason="there is no Chromium: JupyterLab was not tried")
def test_a_learner_runs_the_first_lesson_and_answers_an_exercise(jupyterlab, tmp_path):
    from playwright.sync_api import expect, sync_playwright

    committed = {path: path.read_bytes() for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    lesson = nbformat.read(NOTEBOOKS / "00_quickstart.ipynb", 4)
    folded = [c for c in lesson.cells if c.metadata.get("jupyter", {}).get("source_hidden")]
    shots = settings.make_folder(settings.ROOT / "runs" / "screenshots")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium.BROWSER, args=chromium.OPTIONS)
        page = opened.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(120_000)
        expect.set_options(timeout=120_000)
        cells = page.locator(".jp-Notebook .jp-Cell")

        def cell(text):
            (place,) = [
                i
                for i, c in enumerate(lesson.cells)
                if c.cell_type == "code" and text in c.source.splitlines()
            ]
            return cells.nth(place)

        page.goto(jupyterlab)
        expect(cells).to_have_count(len(lesson.cells))
        assert page.url.endswith("/lab/tree/00_quickstart.ipynb")
        assert page.locator(".jp-Launcher").count() == 0
        shown = page.locator(".jp-DirListing-itemText").all_inner_texts()
        assert shown == [path.name for path in committed]
        page.screenshot(path=shots / "1-opened.png")

        cell("FINE_TUNE_EPOCHS = 10").locator(".cm-content").click()
        page.keyboard.press("Control+A")
        page.keyboard.type(SMALL)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.locator(".jp-InputPrompt", has_text="*").first.wait_for()
        page.wait_for_function(DONE, timeout=600_000)
        page.locator(".jp-RenderedImage").first.scroll_into_view_if_needed()
        page.screenshot(path=shots / "2-run.png")
        for bad in ("error", "stderr"):
            found = page.locator(f'[data-mime-type="application/vnd.jupyter.{bad}"]')
            assert found.all_inner_texts() == []
        assert page.locator(".jp-CodeCell .jp-InputPlaceholder").count() == len(folded) > 0

        folds = page.locator(".jp-MarkdownCell details")
        assert folds.filter(has_text="Solution of quickstart.2").count() == 1
        assert page.locator(".jp-MarkdownCell details[open]").count() == 0

        exercise = cell(CHECK)
        for answer, verdict in ((WRONG, "not yet."), (RIGHT, "right.")):
            exercise.locator(".cm-line").first.click()
            page.keyboard.press("Control+A")
            page.keyboard.insert_text(answer)
            page.keyboard.press("Control+Enter")
            expected = f"Exercise quickstart.2: {verdict}"
            expect(exercise.locator(".jp-OutputArea")).to_contain_text(expected)
            page.screenshot(path=shots / f"3-{verdict[:5].strip()}.png")
        copy = tmp_path / "work" / "my_notebooks" / "00_quickstart.ipynb"
        page.keyboard.press("Control+S")
        for _ in range(600):
            if "Exercise quickstart.2: right." in copy.read_text(encoding="utf-8"):
                break
            page.wait_for_timeout(200)
        opened.close()
    mine = copy.read_bytes()
    assert b"rows = called" in mine and b"Exercise quickstart.2: right." in mine
    assert {path: path.read_bytes() for path in sorted(NOTEBOOKS.glob("*.ipynb"))} == committed
    lab.copies()
    assert copy.read_bytes() == mine
