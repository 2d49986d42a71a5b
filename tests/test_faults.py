"""What goes wrong on real machines: downloads, full disks, killed kernels, two at once, odd paths.

Each ends in one clear sentence, and nothing is lost. docs/PROOF.md lists these tests with those of
other files.
"""

import base64
import contextlib
import hashlib
import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from PIL import Image

from course import cli, lessons
from course.errors import CourseError
from course.run import lab, terminal
from utils import data, predict, pretrained, settings, training
from utils.data import kaggle, synthetic
from utils.quiet import keras

ODD = "mes données 学习"  # a blank, an accent, and what is no Latin letter


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of one's own for all that the course writes, no source set, and a network."""
    monkeypatch.setattr(data, "_said", set())
    for name in ("HAM10K_DIR", "HAM10K_SOURCE", "COURSE_OFFLINE", "COURSE_RESULTS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COURSE_WORK_DIR", str(tmp_path / "work"))
    return tmp_path


# --- downloads


@pytest.fixture
def host(monkeypatch):
    """Kaggle and the host of the weights, on this machine: what they send, and in which way.

    ``way`` is "whole", "cut", "stalled", "wrong" (other bytes than the checksum is of) or "500".
    """
    state = {"way": "whole", "files": {}, "asked": [], "go on": threading.Event()}

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            name = json.loads(body)["fileName"] if body else self.path.rpartition("/")[2]
            state["asked"].append(name)
            content, way = state["files"][name], state["way"]
            self.send_response(500 if way == "500" else 200)
            self.send_header("Content-Length", str(0 if way == "500" else len(content)))
            checksum = base64.b64encode(hashlib.md5(content).digest()).decode()
            self.send_header("x-goog-hash", f"md5={checksum}")
            self.end_headers()
            if way == "wrong":
                middle = len(content) // 2
                content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            if way in ("cut", "stalled"):
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                if way == "stalled":
                    state["go on"].wait(60)
            elif way != "500":
                self.wfile.write(content)

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr("urllib.request._opener", None)  # remembers proxies
    monkeypatch.setattr(pretrained, "HOST", f"{address}/")
    kaggle_env = importlib.import_module("kagglesdk.kaggle_env")  # of kagglehub
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, address)
    # Half a second instead of twenty, and of a minute in all.
    limit = socket.setdefaulttimeout
    monkeypatch.setattr(socket, "setdefaulttimeout", lambda s: limit(s and min(s, 0.5)))
    monkeypatch.setattr(kaggle, "METADATA_SECONDS", 2)
    yield state
    state["go on"].set()
    server.shutdown()
    server.server_close()


WAYS = {
    "cut": r"IncompleteRead|retrieval incomplete",
    "stalled": r"timed out|no answer within",
    "500": "500",
    "wrong": "(?i)md5|checksum",
}


@pytest.mark.parametrize("way", WAYS)
def test_weights_that_do_not_come_whole_are_not_kept_and_come_the_next_time(
    own, host, monkeypatch, way
):
    monkeypatch.setenv("KERAS_HOME", str(own / "keras"))
    name = pretrained.FILE.format(alpha=0.35, size=96)
    host["files"][name] = pretrained.SHIPPED.read_bytes()
    host["way"] = way
    with pytest.raises(ConnectionError, match=WAYS[way]) as refused:
        pretrained.mobilenet_v2(0.35, 96)
    said = str(refused.value)
    assert said.startswith(f"{name} cannot be fetched (") and "\n" not in said
    assert "Connect to the network once, or put http" in said
    assert os.listdir(own / "keras" / "models") == []
    host["way"] = "whole"
    assert pretrained.mobilenet_v2(0.35, 96).read_bytes() == host["files"][name]


