"""How long a learner waits for the shipped model's first answer, and for each one after it.

A fresh process each time: import, load and first answer, then one image after the other."""

import multiprocessing
import time

IMAGES, REPEATS = 50, 3


def in_a_fresh_process(_):
    start = time.perf_counter()
    import numpy as np

    from utils.predict import predict_skin_cancer

    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 450, 600, 3), dtype=np.uint8)
    predict_skin_cancer(images[0])
    first = time.perf_counter() - start
    seconds = []
    for image in images:
        start = time.perf_counter()
        predict_skin_cancer(image)
        seconds.append(time.perf_counter() - start)
    return first, float(np.median(seconds)), max(seconds)


def run():
    for repeat in range(REPEATS):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            (times,) = pool.map(in_a_fresh_process, [None])
        first, median, slowest = times
        print(
            f"run {repeat + 1}: first answer after {first:.1f} s with import; then\n       "
            f"{1000 * median:.0f} ms an image (median of {IMAGES}), at most {1000 * slowest:.0f}"
        )
