import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY, RELEASE = "https://github.com/{{ repository }}", "{{ release }}"
needs = {"tensorflow": "tensorflow", "sklearn": "scikit-learn", "kagglehub": "kagglehub"}
missing = [package for name, package in needs.items() if not importlib.util.find_spec(name)]
if missing and subprocess.call([sys.executable, "-m", "pip", "install", "-q", *missing]):
    raise RuntimeError(f"{', '.join(missing)} could not be installed: is there network?")
clone = Path.cwd() / Path(REPOSITORY).name
places = [*clone.parents, clone, *map(Path, sys.path)]
course = next((p for p in places if os.path.exists(p / "notebooks/src/_setup.py")), clone)
if not (course / "utils").exists():  # as in Colab
    if not shutil.which("git"):
        raise RuntimeError(f"git is missing: install it, or work in a copy of {REPOSITORY}.")
    fetch = ["git", "-c", "advice.detachedHead=false", "clone", "-q", "--depth=1"]
    seek = ["git", "ls-remote", "--exit-code", REPOSITORY, f"refs/tags/{RELEASE}"]
    tag = RELEASE
    if subprocess.call(seek, stdout=subprocess.DEVNULL) == 2:  # without network it is 128
        tag = "{{ branch }}"
        print(f"There is no release {RELEASE} of the course yet: {tag} is fetched instead.")
    if subprocess.call([*fetch, f"--branch={tag}", REPOSITORY, clone]):
        raise RuntimeError(f"{REPOSITORY} could not be fetched into {clone}: is there network?")
if f'\nversion = "{RELEASE[1:]}"' not in (course / "pyproject.toml").read_text("utf-8"):
    print(
        f"This notebook belongs to {RELEASE} of the course, {course} is another release: if a cell "
        "fails, press the badge, or move this copy away and run `make lab`, for the lesson afresh."
    )
sys.path.insert(0, str(course))
