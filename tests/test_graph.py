"""What is stale: the graph of dvc.yaml and notebooks/dvc.yaml, tried on a copy of the course."""

import json
import shutil
import subprocess
import sys

import pytest
import yaml

from course import lessons
from course.build import graph, source
from course.errors import CourseError
from utils import settings

COPIED = ("course", "deploy", "experiments", "utils", "notebooks", "results", "models", "docs")
COPIED += ("data/samples",)
STAGES = yaml.safe_load((settings.ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The course's files without git, data, cache or network."""
    root = tmp_path_factory.mktemp("clone")
    skip = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in COPIED:
        shutil.copytree(settings.ROOT / name, root / name, ignore=skip)
    for path in settings.ROOT.iterdir():
        if path.is_file() and path.name != "digests.json":
            shutil.copy(path, root)
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    return root


def status(clone):
    """Names of the stale stages, and what was said."""
    done = subprocess.run(
        [sys.executable, "-m", "course", "status"], cwd=clone, capture_output=True, text=True
    )
    said = done.stdout.splitlines()
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == (said != ["Nothing is stale."])
    return {line.partition(":")[0] for line in said[:-1]}, done.stdout


def needed(name):
    return " ".join(source.needed(lessons.NOTEBOOKS / "src" / f"{name}.py"))


@pytest.mark.slow
def test_a_change_makes_stale_what_depends_on_it_and_nothing_else(clone, mend):
    assert status(clone)[1] == "Nothing is stale.\n"

    before = (clone / "params.yaml").read_bytes()
    mend(clone / "params.yaml", "N_OTHERS: 300, SEED: 0 }", "N_OTHERS: 200, SEED: 0 }")
    assert status(clone)[0] == {"artefacts"}
    (clone / "params.yaml").write_bytes(before)

    record = clone / "results" / "ladder.json"
    before = record.read_bytes()
    content = json.loads(before)
    content["n_images"] += 1
    record.write_text(json.dumps(content))
    found, said = status(clone)
    reading = {f"lesson {name}" for name in lessons.names() if "ladder.json" in needed(name)}
    assert found == {"ladder", "pages"} | reading and "lesson better_models" in reading
    assert "ladder: results/ladder.json, which it wrote, changed since" in said
    record.write_bytes(before)

    code = clone / "utils" / "shifts.py"
    before = code.read_bytes()
    mend(code, "return pixels * (1 - 0.15 * severity)", "return pixels * (1 - 0.16 * severity)")
    assert status(clone)[0] == {
        "subgroups",
        "robust_training",
        "lesson groups",
        "lesson not_a_lesion",
    }
    code.write_bytes(before)

    mend(code, '"""15 % less light', '"""Less light, by 15 %')
    assert status(clone)[1] == "Nothing is stale.\n"


def test_every_experiment_is_a_stage_that_writes_its_record():
    from experiments.__main__ import names

    stages = {stage["cmd"].split()[-1]: stage for stage in STAGES.values()}
    without_record = {"benchmarks.first_prediction"}
    assert set(names()) - without_record <= stages.keys()
    for name in set(names()) - without_record:
        parameters = [p for p in stages[name]["params"] if isinstance(p, dict)]
        assert parameters == [{"digests.json": [f"experiments.{name}"]}]
        *package, last = name.split(".")
        if package != ["shipped"]:
            assert [*stages[name]["outs"][0]] == [f"results/{last}.json"]


def test_a_stage_names_the_parameters_that_its_experiment_reads():
    for name, stage in STAGES.items():
        module = stage["cmd"].split()[-1].replace(".", "/")
        path = settings.ROOT / "experiments" / f"{module}.py"
        if not path.exists():
            continue
        read = {
            part.partition('"')[0]
            for part in path.read_text(encoding="utf-8").split('parameters("')[1:]
        }
        assert read <= {p for p in stage["params"] if isinstance(p, str)}, name


TOY_STAGES = """
stages:
  first:
    cmd: python -c "open('first.txt', 'w').write(open('asked.txt').read())"
    meta: {needs: images}
    deps: [asked.txt]
    outs: [{first.txt: {cache: false, persist: true}}]
  second:
    cmd: python -c "open('second.txt', 'w').write(open('first.txt').read() * 2)"
    deps: [first.txt]
    outs: [{second.txt: {cache: false, persist: true}}]
  third:
    cmd: python -c "raise SystemExit(3)"
    deps: [second.txt]
"""


@pytest.mark.slow  # each stage is a process of DVC's
def test_what_is_stale_is_made_in_order_and_without_images_skipped(tmp_path, monkeypatch, capfd):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    (tmp_path / "dvc.yaml").write_text(TOY_STAGES)
    (tmp_path / "asked.txt").write_text("a")
    (tmp_path / "second.txt").write_text("what was there")
    monkeypatch.setattr(graph.settings, "ROOT", tmp_path)
    monkeypatch.setattr(graph, "write_digests", lambda: None)
    monkeypatch.setattr(graph, "missing_images", lambda: FileNotFoundError("none"))
    assert graph.refresh() == 0
    said = capfd.readouterr().out
    assert "first is stale and skipped: it needs the real images" in said and "---" not in said
    assert "third is stale and skipped" in said  # its inputs are not what they should be
    assert (tmp_path / "second.txt").read_text() == "what was there"

    monkeypatch.setattr(graph, "missing_images", lambda: None)
    assert graph.refresh(["second"]) == 0
    assert (tmp_path / "second.txt").read_text() == "aa"
    assert graph.refresh(["second"], dry=True) == 1  # the third is stale still
    assert capfd.readouterr().out.splitlines()[-2].startswith("third: ")
    with pytest.raises(CourseError, match=r"third failed \(see above\): what comes after it"):
        graph.refresh()
    (tmp_path / "asked.txt").write_text("b")
    assert list(graph.stale()) == ["first", "third"]
    with pytest.raises(CourseError, match="no stage 'fourth'"):
        graph.refresh(["fourth"])


def test_stages_of_lessons_are_those_of_the_list():
    written = yaml.safe_load(graph.PIPELINE.read_text(encoding="utf-8"))["stages"]
    assert written == json.loads(json.dumps(graph._stages()))
