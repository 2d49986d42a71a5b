"""The lessons as Colab runs them: Colab's versions, and the notebook alone in an empty folder."""

import re
import subprocess
from pathlib import Path

from course.errors import CourseError
from course.lessons import address, pyproject, release
from course.run import environments
from course.run.terminal import shown
from utils import settings

VERSIONS = Path(__file__).with_name("colab.txt")
# A notebook there needs none of these; the lesson that shows MAPIE goes on without it, and
# TensorFlow's interpreter takes the place of LiteRT's.
NOT_IN_COLAB = {"ai-edge-litert", "fastapi-offline", "jupyterlab", "papermill", "setuptools"}
PYTHON = "3.13"


def surroundings(folder):
    """Make in a folder what Colab has: ``google.colab``, and a course that can be cloned.

    ``google`` has no ``__init__.py`` there, so that ``google.protobuf`` stays importable. What
    ``git clone`` gets from the course's address is this very tree with all its changes, on the
    badge's branch and as the release; the branch that a clone gets unasked is empty.

    Returns
    -------
    dict of str to str
        Environment variables.
    """
    modules, bare = folder / "modules", folder / "course.git"
    (modules / "google" / "colab").mkdir(parents=True)
    (modules / "google" / "colab" / "__init__.py").touch()
    repository, branch = address()
    git = ["git", "--git-dir", bare, "--work-tree", settings.ROOT, "-c", "core.autocrlf=false"]
    git += ["-c", "user.name=course", "-c", "user.email=course@localhost"]
    for words in (
        ["init", "-q", "-b", f"not-{branch}"],
        ["commit", "-qm", "empty", "--allow-empty"],
        ["symbolic-ref", "HEAD", f"refs/heads/{branch}"],
        ["add", settings.ROOT],
        ["commit", "-qm", "all"],
        ["tag", release()],
        ["symbolic-ref", "HEAD", f"refs/heads/not-{branch}"],
    ):
        subprocess.run([*git, *words], check=True, cwd=settings.ROOT)
    return {
        "PYTHONPATH": str(modules),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{bare.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{repository}",
        "CUDA_VISIBLE_DEVICES": "",
    }


def pins(path):
    """The versions in an output of ``pip freeze``; what was installed from a file has none.

    Returns
    -------
    dict of str to str
        By name, in small letters with hyphens.

    Raises
    ------
    CourseError
        If it cannot be read, or holds no version.
    """
    try:
        found = re.findall(r"^([\w.-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read: {error}.") from error
    if not found:
        raise CourseError(f"{path} has no line NAME==VERSION, as `pip freeze` writes them.")
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def wanted(versions):
    """What lessons need of Colab: what pyproject.toml lists for learners, but for ``NOT_IN_COLAB``.

    Parameters
    ----------
    versions : dict of str to str
        Colab's, from ``pins``.

    Returns
    -------
    list of str
        Requirements such as ``"keras>=3.8"``.

    Raises
    ------
    CourseError
        If Colab has not all of them.
    """
    extras = pyproject()["project"]["optional-dependencies"]
    listed = {re.match(r"[\w-]+", r)[0]: r for e in ("learn", "serve", "lab") for r in extras[e]}
    needed = {name: r for name, r in listed.items() if name not in NOT_IN_COLAB}
    if missing := needed.keys() - versions.keys():
        raise CourseError(
            f"Colab moved: its list has no {', '.join(sorted(missing))}, which lessons need "
            "(pyproject.toml)."
        )
    return list(needed.values())


def install(folder, listed=VERSIONS):
    """Make a virtual environment with Colab's versions, unless it is there. Returns its Python.

    Parameters
    ----------
    folder : Path
    listed : Path
        Colab's versions, an output of ``pip freeze``; only what lessons need is installed.

    Raises
    ------
    CourseError
        If there is no Python 3.13, or the packages cannot be installed.
    """
    versions = pins(listed)
    requirements = wanted(versions)
    pinned = "".join(f"{name}=={version}\n" for name, version in versions.items())
    only = settings.make_folder(folder.parent) / "colab.txt"
    settings.write_text(only, pinned)
    return environments.install(
        folder,
        PYTHON,
        ["-c", only, *requirements],
        "\n".join([*requirements, pinned]),
        f"Colab's versions ({shown(listed)}) could not be installed (see above): try again, and if "
        "the reason is that Colab moved, change pyproject.toml or the lessons.",
    )


def moved(listed):
    """What another list of Colab's versions has that ``VERSIONS`` has not: list of str."""
    now = pins(listed)
    return [
        f"Colab moved: {name} {version} -> {now[name]}"
        for name, version in pins(VERSIONS).items()
        if now.get(name, version) != version
    ]
