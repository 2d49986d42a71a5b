"""Building notebooks: from the sources in notebooks/src/ to executed notebooks that are clean."""

import hashlib
import json
import os
import re
import tempfile
import time

from course import lessons
from course.errors import CourseError
from course.run import QUIET_KERNEL, environment
from utils import settings

DISCLAIMER = (
    "> **For education only.** Nothing here is a medical device, and no output of it is a "
    "diagnosis. Show a mole that is new, changes or worries you to a doctor."
)
SETUP = "# {{ setup }}"
MAX_BYTES = 1_000_000
MACHINE_PATH = re.compile(r"/(?:root|home/\w+|Users/\w+|tmp/\w+)/|[A-Z]:\\+Users\\")


def render(source):
    """A notebook, not executed, from its source.

    Parameters
    ----------
    source : Path
        ``notebooks/src/NN_name.py``, jupytext percent format. Markdown cells are Jinja2 templates
        that know ``repository``, ``branch``, ``notebook``, ``disclaimer`` and ``quote``; in code
        cells only the line ``# {{ setup }}`` is replaced, by ``_setup.py``.

    Returns
    -------
    nbformat.NotebookNode

    Raises
    ------
    CourseError
        If a template names anything else, or a figure is not in ``results/``.
    """
    import jupytext

    from course.render import render as fill

    raw = source.read_text(encoding="utf-8")
    setup = (source.parent / "_setup.py").read_text(encoding="utf-8").strip()
    repository, branch = lessons.address()
    names = {
        "repository": repository,
        "branch": branch,
        "notebook": f"notebooks/{source.stem}.ipynb",
        "disclaimer": DISCLAIMER,
    }
    notebook = jupytext.reads(raw, fmt="py:percent")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    try:
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell-{number:02d}"
            cell.metadata.pop("lines_to_next_cell", None)
            if cell.cell_type == "markdown":
                cell.source = fill(cell.source, **names)
                continue
            if SETUP in cell.source.splitlines():
                cell.source = cell.source.replace(SETUP, fill(setup, **names))
            if marker := re.search(r"\{\{ .*? \}\}", cell.source):
                raise CourseError(f"nothing is put in place of {marker[0]} in a code cell.")
    except CourseError as error:
        raise CourseError(f"{source.name}: {error}") from error
    # Not of what is quoted from results/, nor of the address: neither changes what a cell does.
    notebook.metadata = _metadata(hashlib.sha256((raw + setup).encode()).hexdigest())
    return notebook


