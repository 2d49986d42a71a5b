"""Packages, locks, releases, licences and workflows: what is declared agrees with what is used."""

import ast
import functools
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from course import cli, lessons
from course.build import source, style
from course.build.render import render
from course.run import colab
from utils import settings

ROOT = settings.ROOT
PROJECT = lessons.pyproject()["project"]
EXTRAS = {
    extra: {canonicalize_name(r.name): r for r in map(Requirement, listed)}
    for extra, listed in PROJECT["optional-dependencies"].items()
}
LEARNERS = EXTRAS["learn"] | EXTRAS["serve"] | EXTRAS["lab"]
LOCKS = {"requirements.lock": LEARNERS, "requirements-dev.lock": LEARNERS | EXTRAS["dev"]}
distributions = functools.cache(packages_distributions)  # reads every installed package
OPTIONAL = {"ray"}  # taken where it is installed


def locked(name):
    """What a lock pins: its name, version, and whether pyproject.toml itself asks for it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for block in re.split(r"\n(?=[a-z0-9])", text)[1:]:
        package, version = re.match(r"([\w.-]+)==([^\s;]+)", block).groups()
        yield package, version, f"{PROJECT['name']} (pyproject.toml)" in block


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_the_declared_packages_and_was_made_from_them(name):
    """One made before pyproject.toml was changed lacks a package, or has another's mark."""
    direct = {}
    for package, version, declared in locked(name):
        if declared:
            direct.setdefault(package, []).append(version)
    assert direct.keys() == LOCKS[name].keys(), "make it anew: the command is in its head"
    for package, versions in direct.items():
        for version in versions:
            assert LOCKS[name][package].specifier.contains(version), (package, version)
    head = (ROOT / name).read_text(encoding="utf-8").splitlines()[1]
    assert head.startswith("#    uv pip compile --universal --generate-hashes")
    assert head.endswith(f"pyproject.toml -o {name}")


def test_both_locks_have_the_same_versions_and_learners_get_no_tools():
    small, whole = ({(p, v) for p, v, _ in locked(name)} for name in LOCKS)
    assert small < whole
    assert not {"pytest", "playwright", "ruff", "schemathesis", "dvc"} & {p for p, _ in small}


