"""The prediction service under load: 200 clients for 30 seconds, on this machine.

Recorded: answers' times in seconds, throughput, counts by status, the service's memory before and
after. Then the same again for the same service asked through Keras."""

import os
import sys
import time

import psutil

from experiments import load
from utils import predict, results, serve

CLIENTS, SECONDS = 200, 30
APPS = {"litert": "utils.serve:app", "keras": "experiments.benchmarks.serving:with_keras"}


class Keras:
    """What ``lite.Shipped`` is, by Keras."""

    def __init__(self):
        self.facts = predict.load_model()[1]

    def __call__(self, image):
        return predict.predict_skin_cancer(image)


def with_keras():
    """The service as it would be with Keras, in one thread: a factory for uvicorn."""
    model = Keras()
    serve.WORKERS, serve.shipped = 1, lambda: model
    return serve.app


def under_load(app):
    """Start a service, send it all that the clients have, and stop it: what is recorded, a dict."""
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(load.PORT)]
    command += ["--timeout-keep-alive", str(serve.IDLE)]
    command += ["--log-level", "warning"] + ["--factory"] * app.endswith("with_keras")
    with load.started(command) as server:
        memory = psutil.Process(server.pid).memory_info
        load.asked(CLIENTS, SECONDS)  # once to warm up: buffers of all clients exist afterwards
        before = memory().rss
        seen = load.asked(CLIENTS, SECONDS)
        after = memory().rss
    return load.summary(seen, SECONDS) | {
        "megabytes": {"before": before / 1e6, "after": after / 1e6}
    }


def run():
    started = time.monotonic()
    found = {engine: under_load(app) for engine, app in APPS.items()}
    print(found)
    machine = {"processors": os.cpu_count(), "clients": CLIENTS, "seconds": SECONDS}
    content = machine | found["litert"] | {"keras": found["keras"]}
    sha256 = predict.load_model()[1]["model_sha256"]
    results.commit("serving", content, None, {}, started, model_sha256=sha256)