@pytest.fixture
def kaggles(own, host, monkeypatch):
    """Kaggle's two files of eight images, on the host."""
    monkeypatch.setattr(settings, "ROOT", own)  # without data/ham10000
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(own / "kagglehub"))
    for name in kaggle.MOUNTS:
        monkeypatch.delenv(name, raising=False)
    rng, rows = np.random.RandomState(0), []
    for i in range(8):
        dx = data.DX[i % 7]
        rows.append((f"HAM_{i:07d}", f"ISIC_{i:07d}", dx, "histo", 50.0, "male", "back"))
    table = pd.DataFrame(rows, columns=data.COLUMNS).to_csv(index=False)
    pixels = np.column_stack([rng.randint(0, 256, (8, 28 * 28 * 3)), np.arange(8) % 7])
    pixels = pd.DataFrame(pixels, columns=kaggle.HEADER).to_csv(index=False)
    host["files"] |= {kaggle.METADATA: table.encode(), kaggle.PIXELS: pixels.encode()}
    return host


@pytest.mark.parametrize("way", WAYS)
def test_kaggles_files_that_do_not_come_whole_are_not_used_and_come_the_next_time(kaggles, way):
    kaggles["way"] = way
    with pytest.raises(ConnectionError, match=WAYS[way]) as refused:
        data.load_lesions("kaggle")
    said = str(refused.value)
    assert said.startswith("HAM10000 from Kaggle cannot be fetched (") and "\n" not in said
    assert said.endswith("): try again, or take source='synthetic'.")
    assert way != "wrong" or len(re.findall(r"[\w+/]{22}==", said)) == 2  # both checksums
    kaggles["way"] = "whole"
    assert len(data.load_lesions("kaggle")) == 8
    kaggles["asked"].clear()
    assert len(data.load_lesions("kaggle")) == 8 and kaggles["asked"] == []


# --- a full disk


@pytest.fixture
def disk(tmp_path):
    """``disk(kilobytes)`` makes a small file system, or makes it larger: its folder."""
    place = tmp_path / "disk"
    place.mkdir()

    def make(kilobytes):
        again = "remount," if os.path.ismount(place) else ""
        options = f"{again}size={kilobytes}k"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("a small file system can only be made by root on Linux")
        return place

    yield make
    if os.path.ismount(place):
        subprocess.run(["umount", "--lazy", place], check=True)


