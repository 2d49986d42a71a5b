"""Runs lessons on real images and records what they found in ``results/``."""

import re
import shutil

from course.errors import CourseError, Refused
from course.lessons import choose_lessons, name_of
from course.run.terminal import missing_images, results_of, run
from utils import evaluation, results, settings

QUICKSTART = "quickstart"  # the lesson that is recorded with several seeds


def record(given):
    """Run lessons on the folder of real images and record them in ``results/``.

    The quickstart is run with the seeds 0 to 4 and summed up, every other lesson once.

    Parameters
    ----------
    given : dict of str to str
        ``LESSONS`` (default: the quickstart), and other parameters such as ``ALPHA``.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    Refused
        If a parameter is given that this command sets itself.
    CourseError
        If there are no real images, or a lesson stops.
    """
    given = {"LESSONS": QUICKSTART} | given
    lessons = choose_lessons(given["LESSONS"])
    if "SOURCE" in given or ("SEED" in given and QUICKSTART in map(name_of, lessons)):
        raise Refused(f"`record` sets SOURCE, and SEED of {QUICKSTART}, itself: leave them out.")
    if error := missing_images():
        raise CourseError(f"Results are recorded on real images only. {error}") from error
    new = set()
    for lesson in lessons:
        several = name_of(lesson) == QUICKSTART
        seeds = [{"SEED": str(seed)} for seed in range(5)] if several else [{}]
        for seed in seeds:
            before = results_of(lesson)
            run(given | {"LESSONS": lesson.stem, "SOURCE": "folder"} | seed)
            new |= {path for path, age in results_of(lesson).items() if before.get(path) != age}
    # Only now, so that an interrupted command leaves no half set of seeds.
    for path in sorted(new):
        settings.write_atomically(
            results.COMMITTED / path.name, lambda p, path=path: shutil.copy(path, p)
        )
    for name in sorted({re.sub(r"-seed\d+$", "", p.stem) for p in new if "-seed" in p.stem}):
        summarise_seeds(name)
    return 0


def summarise_seeds(name):
    """Join ``name-seed*.json`` of the committed results into ``name.json``.

    Raises
    ------
    CourseError
        If there are none, or they differ in source, split, weights, versions or anything set but
        the seed.
    """
    folder = results.COMMITTED
    files = [results.committed(p.stem) for p in sorted(folder.glob(f"{name}-seed*.json"))]
    if not files:
        raise CourseError(f"There is no {name}-seed*.json in results/: run `make record`.")
    if "synthetic" in [file["source"] for file in files]:
        raise CourseError(f"{name} comes from synthetic lesions: results/ is for real ones only.")
    alike = []
    for file in files:
        shared = {k: file[k] for k in ("source", "split_fingerprint", "weights")}
        shared["parameters"] = {k: v for k, v in file["parameters"].items() if k != "SEED"}
        shared["versions"] = file["versions"]
        alike.append((shared, file["test"]["image_id"]))
    if any(one != alike[0] for one in alike):
        raise CourseError(
            f"The files {name}-seed*.json differ in more than the seed: record all of them anew "
            "(`make record`)."
        )
    first, test, model = files[0], files[0]["test"], next(iter(files[0]["models"]))
    content = alike[0][0] | {
        "seeds": [file["seed"] for file in files],
        "n_images": first["models"][model]["n_images"],
        "n_melanomas": sum(test["melanoma"]),
        "model": model,
        "over_seeds": evaluation.evaluate_seeds(
            test["melanoma"],
            [file["test"]["probability"] for file in files],
            test["group"],
            [file["models"][model]["threshold"] for file in files],
        ),
        "beside": {k: v for k, v in first["models"].items() if k != model},
    }
    settings.write_json(folder / f"{name}.json", content)
