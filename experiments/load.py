"""What benchmarks of the service share: starting one on this machine, and clients that ask it.

Each client sends a drawn lesion, waits for the answer, and sends the next; told 503, it waits as
long as Retry-After says. An image whose answer is lost is sent once more."""

import asyncio
import os
import subprocess
import time
from collections import Counter
from contextlib import contextmanager

import httpx
import numpy as np

from utils import settings

PORT = 8765
URL = f"http://127.0.0.1:{PORT}"
MOST = 50_000  # requests of one run
STARTS = 120  # seconds that a service may take to start


@contextmanager
def started(command, **environment):
    """A service, given as the words of a command, while it runs and answers: its process.

    Raises
    ------
    OSError
        If it does not answer in time, or something else listens at its port.
    """
    try:
        httpx.get(f"{URL}/health")
    except httpx.TransportError:
        pass
    else:
        raise OSError(f"Something answers at {URL} already: end it first.")
    env = os.environ | environment
    with subprocess.Popen(command, cwd=settings.ROOT, env=env) as server:
        try:
            end = time.monotonic() + STARTS
            while not _answers():
                if server.poll() is not None or time.monotonic() > end:
                    raise OSError(f"{' '.join(command)} does not answer at {URL}.")
                time.sleep(0.2)
            yield server
        finally:
            server.terminate()


def _answers():
    try:
        return httpx.get(f"{URL}/health").status_code == 200
    except httpx.TransportError:
        return False


def asked(clients, seconds):
    """What clients saw: of each request its status, or the error's name, its seconds since the
    image was sent first, and whether it was sent before. List of (str, float, bool)."""
    return asyncio.run(_load(clients, seconds))


async def _load(clients, seconds):
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=URL, timeout=60, limits=limits) as http:
        image = (await http.get("/sample")).content
        seen, end = [], time.perf_counter() + seconds
        await asyncio.gather(*(_client(http, image, end, seen) for _ in range(clients)))
    return seen


async def _client(http, image, end, seen):
    while time.perf_counter() < end and len(seen) < MOST:
        start = time.perf_counter()
        for again in (False, True):
            status, wait = await _send(http, image)
            seen.append((status, time.perf_counter() - start, again))
            if status in ("200", "503"):
                break
        await asyncio.sleep(wait)


async def _send(http, image):
    """Status, or the error's name, and the seconds to wait before the next image."""
    try:
        reply = await http.post("/predict", files={"image": ("mole.png", image)})
    except httpx.TransportError as error:
        return type(error).__name__, 0
    wait = float(reply.headers.get("retry-after", 3)) if reply.status_code == 503 else 0
    return str(reply.status_code), wait


def summary(seen, seconds):
    """Of what ``asked`` returns: requests by status, answers a second, percentiles in seconds.

    ``lost``: images that got neither an answer nor a 503; ``lost_for_good``: nor sent again."""
    counts = Counter(status for status, _, _ in seen)
    taken = [took for status, took, _ in seen if status == "200"]
    lost = [again for status, _, again in seen if status not in ("200", "503")]
    return {
        "counts": dict(counts),
        "lost": lost.count(False),
        "lost_for_good": lost.count(True),
        "answers_a_second": counts["200"] / seconds,
        "percentiles": {f"p{q}": float(np.percentile(taken, q)) for q in (50, 95, 99)},
    }