def files(folder):
    """The files in a folder at any depth, hidden ones too: dict of relative path to content."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


FULL = r"cannot be written \(No space left on device\): free some space there, or set COURSE_WORK"


def test_prepared_images_on_a_full_disk_are_whole_and_the_others_come_with_space(
    own, disk, monkeypatch
):
    place = disk(100)
    monkeypatch.setenv("COURSE_WORK_DIR", str(place))
    with pytest.raises(OSError, match=FULL):
        data.load_lesions("synthetic", 64, lambda t: t[:40])
    kept = files(place)
    assert 3 < len(kept) < 40 and all(name.endswith(".png") for name in kept)
    for path in place.rglob("*.png"):
        with Image.open(path) as image:
            image.load()
    disk(4000)
    monkeypatch.setattr(synthetic, "draw", counted(synthetic.draw, drawn := []))
    assert len(data.load_lesions("synthetic", 64, lambda t: t[:40])) == 40
    assert len(drawn) == 40 - len(kept) and kept.items() < files(place).items()


def counted(function, calls):
    return lambda *args: calls.append(args) or function(*args)


def test_weights_on_a_full_disk_are_not_kept(own, disk, host, monkeypatch):
    place = disk(100)
    monkeypatch.setenv("KERAS_HOME", str(place))
    name = pretrained.FILE.format(alpha=0.35, size=96)
    host["files"][name] = pretrained.SHIPPED.read_bytes()
    with pytest.raises(ConnectionError, match="No space left on device") as refused:
        pretrained.mobilenet_v2(0.35, 96)
    assert "\n" not in str(refused.value) and files(place) == {}
    disk(8000)
    assert pretrained.mobilenet_v2(0.35, 96).read_bytes() == host["files"][name]


def test_copies_of_lessons_on_a_full_disk_are_whole(toy, disk, monkeypatch):
    (toy / "notebooks" / "01_two.ipynb").write_bytes(b" " * 300_000)
    place = disk(200)
    monkeypatch.setenv("COURSE_WORK_DIR", str(place))
    with pytest.raises(CourseError, match=FULL):
        lab.copies()
    assert files(place).keys() == {"my_notebooks/00_toy.ipynb"}
    mine = place / "my_notebooks" / "00_toy.ipynb"
    mine.write_text("my answers")
    disk(1000)
    assert [copy.name for copy in lab.copies()] == ["00_toy.ipynb", "01_two.ipynb"]
    assert mine.read_text() == "my answers"


def test_a_run_on_a_full_disk_says_so_and_keeps_the_last_one(toy, disk, monkeypatch, capsys):
    place = disk(400)
    monkeypatch.setenv("COURSE_WORK_DIR", str(place))
    assert cli.main(["run", "LESSONS=00"]) == 0
    before = files(place)
    (place / "other").write_bytes(b"x" * (1024 * (400 - 16) - sum(map(len, before.values()))))
    capsys.readouterr()
    assert cli.main(["run", "LESSONS=00", "SEED=3"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lesson 00_toy stopped: ") and "No space left on device" in line
    after = files(place)
    assert before.items() < after.items() and not [n for n in after if "unfinished" in n]


def test_a_backup_on_a_full_disk_keeps_the_last_one_and_resumes_with_space(disk, capsys):
    """HDF5 would end the whole process where a disk has no room."""
    place = disk(1500)

    class Filling(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                (place / "other").write_bytes(b"x" * (shutil.disk_usage(place).free - 8192))

    x = keras.Input((8, 8, 3))
    hidden = keras.layers.Dense(200)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(x, keras.layers.Dense(7)(hidden))

    def train(*callbacks):
        images, labels = np.zeros((16, 8, 8, 3), np.uint8), np.arange(16) % 7
        called = {"epochs": 2, "batch_size": 8, "strength": None, "verbose": 0}
        backup = place / "a.weights.h5"
        training.all_layers(model, images, labels, 8, backup, **called, callbacks=callbacks)

    with pytest.raises(OSError, match=FULL) as refused:
        train(Filling())
    assert "\n" not in str(refused.value)
    assert files(place).keys() == {"a.weights.h5", "other"}
    disk(4000)
    train()
    assert "1 of 2 epochs are done, resuming from there" in capsys.readouterr().out


def test_a_model_on_a_full_disk_keeps_the_last_one(disk):
    place = disk(200)
    x = keras.Input((8, 8, 3))
    hidden = keras.layers.Dense(200)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(x, keras.layers.Dense(1, "sigmoid")(hidden))
    facts = {"threshold": 0.5, "source": "synthetic"}
    predict.save_model(model, facts, place / "m.keras")
    before = files(place)
    (place / "other").write_bytes(b"x" * (shutil.disk_usage(place).free - 8192))
    with pytest.raises(OSError, match=FULL) as refused:
        predict.save_model(model, facts | {"threshold": 0.6}, place / "m.keras")
    assert "\n" not in str(refused.value)
    assert before.items() < files(place).items() and len(files(place)) == len(before) + 1


# --- a killed kernel


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_a_lesson_whose_kernel_is_killed_stops_and_the_last_run_is_kept(toy, capfd, mend):
    assert cli.main(["run", "LESSONS=00"]) == 0
    before = files(toy / "runs")
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL); print(Path"
    mend(toy / "notebooks" / "00_toy.ipynb", "print(Path", kill)
    capfd.readouterr()
    assert cli.main(["run", "LESSONS=00"]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert re.match(
        r"lesson 00_toy stopped: DeadKernelError: Kernel died \(see .*failed.ipynb", line
    )
    after = files(toy / "runs")
    assert before.items() < after.items() and "00_toy.failed.ipynb" in after


KILLED = """
import numpy as np, os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from keras.callbacks import BackupAndRestore, Callback
from utils.quiet import keras


