"""Several processes: Ray Serve where it is installed, and what the benchmark's clients count."""

import http.server
import socket
import subprocess
import sys
import threading
import time

import httpx
import psutil
import pytest

from deploy import __main__ as deploy
from experiments import load
from experiments.benchmarks import replicas
from utils import serve, settings


@pytest.mark.slow
def test_two_replicas_on_ray_answer_as_the_service_does():
    pytest.importorskip("ray.serve", exc_type=ImportError)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "deploy", "--replicas", "2", "--port", str(port)]
    with subprocess.Popen(command, cwd=settings.ROOT) as server:
        try:
            deadline = time.time() + 120
            while True:
                try:
                    if httpx.get(f"{url}/health").json() == {"status": "ok"}:
                        break
                except httpx.TransportError:
                    pass
                assert time.time() < deadline and server.poll() is None
                time.sleep(0.5)
            found = [
                p for p in replicas.processes(server) if "ServeReplica" in " ".join(p.cmdline())
            ]
            assert len(found) == 2
            png = serve.sample_png(3)
            answers = [
                httpx.post(f"{url}/predict", files={"image": ("a.png", png)}, timeout=30).json()
                for _ in range(6)
            ]
            assert answers[0]["decision"] in ("melanoma", "benign")
            assert all(answer == answers[0] for answer in answers)
            large = {"image": ("a.png", bytes(serve.LARGEST + 1))}
            assert httpx.post(f"{url}/predict", files=large, timeout=30).status_code == 413
            assert httpx.head(f"{url}/docs").status_code == 200
        finally:
            processes = replicas.processes(server)
            server.terminate()
    assert not psutil.wait_procs(processes, timeout=30)[1]


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
