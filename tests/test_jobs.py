"""Trainings side by side, in joblib's processes and on Ray: JOBS changes no number."""

import os
import subprocess
import sys

import pytest

from utils import settings

TRAININGS = """
import os
import sys
import experiments.__main__  # decides the number of threads
import joblib
import numpy as np
from experiments import common

def training(seed):
    from utils.quiet import keras
    keras.utils.set_random_seed(seed)
    x = np.random.default_rng(seed).random((64, 32, 32, 3), "float32")
    layers = [keras.layers.Conv2D(8, 3, strides=2), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    model.compile("adam", "mse")
    model.fit(x, x.mean((1, 2, 3)), epochs=2, verbose=0)
    return model.predict(x, verbose=0)

backend, found = sys.argv[1], []
if backend == "ray":
    import ray.util.joblib
    ray.util.joblib.register_ray()
for jobs in "12":
    os.environ["JOBS"] = jobs
    with joblib.parallel_config(backend):
        found.append(common.in_parallel(training, [(0,), (1,)]))
assert backend != "ray" or ray.is_initialized()
assert not np.array_equal(*found[0])
np.testing.assert_array_equal(*found)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "ray"])
def test_trainings_side_by_side_give_the_numbers_of_one_after_the_other(backend):
    pytest.importorskip({"loky": "joblib"}.get(backend, backend))
    done = subprocess.run(
        [sys.executable, "-c", TRAININGS, backend],
        cwd=settings.ROOT,
        env=os.environ | {"PYTHONPATH": str(settings.ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
