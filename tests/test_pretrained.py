import http.server
import os
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import h5py
import pytest

from utils import pretrained
from utils.quiet import keras


def file_of(alpha, size):
    return pretrained.FILE.format(alpha=alpha, size=size)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A Keras cache with nothing in it."""
    (tmp_path / "home" / "models").mkdir(parents=True)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(pretrained, "ELSEWHERE", tmp_path / "elsewhere")
    return tmp_path / "home" / "models"


def put(path):
    with h5py.File(path, "w") as file:
        file["kernel"] = [1.0]
    return path.read_bytes()


@contextmanager
def a_host(content, status=200, missing=0):
    """A server on this machine that answers everything with ``content``; yields address, requests.

    It promises ``missing`` bytes more than it sends.
    """
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) + missing))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        server.shutdown()


@pytest.fixture
def online(monkeypatch):
    """Allow the network, and point the course to another host."""
    monkeypatch.delenv("COURSE_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("urllib.request._opener", None)  # remembers proxies
    return lambda address: monkeypatch.setattr(pretrained, "HOST", address)


# --- what is taken


@pytest.mark.parametrize(
    ("alpha", "size", "taken"),
    [
        (0.35, 96, (0.35, 96)),
        (1, 160, (1.0, 160)),
        (0.75, 100, (0.75, 224)),  # nobody published weights of 100 px
        (1.3, 96, (1.3, 224)),  # nor of these widths at less than 224
        (1.4, 128, (1.4, 224)),
    ],
)
def test_the_file_of_the_cache_is_taken(cache, alpha, size, taken):
    for published in (file_of(*taken), file_of(taken[0], 192)):
        put(cache / published)
    assert pretrained.mobilenet_v2(alpha, size) == cache / file_of(*taken)


def test_weights_of_another_input_size_serve_where_there_is_no_network(cache, capsys):
    for size in (128, 192):
        put(cache / file_of(0.5, size))
    put(cache / file_of(0.35, 224))
    assert pretrained.mobilenet_v2(0.5, 96) == cache / file_of(0.5, 192)
    assert "in its place: ImageNet, width 0.5, trained at 192 px" in capsys.readouterr().out


def test_shipped_layers_serve_for_drawn_lesions_and_samples_only(cache, capsys):
    for source in ("synthetic", "samples"):
        assert pretrained.mobilenet_v2(0.35, 96, source) == pretrained.SHIPPED
        assert "Weights in its place: SHIPPED: layers of the course" in capsys.readouterr().out
    for alpha, source in ((0.35, "folder"), (0.35, "kaggle"), (1.0, "synthetic")):
        with pytest.raises(ConnectionError) as refused:
            pretrained.mobilenet_v2(alpha, 96, source)
        said = str(refused.value)
        assert file_of(alpha, 96) in said and str(cache) in said and "\n" not in said
        assert "COURSE_OFFLINE forbids the network. Connect to the network once" in said
        assert said.endswith('Or set SOURCE = "synthetic": drawn lesions.')
        assert refused.value.__suppress_context__  # one sentence, not four tracebacks
    put(cache / file_of(0.35, 96))
    assert pretrained.mobilenet_v2(0.35, 96, "synthetic") == cache / file_of(0.35, 96)


def test_nobody_without_a_home_gets_keras_second_folder(monkeypatch, tmp_path):
    """And no folder that is really called ~."""
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "expanduser", str)  # what it returns without a home
    assert pretrained._folders()[-1] == pretrained.ELSEWHERE / "models"
    assert os.listdir(tmp_path) == []


def test_wrong_choices_are_refused():
    with pytest.raises(ValueError, match=r"ALPHA in \(0.35, 0.5, 0.75, 1.0, 1.3, 1.4\), not for 0"):
        pretrained.mobilenet_v2(0.4)


def test_a_broken_file_is_named(cache):
    path = cache / file_of(0.35, 96)
    path.write_bytes(put(path)[:1000])
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} cannot be read .*: delete it"):
        pretrained.mobilenet_v2(0.35, 96, "synthetic")


@pytest.mark.parametrize(
    ("path", "description"),
    [
        (Path("x", file_of(0.35, 96)), "ImageNet, width 0.35, trained at 96 px"),
        (Path("x", file_of(1.0, 224)), "ImageNet, width 1, trained at 224 px"),
        (Path("x", "mine.weights.h5"), "mine.weights.h5"),
        (None, "RANDOM"),
        (pretrained.SHIPPED, "SHIPPED"),
    ],
)
def test_a_file_is_described_and_what_is_not_imagenet_says_so_first(path, description):
    assert pretrained.describe(path).startswith(description)


# --- what is downloaded


def test_a_file_is_downloaded_once_to_where_keras_looks(cache, online, tmp_path, capsys):
    content = put(tmp_path / "published.h5")
    with a_host(content) as (address, asked):
        online(address)
        for _ in range(2):
            path = pretrained.mobilenet_v2(0.35, 96)
    folder = "/tensorflow/keras-applications/mobilenet_v2/"
    assert asked == [folder + path.name]
    assert path.read_bytes() == content
    of_keras = keras.utils.get_file(
        path.name, "http://127.0.0.1:9/", cache_dir=str(cache.parent), cache_subdir="models"
    )
    assert of_keras == str(path)
    assert os.listdir(cache) == [path.name]
    assert capsys.readouterr().out == ""


def test_a_home_that_cannot_be_written_sends_to_where_keras_turns(cache, online, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(cache / "a file" / "home"))
    content = put(cache / "a file")
    with a_host(content) as (address, asked):
        online(address)
        for _ in range(2):
            path = pretrained.mobilenet_v2(0.35, 96)
    assert path == pretrained.ELSEWHERE / "models" / file_of(0.35, 96) and len(asked) == 1
    assert path.read_bytes() == content


@pytest.mark.parametrize("alpha", [1.3, 1.4])
def test_only_published_pairs_are_asked_for(cache, online, alpha):
    with a_host(b"", status=404) as (address, asked):
        online(address)
        with pytest.raises(ConnectionError, match=r"cannot be fetched \(HTTP Error 404") as refused:
            pretrained.mobilenet_v2(alpha, 96)
    assert [path.rpartition("/")[2] for path in asked] == [file_of(alpha, 224)]
    assert f"put {address}tensorflow" in str(refused.value)


@pytest.mark.parametrize(
    "answer", [{"content": b"<html>Please log in</html>"}, {"content": b"x" * 999, "missing": 1}]
)
def test_half_a_download_or_another_page_leaves_nothing(cache, online, answer):
    with a_host(**answer) as (address, _):
        online(address)
        with pytest.raises(ConnectionError, match="cannot be fetched"):
            pretrained.mobilenet_v2(0.35, 96)
    assert os.listdir(cache) == []


def test_the_only_way_out_may_be_a_proxy(cache, online, tmp_path, monkeypatch):
    content = put(tmp_path / "published.h5")
    with a_host(content) as (proxy, asked):
        online("http://weights.example/")
        monkeypatch.setenv("http_proxy", proxy)
        path = pretrained.mobilenet_v2(0.35, 96)
    assert path.read_bytes() == content
    assert asked[0].startswith("http://weights.example/tensorflow/")
