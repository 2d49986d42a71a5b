"""Several processes: Ray Serve where it is installed, and what the benchmark's clients count."""

import http.server
import socket
import sys
import threading
import time

import httpx
import psutil
import pytest

from deploy import __main__ as deploy
from experiments import load
from experiments.benchmarks import replicas
from utils import serve


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.mark.slow
def test_two_replicas_on_ray_answer_as_the_service_does(monkeypatch, free_port):
    pytest.importorskip("ray.serve", exc_type=ImportError)
    url = f"http://127.0.0.1:{free_port}"
    monkeypatch.setattr(load, "URL", url)
    command = [sys.executable, "-m", "deploy", "--replicas", "2", "--port", str(free_port)]
    with load.started(command) as server:
        assert httpx.get(f"{url}/health").json() == {"status": "ok"}
        assert len(replicas.answering(server, replicas.WAYS[2][-1])) == 2
        image = {"image": ("a.png", serve.sample_png(3))}
        answers = [httpx.post(f"{url}/predict", files=image, timeout=30).json() for _ in range(6)]
        assert answers[0]["decision"] in ("melanoma", "benign")
        assert all(answer == answers[0] for answer in answers)
        large = {"image": ("a.png", bytes(serve.LARGEST + 1))}
        assert httpx.post(f"{url}/predict", files=large, timeout=30).status_code == 413
        assert httpx.head(f"{url}/docs").status_code == 200
        processes = replicas.processes(server)
    assert not psutil.wait_procs(processes, timeout=30)[1]


@pytest.mark.slow
def test_a_process_of_uvicorn_that_is_killed_is_replaced(monkeypatch, free_port):
    monkeypatch.setattr(load, "URL", f"http://127.0.0.1:{free_port}")
    command = [sys.executable, "-m", "course", "serve", "--port", str(free_port)]
    name = replicas.WAYS[1][-1]
    with load.started(command, WEB_CONCURRENCY="2") as server:
        first = set(wait_for_two(server, name))
        replicas.kill_one(server, name)
        assert len(first & set(wait_for_two(server, name, but=first))) == 1
        assert httpx.get(f"{load.URL}/health").json() == {"status": "ok"}


def wait_for_two(server, name, but=()):
    """Two answering processes of a service, not the same as before, as a list."""
    deadline = time.time() + 60
    while True:
        found = replicas.answering(server, name)
        if len(found) == 2 and set(found) != but:
            return found
        assert time.time() < deadline
        time.sleep(0.2)


def test_without_ray_a_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setattr(deploy, "find_spec", lambda name: None)
    monkeypatch.setattr(replicas, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["deploy"])
    with pytest.raises(SystemExit, match=r"pip install .*deploy.*python -m course serve"):
        deploy.main()
    with pytest.raises(OSError, match="Ray is not installed"):
        replicas.run()


class Fails(http.server.BaseHTTPRequestHandler):
    """Says, by turns: 200, 503, nothing, 200, nothing, 500."""

    turns = iter(())

    def do_GET(self):
        self.reply(200)

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.reply(next(self.turns))

    def reply(self, status):
        if status:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.send_header("retry-after", "0")
            self.end_headers()

    def log_message(self, *_):
        pass


def test_clients_count_what_is_lost(monkeypatch):
    Fails.turns = iter([200, 503, 0, 200, 0, 500])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fails)
    threading.Thread(target=server.serve_forever).start()
    monkeypatch.setattr(load, "URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(load, "MOST", 6)
    found = load.summary(load.asked(clients=1, seconds=60), 2)
    server.shutdown()
    server.server_close()
    assert found["counts"] == {"200": 2, "503": 1, "RemoteProtocolError": 2, "500": 1}
    assert (found["lost"], found["lost_for_good"], found["answers_a_second"]) == (2, 1, 1.0)


def test_a_service_that_stops_at_once_is_no_service(monkeypatch):
    monkeypatch.setattr(load, "URL", "http://127.0.0.1:9")
    with pytest.raises(OSError, match="does not answer"), load.started([sys.executable, "-c", ""]):
        pytest.fail("it should not have started")
