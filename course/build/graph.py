"""What depends on what: which models, records, notebooks and pages are stale, and making them anew.

DVC keeps the order (dvc.yaml by hand, notebooks/dvc.yaml written here) and what each stage was last
made from (dvc.lock). Digests of code are ours: DVC would see a changed docstring as a change."""

import contextlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import yaml

from course import lessons
from course.build import notebooks, pages, source
from course.errors import CourseError, Refused
from course.run import matrix
from course.run.terminal import missing_images
from utils import data, digest, results, settings
from utils.data import segmentation

DIGESTS = settings.ROOT / "digests.json"
PIPELINE = settings.ROOT / "notebooks" / "dvc.yaml"
HEAD = "# Written by `python -m course status` from the lessons' list and sources: do not edit.\n"
BESIDE = (notebooks.CLASSIFIER, f"notebooks/{notebooks.SAMPLE}")  # written with the lesson
KEPT = {"cache": False, "persist": True}  # in git, and never removed before its stage has run


def write_digests():
    """Write digests.json, one digest of code for each stage, and notebooks/dvc.yaml."""
    folder = settings.ROOT / "experiments"
    experiments = {}
    for path in sorted(folder.rglob("*.py")):
        *packages, name = path.relative_to(folder).with_suffix("").parts
        if not name.startswith("_"):
            place = experiments
            for package in packages:
                place = place.setdefault(package, {})
            place[name] = digest.of_code(path)
    settings.write_json(
        DIGESTS,
        {
            "experiments": experiments,
            "lessons": {
                path.stem: digest.of_files(source.helper_files(path)) for path in source.sources()
            },
            "answers": digest.of_code(Path(__file__).with_name("answers.py")),
            "screenshot": digest.of_code(
                settings.ROOT / "utils" / "serve.py", Path(__file__).with_name("screenshot.py")
            ),
        },
    )
    text = HEAD + yaml.safe_dump({"stages": _stages()}, sort_keys=False)
    if not PIPELINE.exists() or PIPELINE.read_text(encoding="utf-8") != text:
        settings.write_text(PIPELINE, text)


def _stages():
    """The stages of lessons and pages, as notebooks/dvc.yaml holds them."""
    stages, built = {}, []
    for path in source.sources():
        notebook = f"notebooks/{lessons.notebook(path.stem).name}"
        needed = source.needed(path)
        whole = f'tags=["{source.PROJECT}"' in path.read_text(encoding="utf-8")
        stages[path.stem] = {
            "cmd": f"python -m course notebooks {path.stem}",
            "wdir": "..",
            "meta": {"needs": "images"},
            "deps": [f"notebooks/src/{path.name}", "notebooks/src/_setup.py", *needed],
            "params": [{"digests.json": [f"lessons.{path.stem}"]}],
            "outs": [{file: KEPT} for file in (notebook, *(BESIDE if whole else ()))],
        }
        built.append(notebook)
    folder = Path(__file__).with_name("templates")
    templates = [p.relative_to(settings.ROOT).as_posix() for p in sorted(folder.glob("*.md"))]
    records = sorted(f"results/{path.name}" for path in results.COMMITTED.glob("*.json"))
    rows = matrix.RECORDS.relative_to(settings.ROOT).as_posix()
    stages["pages"] = {
        "cmd": "python -m course pages",
        "wdir": "..",
        "deps": [*templates, *records, *built, rows],
        "outs": [{page: KEPT} for page in pages.PAGES],
    }
    return stages


def stale():
    """What is stale, and why.

    Returns
    -------
    dict of str to list of str
        Reasons by stage, in the order in which they are to be made.

    Raises
    ------
    CourseError
        If DVC is not installed.
    """
    with _repository() as repository:
        import networkx
        from dvc.repo import lock_repo

        with lock_repo(repository):  # held once: whenever it is taken, all files are read anew
            order = [
                stage.addressing for stage in networkx.topological_sort(repository.index.graph)
            ]
            found = repository.status()
    return {
        name: [reason for entry in found[name] for reason in _reasons(entry)]
        for name in reversed(order)
        if name in found
    }


