"""Memory and time of training with the images in memory, and read from disk.

Each way and number of images in a process of its own, and as many steps for each, since memory
creeps up with the steps too; the cache is filled before, in others. Real lesions are written to
results/."""

import itertools
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from utils import data, results

IMAGES = {"1000": 1_000, "all": None}
WAYS = {"in memory": True, "on disk": False}
SIZE, NETWORK, BATCH = 128, 96, 64  # pixels, pixels, images
WARM_UP, STEPS = 3, 150


def load(in_memory, n, source):
    return data.load_lesions(source, SIZE, lambda table: table[:n], in_memory)


def fill_cache(*args):
    load(*args)


def measure(in_memory, n, source):
    """Images, MB and milliseconds of the training steps, and of their loading alone."""
    from utils import backbone, models, training
    from utils.quiet import keras

    keras.utils.set_random_seed(0)
    base = backbone.mobilenet_v2(0.35, NETWORK, NETWORK)  # random values: only time is measured
    model = models.logit_classifier(base, len(data.DX))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(), loss=loss)
    start = peak_megabytes()

    lesions = load(in_memory, n, source)
    epoch = training.batches(lesions.images, lesions.diagnosis, NETWORK, seed=0, batch_size=BATCH)
    ms = ms_an_image(epoch, model.train_on_batch)
    pipeline_ms = ms_an_image(epoch, lambda x, y: None)
    peak = peak_megabytes()
    return {
        "pictures": len(lesions),
        "peak_megabytes": peak,
        "megabytes_at_start": start,
        "megabytes_over_start": peak - start,
        "ms_a_picture": ms,
        "pipeline_ms_a_picture": pipeline_ms,
    }


def ms_an_image(epoch, step):
    batches = itertools.chain.from_iterable(itertools.repeat(epoch))
    for x, y in itertools.islice(batches, WARM_UP):
        step(x, y)
    start = time.perf_counter()
    for x, y in itertools.islice(batches, STEPS):
        step(x, y)
    return 1e3 * (time.perf_counter() - start) / (BATCH * STEPS)


def peak_megabytes():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def in_a_process(function, *args):
    # Linux hands the parent's peak on to its child: this process must never hold the images.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def run():
    started, source = time.monotonic(), data.load_table("folder")[1]
    content = {
        "processors": multiprocessing.cpu_count(),
        "size": SIZE,
        "network_size": NETWORK,
        "batch_size": BATCH,
        "steps": STEPS,
        "ways": {way: {} for way in WAYS},
    }
    for name, n in IMAGES.items():
        for way, in_memory in WAYS.items():
            in_a_process(fill_cache, in_memory, n, source)
            content["ways"][way][name] = in_a_process(measure, in_memory, n, source)
    print("way          images  peak MB  over start   ms an image  pipeline alone")
    for way, rows in content["ways"].items():
        for row in rows.values():
            print(
                f"{way:9} {row['pictures']:9,} {row['peak_megabytes']:8.0f} "
                f"{row['megabytes_over_start']:11.0f} {row['ms_a_picture']:13.2f} "
                f"{row['pipeline_ms_a_picture']:15.2f}"
            )
    results.commit("streaming", content, source, {}, started)
