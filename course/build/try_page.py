"""Builds the page that runs the shipped model inside a browser: static files, from site/try/.

    python -m course.build.try_page FOLDER

Its face is the service's page, utils/page.html, with parts and a ``judge`` of its own. LiteRT.js
comes from npm's registry, as site/try/package-lock.json says, and nothing of it into git."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from ai_edge_litert import schema_py_generated
from PIL import Image

from course.errors import CourseError
from course.lessons import address
from utils import lite, serve, settings

SOURCES = settings.ROOT / "site" / "try"
FACE = settings.ROOT / "utils" / "page.html"
# Each kind of answer: melanoma found, missed; other lesions, right, false alarm; two are refused.
SAMPLES = ("0001118", "0000146", "0009976", "0000427", "0000140", "0008256")
# Of the package's four, the one that every browser can run; others are for threads and the like.
RUNTIME = "litert_wasm_compat_internal"
SECONDS = 300  # for npm
POLICY = "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
POLICY += "img-src 'self' blob: data:; style-src 'self'; base-uri 'none'; form-action 'none'"
PART = re.compile(r"<!-- (\w+) -->\n(.*?)\s*<!-- end -->", re.DOTALL)


def build(folder):
    """Fill a folder with the page. Files of its names that are there are replaced.

    Parameters
    ----------
    folder : Path
        Where the page's index.html will lie. If it is the book's, the page links to the book.

    Raises
    ------
    CourseError
        If npm is missing, or LiteRT.js cannot be fetched.
    FileNotFoundError, ValueError
        If a file of the model is missing, or does not belong to the others.
    """
    folder = Path(folder)
    shipped = lite.Shipped()  # checks that the model's files belong together
    for name in ("samples", "litert"):
        settings.make_folder(folder / name)
    _copy_litert(folder / "litert")
    for name in SAMPLES:
        name = f"ISIC_{name}.jpg"
        _copy(settings.SAMPLES["samples"] / name, folder / "samples" / name)
    facts = facts_of(shipped.facts) | {"card": _links(folder)["card"]}
    content = for_one_image(settings.SHIPPED.with_suffix(".tflite").read_bytes())
    settings.write_atomically(folder / facts["file"], lambda p: p.write_bytes(content))
    settings.write_json(folder / "facts.json", facts)
    _copy(SOURCES / "judge.js", folder / "judge.js")
    for name, text in face(**_links(folder)).items():
        settings.write_text(folder / name, text)


def face(**links):
    """The page: dict of file names to texts.

    Parameters
    ----------
    **links
        Addresses that site/try/parts.html names.
    """
    parts = (SOURCES / "parts.html").read_text(encoding="utf-8")
    own = {name: text.format(**links) for name, text in PART.findall(parts)}
    page = PART.sub(lambda found: own.pop(found[1]), FACE.read_text(encoding="utf-8"))
    assert not own, f"utils/page.html has no part {', '.join(own)}"
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    files = {"index.html": page.replace("<head>", f"<head>\n{policy}", 1)}
    for tag, name, instead in (
        ("style", "page.css", '<link rel="stylesheet" href="page.css">'),
        ("script", "page.js", '<script src="page.js" defer></script>'),
    ):
        inside = re.compile(f"<{tag}>\n(.*?)</{tag}>", re.DOTALL)
        (files[name],) = inside.findall(page)
        files["index.html"] = inside.sub(lambda _, instead=instead: instead, files["index.html"])
    return files


def for_one_image(content):
    """A LiteRT file for one image at a time: LiteRT.js takes no input whose first size is open.

    Parameters
    ----------
    content : bytes
        Of a file that ``lite.convert`` made.

    Returns
    -------
    bytes
        The same model, each shape with a 1 where it had a -1.
    """
    content = bytearray(content)
    graph = schema_py_generated.Model.GetRootAs(content).Subgraphs(0)
    for number in range(graph.TensorsLength()):
        tensor = graph.Tensors(number)
        if not tensor.ShapeSignatureIsNone():
            shape = tensor.ShapeSignatureAsNumpy()  # a view: what is written changes the file
            shape[shape == -1] = 1
    return bytes(content)


def facts_of(facts):
    """What judge.js is told of the model, as JSON can hold it.

    Parameters
    ----------
    facts : dict
        From ``decision.joined``.
    """
    table = pd.read_csv(settings.SAMPLES["samples"] / "samples.csv", index_col="image_id")
    names = [f"ISIC_{name}" for name in SAMPLES]
    model = facts["model_sha256"][:16]
    return {
        # Named by the model, so that a browser does not use an older one with these facts.
        "file": f"{model}.tflite",
        "source_size": facts["source_size"],
        "threshold": facts["threshold"],
        "guard": facts.get("guard"),
        "largest": Image.MAX_IMAGE_PIXELS,
        "meaning": serve.MEANING,
        "answer": {
            "threshold_chosen_for": facts.get("threshold_chosen_for", serve.NOT_CHOSEN),
            "model": model,
            "disclaimer": serve.DISCLAIMER,
        },
        "samples": [
            {"image": f"{name}.jpg", "diagnosis": table["diagnosis"][name]} for name in names
        ],
    }


def _links(folder):
    """Where the page leads: into the book around it, if there is one, else to the repository."""
    if (folder.parent / "models" / "index.html").exists():
        return {"course": "../index.html", "card": "../models/index.html"}
    course = "https://github.com/{}/blob/{}".format(*address())
    return {"course": f"{course}/README.md", "card": f"{course}/models/README.md"}


def _copy_litert(folder):
    npm = shutil.which("npm")  # npm.cmd on Windows
    if npm is None:
        raise CourseError("There is no npm: install Node.js 20 or newer, which brings it.")
    with tempfile.TemporaryDirectory() as place:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(SOURCES / name, Path(place) / name)
        try:
            settings.download("LiteRT.js", lambda: _npm_ci(npm, place), SECONDS)
        except ConnectionError as error:
            raise CourseError(f"{error} Try again where npm's registry can be reached.") from error
        core, utils = (
            Path(place, "node_modules", "@litertjs", name) for name in ("core", "wasm-utils")
        )
        for end in (".js", ".wasm"):
            _copy(core / "wasm" / f"{RUNTIME}{end}", folder / f"{RUNTIME}{end}")
        _copy(utils / "dist" / "index.js", folder / "wasm-utils.js")
        text = (core / "dist" / "index.js").read_text(encoding="utf-8")
    # Browsers know no packages; a map of their names would have to be a script in the page.
    named, beside = '"@litertjs/wasm-utils"', '"./wasm-utils.js"'
    assert text.count(named) == 1, "LiteRT.js imports its packages in another way"
    settings.write_text(folder / "index.js", text.replace(named, beside))
    _copy(SOURCES / "LICENSE-litert.txt", folder / "LICENSE.txt")


def _npm_ci(npm, folder):
    words = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        said = re.findall(r"npm (?:error|ERR!) (.+)", done.stderr)
        raise OSError("npm ci: " + "; ".join(said[:2]))


def _copy(source, path):
    settings.write_atomically(path, lambda p: shutil.copyfile(source, p))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Say where: python -m course.build.try_page FOLDER")
    try:
        build(sys.argv[1])
    except (CourseError, OSError, ValueError) as error:
        sys.exit(str(error))
    print(f"python -m http.server -d {sys.argv[1]} 8001, then open http://127.0.0.1:8001")
