"""Seconds and peak memory of each lesson's default run, one lesson after the other.

    python -m course.run.timing

Recorded in results/lesson_runs.json, on real lesions only. Linux and macOS;
runs without a GPU and the network."""

import os
import sys
import tempfile
import time

import nbformat
from nbclient import NotebookClient

from course.lessons import choose_lessons, name_of
from course.run.terminal import QUIET_KERNEL, environment
from utils import data, results

PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of what PEAK prints


def measure(lesson):
    """Seconds with the start of the kernel, and MB, of one run."""
    notebook = nbformat.read(lesson, 4)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    where = {"metadata": {"path": str(lesson.parent)}}
    options = {"kernel_name": "python3", "timeout": None, "extra_arguments": list(QUIET_KERNEL)}
    own = {"CUDA_VISIBLE_DEVICES": "", "COURSE_OFFLINE": "1", "TQDM_DISABLE": "1"}
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, environment(COURSE_RESULTS_DIR=folder, **own):
        NotebookClient(notebook, resources=where, **options).execute()
    seconds = time.monotonic() - start
    peak = int(notebook.cells[-1].outputs[-1].text) * UNIT / 1e6
    print(f"{lesson.stem}: {seconds:.0f} s, {peak:.0f} MB", flush=True)
    return {"seconds": seconds, "peak_megabytes": peak}


def main():
    began, source = time.monotonic(), data.load_table("folder")[1]
    found = {name_of(lesson): measure(lesson) for lesson in choose_lessons()}
    print(f"together: {sum(one['seconds'] for one in found.values()) / 60:.1f} minutes")
    content = {"processors": os.cpu_count(), "lessons": found}
    results.commit("lesson_runs", content, source, {}, began)


if __name__ == "__main__":
    main()
