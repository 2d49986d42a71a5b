"""For all tests: a quiet TensorFlow on the CPU, no network, and a course of two toy lessons."""

import functools
import http.server
import ipaddress
import os
import shutil
import socket
import threading

import pytest
from threadpoolctl import threadpool_limits

from course import lessons
from course.build import notebooks
from course.run.chromium import BROWSER, OPTIONS
from utils import settings

# Before any test imports TensorFlow or starts a kernel, which inherits the environment.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ["COURSE_OFFLINE"] = "1"
# Processes of tests share the processors: with several threads in each, scikit-learn's trees wait
# for each other most of the time.
threadpool_limits(1)
settings.make_folders_absolute()


@pytest.hookimpl(tryfirst=True)  # before those that are not asked for are left out
def pytest_collection_modifyitems(items):
    """Slow tests first, so that of two processes none is left alone with a long one at the end.
    What uses the toy course executes its notebooks, and so is one of them."""
    for item in items:
        if "built" in item.fixturenames:
            item.add_marker("slow")
    items.sort(key=lambda item: "slow" not in item.keywords)


def _is_here(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in (None, "", "localhost")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Refuse every connection but those to this machine, as a machine without network does."""
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def refuse_connect(self, address):
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise ConnectionRefusedError(f"Tests have no network: {address[0]} was refused.")
        return connect(self, address)

    def refuse_lookup(host, *args, **kwargs):
        if not _is_here(host.decode() if isinstance(host, bytes) else host):
            raise socket.gaierror(f"Tests have no network: {host} was not looked up.")
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", refuse_connect)
    monkeypatch.setattr(socket, "getaddrinfo", refuse_lookup)


TOY = """# %% [markdown]
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](\
https://colab.research.google.com/github/{{ repository }}/blob/{{ branch }}/{{ notebook }})
#
# # A toy lesson
# {{ disclaimer }}

# %% tags=["parameters"]
SOURCE = "auto"
ALPHA = 0.35
SEED = 0
FAST = True

# %%
import json
import os
import sys
from pathlib import Path

print(Path.cwd().name, SOURCE, ALPHA, SEED, FAST, os.environ.get("HAM10K_SOURCE"))
if SEED == 9:
    raise ValueError("seed nine\\nis not good")
"""
MORE = """
# %%
# @title Setup
import os as system

# %% tags=["samples"]
folder = system.environ.get("HAM10K_DIR")
imshow = print
imshow("json" in globals(), SEED, system.listdir(folder) if folder else "no folder")
{"pixels": 2}

# %% tags=["pictures"]
imshow = print
real = os.environ.get("HAM10K_SOURCE") != "synthetic"
imshow("real pixels" if real else "SYNTHETIC", end="")
{"pixels": 3}

# %% tags=["exercise"]
class exercises:
    def check(number, answer):
        exercises.state = "right." if answer == 4 else "nothing answered yet."
        print(f"Exercise {number}:", exercises.state)


answer = ...
exercises.check("two.1", answer)

# %% tags=["solution"]
answer, other = 4, 5
exercises.check("two.1", answer)

# %%
# alt: Nothing is to be seen.
print(answer, "other" in globals(), exercises.state)
"""
LAST = """
# %%
headline = {"name": "roc_auc", "value": 0.87, "low": 0.81, "high": 0.92}
result = {"headline": headline, "source": "synthetic", "seed": SEED, "python": sys.executable}
folder = Path(os.environ["COURSE_RESULTS_DIR"])
_ = (folder / f"toy-seed{SEED}.json").write_text(json.dumps(result))
"""


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A course of two toy lessons, built once by its own commands."""
    root = tmp_path_factory.mktemp("built")
    (root / "notebooks" / "src").mkdir(parents=True)
    shutil.copy(lessons.NOTEBOOKS / "src" / "_setup.py", root / "notebooks" / "src")
    (root / "pyproject.toml").write_text(
        '[project]\nversion = "1.2"\n[tool.course]\nrepository = "someone/skin"\nbranch = "v1.2"\n'
        'lessons = ["toy", "two"]\n'
    )
    two = (TOY + MORE + LAST).replace("ALPHA", "BETA").replace("toy-seed", "two-seed")
    (root / "notebooks" / "src" / "toy.py").write_text(TOY + LAST)
    (root / "notebooks" / "src" / "two.py").write_text(two)
    with pytest.MonkeyPatch.context() as patch:
        _move_to(root, patch)
        for name in ("toy", "two"):
            assert "executed" in notebooks.build(root / "notebooks" / "src" / f"{name}.py")
    return root


def _move_to(root, patch):
    patch.setattr(lessons, "NOTEBOOKS", root / "notebooks")
    patch.setattr(notebooks, "require_real_lesions", lambda path: None)
    patch.setenv("COURSE_WORK_DIR", str(root))
    patch.delenv("COURSE_RESULTS_DIR", raising=False)


@pytest.fixture
def toy(built, tmp_path, monkeypatch):
    """A copy of it for one test."""
    root = tmp_path / "course"
    shutil.copytree(built, root)
    _move_to(root, monkeypatch)
    return root


@pytest.fixture
def mend():
    """``mend(path, old, new)`` replaces text that must be there."""

    def replace(path, old, new):
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return replace


@pytest.fixture(scope="module")
def chromium():
    """A Chromium for a module's tests, which skip where there is none."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=OPTIONS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(built):
    """Where a server for plain files, without headers of its own, has a module's ``built``."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    handler = functools.partial(Quiet, directory=built)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def service():
    """The address of a running prediction service with the shipped model."""
    import time

    import uvicorn

    from utils import serve

    config = uvicorn.Config(serve.app, port=0, log_level="warning", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def few_resamples(monkeypatch):
    """Twenty for every interval: enough to see that it is there."""
    from utils import evaluation

    draw = evaluation.resampled_lesions
    monkeypatch.setattr(
        evaluation, "resampled_lesions", lambda y, g, n=20, seed=0: draw(y, g, 20, seed)
    )
