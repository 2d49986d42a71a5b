"""The prediction service under load: 200 clients for 30 seconds, on this machine.

Each client sends a drawn lesion, waits for the answer, and sends the next; told 503, it waits as
long as Retry-After says. Recorded: answers' times in seconds, throughput, counts by status, the
service's memory before and after. Then the same again for the same service asked through Keras."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter

import httpx
import numpy as np
import psutil

from utils import predict, results, serve, settings

CLIENTS, SECONDS, PORT = 200, 30, 8765
URL = f"http://127.0.0.1:{PORT}"
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


async def client(http, image, end, seen):
    while time.perf_counter() < end:
        start = time.perf_counter()
        try:
            reply = await http.post("/predict", files={"image": ("mole.png", image)})
        except httpx.HTTPError as error:
            seen.append((type(error).__name__, 0))
            continue
        seen.append((reply.status_code, time.perf_counter() - start))
        if reply.status_code == 503:
            await asyncio.sleep(float(reply.headers["retry-after"]))


async def load():
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=URL, timeout=60, limits=limits) as http:
        image = (await http.get("/sample")).content
        seen, end = [], time.perf_counter() + SECONDS
        await asyncio.gather(*(client(http, image, end, seen) for _ in range(CLIENTS)))
    return seen


def under_load(app):
    """Start a service, send it all that the clients have, and stop it: what is recorded, a dict."""
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(PORT)]
    command += ["--log-level", "warning"] + ["--factory"] * app.endswith("with_keras")
    with subprocess.Popen(command, cwd=settings.ROOT) as server:
        try:
            while True:
                try:
                    httpx.get(f"{URL}/health")
                    break
                except httpx.ConnectError:
                    time.sleep(0.2)
            memory = psutil.Process(server.pid).memory_info
            asyncio.run(load())  # once to warm up: buffers of all clients exist afterwards
            before = memory().rss
            seen = asyncio.run(load())
            after = memory().rss
        finally:
            server.terminate()
    counts = Counter(str(status) for status, _ in seen)
    taken = np.array([seconds for status, seconds in seen if status == 200])
    return {
        "counts": dict(counts),
        "answers_a_second": counts["200"] / SECONDS,
        "percentiles": {f"p{q}": float(np.percentile(taken, q)) for q in (50, 95, 99)},
        "megabytes": {"before": before / 1e6, "after": after / 1e6},
    }


def run():
    started = time.monotonic()
    found = {engine: under_load(app) for engine, app in APPS.items()}
    print(found)
    machine = {"processors": os.cpu_count(), "clients": CLIENTS, "seconds": SECONDS}
    content = machine | found["litert"] | {"keras": found["keras"]}
    sha256 = predict.load_model()[1]["model_sha256"]
    results.commit("serving", content, None, {}, started, model_sha256=sha256)
