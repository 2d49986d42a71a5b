"""The prediction service under load: 200 clients for 30 seconds, on this machine.

Each client sends a drawn lesion, waits for the answer, and sends the next; told 503, it waits as
long as Retry-After says. Recorded: answers' times in seconds, throughput, counts by status, the
service's memory before and after."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter

import httpx
import numpy as np
import psutil

from utils import predict, results, settings

CLIENTS, SECONDS, PORT = 200, 30, 8765
URL = f"http://127.0.0.1:{PORT}"


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


def run():
    started = time.monotonic()
    command = [sys.executable, "-m", "uvicorn", "utils.serve:app", "--port", str(PORT)]
    command += ["--log-level", "warning"]
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
    content = {
        "processors": os.cpu_count(),
        "clients": CLIENTS,
        "seconds": SECONDS,
        "counts": dict(counts),
        "answers_a_second": counts["200"] / SECONDS,
        "percentiles": {f"p{q}": float(np.percentile(taken, q)) for q in (50, 95, 99)},
        "megabytes": {"before": before / 1e6, "after": after / 1e6},
    }
    print(content)
    sha256 = predict.load_model()[1]["model_sha256"]
    results.commit("serving", content, None, {}, started, model_sha256=sha256)