class Killed(Callback):
    def on_epoch_begin(self, epoch, logs=None):
        print("epoch", epoch, flush=True)
        if epoch == 2 and not os.path.exists("killed"):
            Path("killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)


keras.utils.set_random_seed(0)
x = np.random.RandomState(0).normal(size=(64, 4)).astype("float32")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, x[:, :1], epochs=4, callbacks=[BackupAndRestore("backup"), Killed()], verbose=0)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_a_training_whose_kernel_is_killed_resumes_in_the_next_kernel(tmp_path):
    """With Keras's own backup, as the lesson training teaches it."""
    from nbclient.exceptions import DeadKernelError

    where = {"metadata": {"path": str(tmp_path)}}

    def run():
        cell = nbformat.v4.new_code_cell(KILLED.format(root=str(settings.ROOT)))
        notebook = nbformat.v4.new_notebook(cells=[cell])
        with terminal.environment():
            NotebookClient(notebook, kernel_name="python3", resources=where).execute()
        said = [o.text for o in notebook.cells[0].outputs if o.get("name") == "stdout"]
        return "".join(said).splitlines()

    with pytest.raises(DeadKernelError):
        run()
    assert run() == ["epoch 2", "epoch 3"]


# --- two at once


def at_once(code, *arguments, count=2):
    """Run a program several times at the same moment; what each said, after none failed.

    Each imports what it needs, then waits for the others at a pipe that opens for all.
    """
    ready = "print('ready', flush=True)\nsys.stdin.read()"
    code = "import sys\n" + code.replace("# GO", ready)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=settings.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.close()
        process.stdin = None
    said = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0] * count, said
    return [out for out, _ in said]


DIGEST = """
import hashlib
from utils import data
# GO
lesions = data.load_lesions("synthetic", 32, lambda t: t[:20])
print(hashlib.sha256(lesions.images.tobytes()).hexdigest())
"""


def test_two_that_prepare_the_same_images_get_the_same(own):
    said = {out.splitlines()[-1] for out in at_once(DIGEST, count=3)}
    expected = data.load_lesions("synthetic", 32, lambda t: t[:20]).images
    assert said == {hashlib.sha256(expected.tobytes()).hexdigest()}
    kept = files(own / "work")
    assert len(kept) == 20 and all(Path(name).name.startswith("SYN_") for name in kept)


WEIGHTS = """
from utils import pretrained
pretrained.HOST = sys.argv[1]
# GO
print(pretrained.mobilenet_v2(0.35, 96))
"""


def test_two_that_fetch_the_same_weights_get_the_whole_file(own, host, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(own / "keras"))
    name = pretrained.FILE.format(alpha=0.35, size=96)
    host["files"][name] = pretrained.SHIPPED.read_bytes()
    said = at_once(WEIGHTS, pretrained.HOST)
    path = own / "keras" / "models" / name
    assert [out.splitlines()[-1] for out in said] == [str(path)] * 2
    assert files(own / "keras") == {f"models/{name}": host["files"][name]}


TRAINING = """
import numpy as np
from utils import training
from utils.quiet import keras
keras.utils.set_random_seed(0)
x = keras.Input((8, 8, 3))
y = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(x))
model = keras.Model(x, keras.layers.Dense(7)(y))
images = np.random.RandomState(0).randint(0, 256, (64, 8, 8, 3)).astype(np.uint8)
# GO
called = {"epochs": 6, "batch_size": 16, "strength": None, "verbose": 0}
training.all_layers(model, images, np.arange(64) % 7, 8, sys.argv[1], **called)
print([np.round(w, 4).tolist() for w in model.get_weights()])
"""


@pytest.mark.slow
def test_two_trainings_with_one_backup_end_at_the_same_weights(tmp_path):
    both = at_once(TRAINING, tmp_path / "a.weights.h5")
    (alone,) = at_once(TRAINING, tmp_path / "b.weights.h5", count=1)
    assert {out.splitlines()[-1] for out in [*both, alone]} == {alone.splitlines()[-1]}
    assert sorted(os.listdir(tmp_path)) == ["a.weights.h5", "b.weights.h5"]


COPIES = """
from course import lessons
from course.run import lab
# GO
print(len(lab.copies()))
"""