@contextlib.contextmanager
def _repository():
    """DVC's view of the course, with fresh digests; it names stages as seen from where one is."""
    try:
        from dvc.repo import Repo
    except ImportError as error:
        raise CourseError("DVC is missing: install the group dev (CONTRIBUTING.md).") from error
    write_digests()
    with contextlib.chdir(settings.ROOT), Repo(str(settings.ROOT)) as repository:
        yield repository


def _reasons(entry):
    """Sentences from one entry of DVC's status."""
    if isinstance(entry, str):
        return [entry]
    said = []
    for kind, changes in entry.items():
        if DIGESTS.name in changes:
            said.append("its code changed")
        values = {file: how for file, how in changes.items() if isinstance(how, dict)}
        for file in values.keys() - {DIGESTS.name}:
            said.append(f"{', '.join(values[file])} in {file} changed")
        files = ", ".join(file for file in changes if file not in values and file != DIGESTS.name)
        if files:
            own = ", which it wrote," if kind == "changed outs" else ""
            said.append(f"{files}{own} changed since")
    return said


def status():
    """Say what is stale. Returns the exit code: 1 if anything is."""
    found = stale()
    for name, reasons in found.items():
        print(f"{_short(name)}: {'; '.join(reasons)}")
    if found:
        print("Run `python -m course refresh`, which makes them anew.")
    else:
        print("Nothing is stale.")
    return int(bool(found))


def _short(name):
    """A stage as people call it."""
    lesson = name.removeprefix("notebooks/dvc.yaml:")
    return f"lesson {lesson}" if lesson != name and lesson != "pages" else lesson


def accept(wanted):
    """Write into the lock that these lessons were just built by hand; none: all, and the pages."""
    names = [path.stem for path in source.sources(wanted)]
    with _repository() as repository:
        for name in names + ["pages"] * (not wanted):
            repository.commit(f"notebooks/dvc.yaml:{name}", force=True)


def refresh(wanted=(), dry=False):
    """Make anew whatever is stale, in order; interrupted and called again, it resumes.

    Parameters
    ----------
    wanted : list of str
        Stages; none means all. What they depend on is made anew before them.
    dry : bool
        Only say what is stale, and why.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    CourseError
        If a stage fails; those before it are made.
    """
    if dry:
        return status()
    missing = {name for name, one in data.SETS.items() if not one.places()[1].is_file()}
    if missing_images():
        missing.add("images")
    if not segmentation.folder().is_dir():
        missing.add("masks")
    if not find_spec("ray"):
        missing.add("ray")
    python = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with _repository() as repository:
        import networkx

        graph, skipped = repository.index.graph, set()
        order = list(reversed(list(networkx.topological_sort(graph))))
        if unknown := set(wanted) - {stage.name for stage in order}:
            raise Refused(
                f"There is no stage {min(unknown)!r}: dvc.yaml and the lessons have them."
            )
        chosen = {stage for stage in order if not wanted or stage.name in wanted}
        asked = chosen.union(*(networkx.descendants(graph, stage) for stage in chosen))
        for stage in [stage for stage in order if stage in asked]:
            name = _short(stage.addressing)
            if not repository.status(targets=[stage.addressing]):
                continue
            needs = set(stage.meta["needs"].split()) if stage.meta else set()
            if skipped & set(graph.successors(stage)) or needs & missing:
                skipped.add(stage)
                ray = needs & missing == {"ray"}
                what = "Ray (deploy/README.md)" if ray else "the real images (data/README.md)"
                print(f"{name} is stale and skipped: it needs {what}.")
                continue
            print(f"--- {name}", flush=True)
            command = [sys.executable, "-m", "dvc", "repro", "--single-item", stage.addressing]
            done = subprocess.run(
                command, cwd=settings.ROOT, env=os.environ | {"PATH": python}, check=False
            )
            if done.returncode:
                raise CourseError(f"{name} failed (see above): what comes after it is as it was.")
    return 0
