"""How long a person waits for `python -m course predict`, from a cold start, and for Keras.

A fresh process each time. Keras: import, load and first answer, then one image after another."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from utils import settings

IMAGES, REPEATS = 20, 3
WITH_KERAS = f"""
import sys, time
from utils.predict import predict_skin_cancer
for _ in range({IMAGES}):
    start = time.perf_counter()
    predict_skin_cancer(sys.argv[1])
    print(time.perf_counter() - start)
"""


def run():
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "x.jpg")
        pixels = np.random.default_rng(0).integers(0, 256, (450, 600, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        for _ in range(REPEATS):
            whole, _ = seconds(["-m", "course", "predict", path])
            keras, said = seconds(["-c", WITH_KERAS, path])
            later = [float(line) for line in said.splitlines()[1:]]
            print(
                f"course predict x.jpg: {whole:.2f} s; Keras: {keras - sum(later):.2f} s for the "
                f"first answer, then {1000 * np.median(later):.0f} ms an image"
            )


def seconds(words):
    """How long a Python program takes, and what it prints."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *words], cwd=settings.ROOT, check=True, capture_output=True, text=True
    )
    return time.perf_counter() - start, done.stdout