def test_two_that_open_jupyterlab_copy_each_lesson_once(own):
    expected = len(lessons.names()) + len(lessons.optional())
    assert at_once(COPIES) == [f"{expected}\n"] * 2
    kept = files(own / "work" / "my_notebooks")
    assert len(kept) == expected
    assert kept["00_quickstart.ipynb"] == lessons.notebook("quickstart").read_bytes()


# --- blanks and letters that are not ASCII in paths


def test_images_weights_and_cache_lie_in_any_folder(own, host, monkeypatch):
    folder = own / ODD / "HAM 10000"
    folder.mkdir(parents=True)
    rows = []
    for i in range(7):
        Image.new("RGB", (200, 150), (30 * i, 99, 99)).save(folder / f"ISIC_{i:07d}.jpg")
        rows.append((f"HAM_{i}", f"ISIC_{i:07d}", data.DX[i], "histo", 50.0, "male", "back"))
    table = pd.DataFrame(rows, columns=data.COLUMNS)
    table.to_csv(folder / "HAM10000_metadata.csv", index=False)
    monkeypatch.setenv("HAM10K_DIR", str(folder))
    monkeypatch.setenv("COURSE_WORK_DIR", str(own / ODD / "work"))
    monkeypatch.setenv("KERAS_HOME", str(own / ODD / "keras"))
    paths = data.load_lesions("folder", 64, in_memory=False).images
    assert len(paths) == 7 and all(ODD in path and os.path.exists(path) for path in paths)
    name = pretrained.FILE.format(alpha=0.35, size=96)
    host["files"][name] = pretrained.SHIPPED.read_bytes()
    assert pretrained.mobilenet_v2(0.35, 96).parent == own / ODD / "keras" / "models"


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The course's files, as git knows them, in a folder with an odd name."""
    if not shutil.which("git") or not (settings.ROOT / ".git").exists():
        pytest.skip("this copy of the course has no git to ask for its files")
    root = tmp_path_factory.mktemp("clone") / ODD / "skin cancer détection"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=settings.ROOT, check=True, capture_output=True)
    for name in filter(None, found.stdout.decode().split("\0")):
        if (settings.ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(settings.ROOT / name, root / name)
    return root


@pytest.mark.slow
def test_a_clone_in_any_folder_runs_a_lesson_predicts_and_copies(clone, own, monkeypatch):
    """With weights, work and my_notebooks beside it, under names as odd."""
    weights = settings.make_folder(clone.parent / "keras" / "models")
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    with contextlib.suppress(ConnectionError):  # where ImageNet's are not, the course's own serve
        shutil.copy(pretrained.mobilenet_v2(0.35, 96), weights)
    monkeypatch.setenv("KERAS_HOME", str(weights.parent))
    monkeypatch.setenv("COURSE_WORK_DIR", str(clone.parent / "work"))
    monkeypatch.setenv("PYTHONPATH", str(clone))
    where = [sys.executable, "-c", "import utils; print(utils.__file__)"]
    assert subprocess.check_output(where, cwd=clone, text=True).startswith(str(clone))

    def course(*words):
        command = [sys.executable, "-m", "course", *words]
        done = subprocess.run(command, cwd=clone, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    small = ["SOURCE=synthetic", "EPOCHS=1", "FINE_TUNE_EPOCHS=1"]
    assert "SYNTHETIC" in course("run", "LESSONS=00", *small)
    assert (clone.parent / "work" / "runs" / "00_quickstart.ipynb").exists()
    image = clone.parent / "Leberfleck größer.jpg"
    shutil.copy(clone / "data" / "samples" / "ISIC_0000145.jpg", image)
    assert image.name in course("predict", str(image))
    code = "from course.run import lab; print(lab.copies()[0])"
    said = subprocess.check_output([sys.executable, "-c", code], cwd=clone, text=True).strip()
    assert said == str(clone.parent / "work" / "my_notebooks" / "00_quickstart.ipynb")


@pytest.mark.slow
def test_a_training_backup_lies_in_any_folder(tmp_path):
    (tmp_path / ODD).mkdir()
    at_once(TRAINING, tmp_path / ODD / "a.weights.h5", count=1)
    assert os.listdir(tmp_path / ODD) == ["a.weights.h5"]
