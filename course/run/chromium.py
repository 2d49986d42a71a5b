"""Chromium, and JupyterLab in it as learners have it: for the tests, and for the matrix."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

from course.errors import CourseError
from course.run.terminal import environment
from utils import settings

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
# No sandbox: root in a container has none. The others keep a browser from asking the network.
OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
# Every cell stands in the page and not only those in view; saved soon; no question about news.
JUPYTERLAB = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "docmanager-extension/plugin": {"autosaveInterval": 2},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
TOKEN = "learner"


@contextlib.contextmanager
def jupyterlab(folder):
    """A JupyterLab that ``python -m course lab`` started, for root or not: its address.

    Parameters
    ----------
    folder : Path
        Takes its settings and the copies of the lessons (``work/my_notebooks``).

    Raises
    ------
    CourseError
        If it stops before it answers.
    """
    for name, content in JUPYTERLAB.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        settings.make_folder(path.parent)
        settings.write_json(path, content)
    own = {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "COURSE_WORK_DIR": str(with_cache(folder / "work")),
    }
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "course", "lab", "--", "--no-browser", f"--port={port}"]
    with (folder / "log").open("w") as log, environment(**own):
        server = subprocess.Popen(
            [*words, f"--IdentityProvider.token={TOKEN}"],
            cwd=settings.ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if server.poll() is not None:
                raise CourseError(f"JupyterLab stopped:\n{(folder / 'log').read_text()}")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        # Asked to stop, JupyterLab ends its kernels first; what does not stop is ended.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()
            for _ in range(50):
                os.killpg(server.pid, 0)
                time.sleep(0.2)
            os.killpg(server.pid, signal.SIGKILL)


def with_cache(work):
    """A ``$COURSE_WORK_DIR`` of one's own with the images that the course has prepared: Path."""
    data = settings.make_folder(work / "data")
    with contextlib.suppress(FileExistsError):
        (data / "cache").symlink_to(settings.make_folder(settings.cache()))
    return work


def run_all(page, address, copy, minutes):
    """Open a notebook in JupyterLab, run all its cells there, and end its kernel.

    What JupyterLab saves is what counts: it numbers a cell when the cell has ended.

    Parameters
    ----------
    page : playwright.sync_api.Page
    address : str
        From ``jupyterlab``.
    copy : Path
        The notebook in ``my_notebooks``; saved with its outputs.
    minutes : float
        That it may take.

    Returns
    -------
    str
        "ran", or in one line why it did not.
    """
    import nbformat
    from playwright.sync_api import TimeoutError

    path = f"lab/workspaces/{copy.stem}/tree/{copy.name}"
    page.goto(f"{address}/{path}?token={TOKEN}&reset")
    cells = len(nbformat.read(copy, 4).cells)
    page.wait_for_function(f"document.querySelectorAll('.jp-Notebook .jp-Cell').length == {cells}")
    # Before the kernel answers, Run All is not heard.
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    begun = page.locator(".jp-CodeCell .jp-InputPrompt", has_text=re.compile(r"[\d*]"))
    for _ in range(3):  # now and then it is not heard all the same
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        with contextlib.suppress(TimeoutError):
            begun.first.wait_for(timeout=20_000)
            break
    deadline = time.monotonic() + 60 * minutes
    result = None
    while result is None:
        page.wait_for_timeout(1000)
        result = _outcome(copy)
        if time.monotonic() > deadline:
            result = f"did not end within {minutes:g} minutes"
    if page.get_by_text("Error displaying widget").count():
        result = "a widget was not displayed"
    head = {"Authorization": f"token {TOKEN}"}
    for kernel in page.request.get(f"{address}/api/kernels", headers=head).json():
        page.request.delete(f"{address}/api/kernels/{kernel['id']}", headers=head)
    return result


def _outcome(copy):
    """What a saved notebook says of its run; None if it is not at its end."""
    import nbformat

    with contextlib.suppress(ValueError):  # read while it was written
        code = [c for c in nbformat.read(copy, 4).cells if c.cell_type == "code" and c.source]
        outputs = [output for cell in code for output in cell.outputs]
        for error in (output for output in outputs if output.output_type == "error"):
            return f"{error.ename}: {error.evalue}".splitlines()[0]
        if all(cell.execution_count for cell in code):
            return "ran"
    return None
