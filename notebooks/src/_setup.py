import importlib.util
import subprocess
import sys
from pathlib import Path

REPOSITORY = "https://github.com/{{ repository }}"
needs = {"tensorflow": "tensorflow", "sklearn": "scikit-learn", "kagglehub": "kagglehub"}
if missing := [package for name, package in needs.items() if not importlib.util.find_spec(name)]:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", *missing], check=True)
places = [Path.cwd(), Path.cwd().parent, Path.cwd() / Path(REPOSITORY).name]
course = next((place for place in places if (place / "utils" / "splits.py").exists()), places[-1])
fetch = ["git", "clone", "-q", "--depth", "1", REPOSITORY, course]
if not (course / "utils").exists() and subprocess.call(fetch):
    raise RuntimeError(f"{REPOSITORY} could not be fetched into {course}: is there network?")
sys.path.insert(0, str(course))
