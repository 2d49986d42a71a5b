import glob
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY, RELEASE = "https://github.com/{{ repository }}", "{{ release }}"
needs = {"tensorflow": "tensorflow", "sklearn": "scikit-learn", "kagglehub": "kagglehub"}
missing = [package for name, package in needs.items() if not importlib.util.find_spec(name)]
if missing and not importlib.util.find_spec("pip"):
    raise RuntimeError(f"There is no pip here: run `uv pip install {' '.join(missing)}` first.")
if missing and subprocess.call([sys.executable, "-m", "pip", "install", "-q", *missing]):
    raise RuntimeError(f"{', '.join(missing)} could not be installed: is there network?")
clone = Path.cwd() / Path(REPOSITORY).name
places = [*clone.parents, clone, *map(Path, sys.path)]
course = next((p for p in places if os.path.exists(p / "notebooks/src/_setup.py")), None)
inputs = glob.iglob("/kaggle/input/**/notebooks/src/_setup.py", recursive=True)
course = course or next((Path(p).parents[2] for p in inputs), clone)
if course.is_relative_to("/kaggle/input"):  # which cannot be written
    os.environ.setdefault("COURSE_WORK_DIR", "/kaggle/working")
if not (course / "utils").exists():  # as in Colab
    if not shutil.which("git"):
        raise RuntimeError(f"git is missing: install it, or work in a copy of {REPOSITORY}.")
    if clone.exists():
        raise RuntimeError(f"{clone} is there, but not whole: delete it, then run this cell again.")
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
if not str(getattr(sys.modules.get("utils"), "__file__", course)).startswith(str(course)):
    for name in [name for name in sys.modules if name.split(".")[0] == "utils"]:
        del sys.modules[name]  # another project's
if "ipykernel" in sys.modules:  # figures belong below their cell, whatever was set before
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