def _metadata(sha256):
    """Only what Jupyter and papermill need: nothing that differs between two machines."""
    from nbformat import from_dict

    return from_dict(
        {
            "course": {"source_sha256": sha256},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )


def source_problems(notebook, path):
    """Where a notebook differs from what its source renders to, one sentence each.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    path : Path
        Where it stands, or will.

    Returns
    -------
    list of str
    """
    source = path.parent / "src" / f"{path.stem}.py"
    if not source.exists():
        return [f"it has no source {source.name}"]
    found = []
    if _content(notebook) != _content(render(source)):
        found.append(f"it does not agree with {source.name}: run `make notebooks`")
    repository, branch = lessons.address()
    colab = "https://colab.research.google.com/github/"
    badge = f"{colab}{repository}/blob/{branch}/notebooks/{path.name}"
    links = re.findall(re.escape(colab) + r'[^)\s"]+', notebook.cells[0].source)
    if links != [badge]:
        found.append(f"its Colab badge must lead to {badge}, not to {links}")
    try:
        lessons.parameters(notebook)
    except ValueError as error:
        found.append(str(error))
    return found


def _content(notebook):
    cells = [(c.id, c.cell_type, c.source, c.metadata) for c in notebook.cells]
    return cells, notebook.metadata


def output_problems(notebook):
    """What is wrong with a notebook's stored outputs, one sentence each.

    Parameters
    ----------
    notebook : nbformat.NotebookNode

    Returns
    -------
    list of str
    """
    import nbformat

    found = []
    here = [str(settings.ROOT), *filter(None, map(os.environ.get, settings.FOLDERS))]
    cells = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    if [c.execution_count for c in cells] != list(range(1, len(cells) + 1)):
        found.append("its cells were not all executed, once and in order")
    if not any(c.outputs for c in cells):
        found.append("it has no outputs")
    for cell in cells:
        for output in cell.outputs:
            data = {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
            text = json.dumps(data) + output.get("text", "") + "".join(output.get("traceback", []))
            allowed = "raises-exception" in cell.metadata.get("tags", [])
            if output.output_type == "error" and not allowed:
                found.append(f"{cell.id} raises {output.ename}: {output.evalue}")
            if output.output_type == "stream" and output.name == "stderr":
                found.append(f"{cell.id} writes to stderr: {text.strip()[:300]}")
            if MACHINE_PATH.search(text) or any(place in text for place in here):
                found.append(f"{cell.id} shows a path of this machine: {text.strip()[:300]}")
    size = len(nbformat.writes(notebook).encode())
    if size >= MAX_BYTES:
        found.append(f"it has {size:,} bytes, where {MAX_BYTES:,} are the limit")
    return found


def build(source, anew=False):
    """Bring one notebook up to date with its source.

    It is executed, on synthetic lesions, without a GPU and without the network, only if its source
    changed since; where only the repository's address or a quoted figure did, its outputs are kept.

    Parameters
    ----------
    source : Path
    anew : bool
        Execute in any case (after a change in ``utils/``, which is not looked at).

    Returns
    -------
    str
        What was done.

    Raises
    ------
    CourseError
        If a cell raises, or what would be written has a problem; nothing is written then. Or if
        an editor saved the notebook: it may hold a learner's work.
    """
    import nbformat

    path = source.parents[1] / f"{source.stem}.ipynb"
    notebook = render(source)
    _refuse(path, source_problems(notebook, path))
    old = nbformat.read(path, 4) if path.exists() else None
    start = time.monotonic()
    if old and old.metadata != _metadata(_source_of(old)):
        raise CourseError(
            f"{path.name} was saved by an editor since it was built: move it to my_notebooks/ if "
            f"there is work of yours in it, then `git checkout notebooks/{path.name}`."
        )
    same = old and _source_of(old) == _source_of(notebook) and len(old.cells) == len(notebook.cells)
    if same and not anew and not output_problems(old):
        for cell, before in zip(notebook.cells, old.cells, strict=True):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = before.outputs, before.execution_count
        done = "is unchanged" if _content(old) == _content(notebook) else "rendered anew"
    else:
        _execute(notebook, path)
        done = f"executed in {time.monotonic() - start:.0f} s"
    _refuse(path, output_problems(notebook))
    if done != "is unchanged":
        settings.write_text(path, nbformat.writes(notebook) + "\n")
    return done


def _source_of(notebook):
    return notebook.metadata.get("course", {}).get("source_sha256")


def _refuse(path, problems):
    if problems:
        raise CourseError(f"{path.name} was not written: {'; '.join(problems)}.")


def _execute(notebook, path):
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    source_sha256 = _source_of(notebook)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=None,
        extra_arguments=list(QUIET_KERNEL),
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    own = {"HAM10K_SOURCE": "synthetic", "CUDA_VISIBLE_DEVICES": "", "COURSE_OFFLINE": "1"}
    try:
        with (
            tempfile.TemporaryDirectory() as scratch,
            environment(**own, TQDM_DISABLE="1", COURSE_RESULTS_DIR=scratch),
        ):
            client.execute()
    except CellExecutionError as error:
        what = f"{error.ename}: {error.evalue}".splitlines()[0]
        raise CourseError(f"{path.stem}.py stopped: {what}") from error
    except DeadKernelError as error:
        raise CourseError(f"{path.stem}.py stopped: {error}") from error
    notebook.metadata = _metadata(source_sha256)  # the kernel wrote its version into it


def notebooks(anew=False):
    """Bring all notebooks and the README up to date. Returns the exit code."""
    from course.publish import readme

    for source in sorted((lessons.NOTEBOOKS / "src").glob("[0-9][0-9]_*.py")):
        print(f"{source.stem} ...", end=" ", flush=True)
        print(build(source, anew), flush=True)
    return readme()
