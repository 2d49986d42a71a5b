"""The service in one process, in two of uvicorn, and in two replicas on Ray Serve; and the last two
again while one process is killed.

All in one run on one machine, whose processors the clients use, too: what is compared are the ways
to start it, not what two machines could do. Recorded of each: answers a second, their times in
seconds, requests by status, lost answers, and the memory of all processes."""

import os
import sys
import threading
import time
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec

import psutil

from experiments import load
from utils import predict, results, serve

CLIENTS, WARM, SECONDS = 32, 5, 20  # no more clients than one process lets in
PACKAGES = ("ray", "uvicorn", "uvloop", "httptools", "fastapi")
UVICORN = ["uvicorn", "utils.serve:app", "--log-level", "warning"]
UVICORN += ["--timeout-keep-alive", str(serve.IDLE)]
# Name, the module with its words, $WEB_CONCURRENCY, and by what its processes are known.
WAYS = (
    ("one process", UVICORN, 1, None),
    ("two workers of uvicorn", UVICORN, 2, "spawn_main"),
    ("two replicas of Ray Serve", ["deploy", "--replicas", "2"], 1, "ray::ServeReplica"),
)


def processes(server):
    """All of a service."""
    first = psutil.Process(server.pid)
    return [first, *first.children(recursive=True)]


def megabytes(server):
    """Memory of all of a service's processes; what several share is counted once (on Linux)."""
    found = 0
    for process in processes(server):
        with suppress(psutil.NoSuchProcess):
            memory = process.memory_full_info()
            found += getattr(memory, "pss", memory.uss)
    return found / 1e6


def answering(server, name):
    """Those of a service's processes that have the model, known by their command line."""
    found = []
    for process in processes(server):
        with suppress(psutil.NoSuchProcess):  # also one that ended and was not yet noticed
            if name in " ".join(process.cmdline()):
                found.append(process)
    return found


def kill_one(server, name):
    """Kill one of a service's two processes, as a fault or a lack of memory would."""
    first, _ = answering(server, name)
    first.kill()


def under_load(name, words, workers, killed):
    """Start the service in one way, ask it, and stop it: what is recorded of each run, by name."""
    found = {}
    command = [sys.executable, "-m", *words, "--port", str(load.PORT)]
    with load.started(command, WEB_CONCURRENCY=str(workers)) as server:
        load.asked(CLIENTS, WARM)
        found[name] = measured(server)
        if killed:
            timer = threading.Timer(SECONDS / 3, kill_one, (server, killed))
            timer.start()
            found[f"{name}, one killed"] = measured(server)
    return found


def measured(server):
    found = load.summary(load.asked(CLIENTS, SECONDS), SECONDS)
    return found | {"megabytes": megabytes(server), "processes": len(processes(server))}


def run():
    if not find_spec("ray"):
        raise OSError("Ray is not installed: deploy/README.md says how.")
    started = time.monotonic()
    ways = {}
    for way in WAYS:
        ways |= under_load(*way)
    print(ways)
    machine = {"processors": os.cpu_count(), "clients": CLIENTS, "seconds_of_a_run": SECONDS}
    machine["packages"] = {name: version(name) for name in PACKAGES}
    sha256 = predict.load_model()[1]["model_sha256"]
    content = machine | {"ways": ways}
    results.commit("replicas", content, None, {}, started, model_sha256=sha256)