def imported(*paths):
    """The packages that files import, as pyproject.toml names them, and one of the files."""
    files = [f for p in paths for f in ([p] if p.is_file() else sorted(p.rglob("*.py")))]
    own = {"course", "deploy", "experiments", "tests", "utils", "benchmarks"}
    known, found = distributions(), {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for top in {name.split(".")[0] for name in names} - sys.stdlib_module_names - own:
                for package in known.get(top, [top]):
                    found[canonicalize_name(package)] = file.relative_to(ROOT)
    return found


def test_what_lessons_import_is_declared_for_learners():
    found = imported(ROOT / "notebooks" / "src", ROOT / "utils")
    assert {"keras", "scikit-learn", "pillow", "h5py", "fastapi"} <= found.keys()
    declared = EXTRAS["learn"].keys() | EXTRAS["serve"].keys()
    assert not {p: f for p, f in found.items() if p not in declared | OPTIONAL}


def test_what_course_experiments_and_tests_import_is_declared():
    found = imported(*(ROOT / folder for folder in ("course", "deploy", "experiments", "tests")))
    assert {"pytest", "papermill", "psutil", "threadpoolctl"} <= found.keys()
    declared = LOCKS["requirements-dev.lock"].keys()
    assert not {p: f for p, f in found.items() if p not in declared | OPTIONAL}


def test_what_a_person_runs_needs_no_tools():
    found = imported(ROOT / "course" / "run" / "terminal.py", ROOT / "course" / "run" / "lab.py")
    found |= imported(ROOT / "course" / "run" / "ask.py", ROOT / "course" / "run" / "colab.py")
    assert "papermill" in found and found.keys() <= LEARNERS.keys()


def test_colabs_versions_are_allowed_and_have_all_that_lessons_need():
    pins = colab.pins(colab.VERSIONS)
    for requirement in map(Requirement, colab.wanted(pins)):
        version = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement.name


def test_conda_installs_the_learners_lock_under_a_python_that_is_allowed():
    *python, pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert pip == {"pip": ["-r requirements.lock"]}
    version = python[0].removeprefix("python=")
    assert Requirement(f"x{PROJECT['requires-python']}").specifier.contains(f"{version}.0")


def test_the_command_course_starts_what_python_m_course_starts():
    assert PROJECT["scripts"] == {"course": f"{cli.__name__}:{cli.main.__name__}"}


def git(*words, where=ROOT):
    return subprocess.run(["git", *words], cwd=where, capture_output=True, text=True)


def test_who_changes_the_helpers_after_a_release_raises_the_version():
    if git("rev-parse", "--verify", "-q", f"refs/tags/{lessons.release()}").returncode:
        pytest.skip(f"there is no tag {lessons.release()} here")
    changed = git("diff", "--name-only", lessons.release(), "--", "utils", "models", "results")
    assert not changed.stdout, "raise the version in pyproject.toml: CONTRIBUTING.md, Releases"


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """``setup(release)`` runs the setup cell in an empty folder; what it fetches has v1.2 and main.

    Its address is a repository in ``tmp_path``, which git is told to take for GitHub's.
    """
    bare = tmp_path / "origin"
    (bare / "utils").mkdir(parents=True)
    for key, value in {
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": f"url.{bare.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/someone/skin",
        "GIT_CONFIG_KEY_1": "user.name",
        "GIT_CONFIG_VALUE_1": "course",
        "GIT_CONFIG_KEY_2": "user.email",
        "GIT_CONFIG_VALUE_2": "course@localhost",
    }.items():
        monkeypatch.setenv(key, value)
    git("init", "-q", "-b", "main", where=bare)
    for version in ("1.2", "1.3"):
        text = f'[project]\nname = "x"\nversion = "{version}"  # a comment\n'
        (bare / "pyproject.toml").write_text(text)
        (bare / "utils" / "__init__.py").write_text(f"VERSION = {version!r}\n")
        git("add", "-A", where=bare)
        git("commit", "-qm", version, where=bare)
        if version == "1.2":
            git("tag", "v1.2", where=bare)
    template = (lessons.NOTEBOOKS / "src" / "_setup.py").read_text(encoding="utf-8")

    def run(release, folder):
        folder.mkdir(exist_ok=True)
        code = render(template, repository="someone/skin", branch="main", release=release)
        code += "\nimport utils\nprint(utils.VERSION)"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True
        )
        assert not done.returncode, done.stderr
        return done.stdout.splitlines()

    return run


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")
def test_setup_fetches_its_release_and_main_where_there_is_none(setup, tmp_path):
    assert setup("v1.2", tmp_path / "a") == ["1.2"]
    said, version = setup("v1.3", tmp_path / "b")
    assert said == "There is no release v1.3 of the course yet: main is fetched instead."
    assert version == "1.3"
    again = setup("v1.3", tmp_path / "b")
    assert again == ["1.3"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")
def test_a_saved_copy_that_meets_other_helpers_says_what_to_do(setup, tmp_path):
    setup("v1.2", tmp_path / "a")
    said, version = setup("v1.3", tmp_path / "a")
    assert version == "1.2"
    assert said.startswith("This notebook belongs to v1.3 of the course, ")
    assert said.endswith(
        "press the badge, or move this copy away and run `make lab`, for the lesson afresh."
    )


def workflows():
    return {p.name: p.read_text(encoding="utf-8") for p in (ROOT / ".github/workflows").iterdir()}


def test_actions_are_pinned_and_keep_no_credentials():
    for name, text in workflows().items():
        for action in re.findall(r"uses: (\S+)(.*)", text):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action[0]), (name, action)
            assert re.fullmatch(r" # v[\d.]+", action[1]), (name, action)
        for job in yaml.safe_load(text)["jobs"].values():
            for step in job["steps"]:
                if "actions/checkout" in step.get("uses", ""):
                    assert step["with"]["persist-credentials"] is False, name


def test_files_that_workflows_and_makefile_name_are_there():
    text = "\n".join([*workflows().values(), (ROOT / "Makefile").read_text()])
    named = set(re.findall(r"requirements[\w-]*\.\w+", text))
    assert named == LOCKS.keys()
    for path in (".ci/run", "course/run/colab.py", "environment.yml"):
        assert path in text and (ROOT / path).exists()


def test_a_green_main_is_released_and_no_run_of_main_is_cancelled():
    ci, release = (yaml.safe_load(workflows()[name]) for name in ("ci.yml", "release.yml"))
    assert ci["concurrency"]["cancel-in-progress"] == "${{ github.ref != 'refs/heads/main' }}"
    assert release[True]["workflow_run"]["workflows"] == [ci["name"]]  # YAML reads `on` as True
    (job,) = release["jobs"].values()
    script = job["steps"][-1]["run"]
    (program,) = re.findall(r"python3 -c '(.*)'", script)
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert f"v{said.stdout.strip()}" == lessons.release()


def test_forms_and_citation_are_well_formed():
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/lesson.yml").read_text())
    fields = {part["id"] for part in form["body"] if "id" in part}
    assert {"lesson", "where", "versions", "said"} <= fields
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    assert {u["package-ecosystem"] for u in updates} == {"pip", "github-actions"}
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert (str(cited["version"]), cited["license"]) == (PROJECT["version"], PROJECT["license"])


@pytest.mark.parametrize("folder", ["models", "results"])
def test_what_derives_from_ham10000_says_so(folder):
    text = (ROOT / folder / "LICENSE.md").read_text()
    for word in ("CC BY-NC 4.0", "Tschandl", "10.1038/sdata.2018.161", "**changed**"):
        assert word in text
    page = (ROOT / "course/build/templates/readme.md").read_text()
    assert f"({folder}/LICENSE.md)" in page
    if folder == "results":
        assert "dx_type" in text and (ROOT / folder / "subgroups.json").exists()


def test_the_template_of_a_lesson_is_built_like_one_and_is_none(monkeypatch):
    template = lessons.NOTEBOOKS / "src" / "_template.py"
    assert template not in source.sources()
    monkeypatch.setattr(lessons, "names", lambda: (template.stem,))
    notebook = source.render(template)
    nbformat.validate(notebook)
    assert lessons.parameters(notebook) == {"SOURCE": "auto", "SIZE": 28, "SEED": 0}
    assert notebook.cells[-1].source == style.LAST
    assert not style.word_problems(notebook) + style.picture_problems(notebook)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "{{" not in text and source.DISCLAIMER in text
    assert "Solution of" in text and lessons.release() in text


def test_files_that_the_sources_point_to_are_there():
    assert (ROOT / "docs/STYLE.md").exists()
    for folder in ("course", "docs"):
        for file in (ROOT / folder).rglob("*.*"):
            if file.suffix in (".py", ".md"):
                text = file.read_text(encoding="utf-8")
                assert not re.search(r"(?<!docs/)(?<!\w)STYLE\.md", text), file
                for link in re.findall(r"\]\((\.\./[^)#]+)\)", text) if folder == "docs" else ():
                    assert (file.parent / link).exists(), link
