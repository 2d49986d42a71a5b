"""Executing lessons for their stored outputs, without a GPU and without the network.

Outputs come from a run on HAM10000, of which no pixel may ever be stored. So those of cells tagged
``pictures`` come from a second run, on synthetic lesions, and those of cells tagged ``samples``
from one that has no data set at all but the course's own CC0 samples."""

import contextlib
import copy
import io
import re
import tempfile
import time

from course.build import style
from course.build.check import WIDGET
from course.build.source import SOLUTION, code_cells
from course.build.style import tags
from course.errors import CourseError
from course.run.terminal import QUIET_KERNEL, environment, missing_images

# Data sets that may be on this machine: not for cells tagged ``samples``.
DATA_SETS = ("HAM10K_DIR", "HAM10K_MASKS_DIR", "ISIC2017_DIR", "PAD_UFES_20_DIR", "KAGGLEHUB_CACHE")
PARTS = re.compile(re.escape(SOLUTION).replace(r"\{\}", "(.*)"), re.DOTALL)
KEEP = "_lesson = dict(globals())"
RESTORE = "(lambda kept, now: (now.clear(), now.update(kept)))(_lesson, globals());"


def require_real_lesions(path):
    """Refuse to execute a lesson where HAM10000 is not at hand as a folder."""
    with contextlib.redirect_stdout(io.StringIO()):
        error = missing_images()
    if error:
        raise CourseError(
            f"{path.name} was not written: its code changed, and its outputs come from real "
            "lesions, which are not here; set HAM10K_DIR to a folder of HAM10000 (data/README.md)."
        ) from error


def with_fresh_outputs(notebook, path):
    """Execute a lesson, and once more for the cells of each tag that may show pixels.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        From ``source.render``.
    path : Path
        Where it will stand; its cells run in that folder.

    Returns
    -------
    nbformat.NotebookNode
        A copy with outputs.
    int
        Seconds of the run on real lesions, solutions left out.

    Raises
    ------
    CourseError
        If a cell or a widget raises, a solution is not right, the run for pictures did not say
        that its lesions are synthetic, or a cell tagged ``samples`` needs more than it may.
    """
    real = copy.deepcopy(notebook)
    seconds = _run(real, path, "folder")
    runs = {"pictures": _run_for_pictures, "samples": _run_for_samples}
    for tag, run in runs.items():
        ids = [cell.id for cell in notebook.cells if style.pixels(cell) == tag]
        outputs = run(copy.deepcopy(notebook), path) if ids else {}
        for cell in real.cells:
            if cell.id in ids:
                cell.outputs = outputs[cell.id]
                for output in cell.outputs:
                    if "data" in output:
                        output.metadata["source"] = style.PIXELS[tag]
                    if "execution_count" in output:
                        output.execution_count = cell.execution_count
    return real, seconds


def _run_for_pictures(notebook, path):
    """Outputs by the id of a cell, on synthetic lesions, up to the last cell that shows them."""
    last = max(i for i, cell in enumerate(notebook.cells) if style.pixels(cell) == "pictures")
    notebook.cells = notebook.cells[: last + 1]
    with tempfile.TemporaryDirectory() as nothing, environment(HAM10K_DIR=nothing):
        _run(notebook, path, "synthetic")
    if not any("SYNTHETIC" in style.output_text(cell) for cell in code_cells(notebook)):
        raise CourseError(f"{path.stem}.py: its run for pictures did not say SYNTHETIC.")
    return {cell.id: cell.outputs for cell in code_cells(notebook)}


def _run_for_samples(notebook, path):
    """Outputs by the id of a cell: of the setup, the parameters and the cells tagged so alone."""
    notebook.cells = [
        cell
        for cell in code_cells(notebook)
        if style.is_setup(cell) or {"parameters", "samples"} & set(tags(cell))
    ]
    with tempfile.TemporaryDirectory() as nothing, environment(**dict.fromkeys(DATA_SETS, nothing)):
        try:
            _run(notebook, path, "folder")
        except CourseError as error:
            raise CourseError(
                f"{error} (in the run for cells tagged `samples`, which sees the setup, the "
                "parameters and these cells alone, and no HAM10000)"
            ) from error
    return {cell.id: cell.outputs for cell in notebook.cells}


def _run(notebook, path, source):
    """Execute a notebook in place; on real lesions with its solutions. Returns its own seconds."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=None,
        extra_arguments=list(QUIET_KERNEL),
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    own = {"HAM10K_SOURCE": source, "CUDA_VISIBLE_DEVICES": "", "COURSE_OFFLINE": "1"}
    start, count, beside = time.monotonic(), 0, 0
    try:
        with (
            tempfile.TemporaryDirectory() as scratch,
            environment(**own, TQDM_DISABLE="1", COURSE_RESULTS_DIR=scratch),
            client.setup_kernel(),
        ):
            for i, cell in enumerate(notebook.cells):
                if cell.cell_type == "code" and cell.source.strip():
                    count += 1
                    client.execute_cell(cell, i, execution_count=count)
                elif "solution" in tags(cell) and source == "folder":
                    beside -= time.monotonic()
                    _try_solution(client, cell, i)
                    beside += time.monotonic()
            seconds = round(time.monotonic() - start - beside)
    except CellExecutionError as error:
        what = f"{error.ename}: {error.evalue}".splitlines()[0]
        raise CourseError(f"{path.stem}.py stopped: {what}") from error
    except DeadKernelError as error:
        raise CourseError(f"{path.stem}.py stopped: {error}") from error
    for widget in client.widget_state.values():
        for output in widget.get("outputs", []):
            if output["output_type"] == "error":
                what = f"{output['ename']}: {output['evalue']}"
                raise CourseError(f"{path.stem}.py stopped in a widget: {what}")
    for cell in code_cells(notebook):
        cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {})]
    return seconds


def _try_solution(client, cell, index):
    """Run a solution in the lesson's kernel, then give all names back their values.

    Its exercise is not begun again, for ``exercises.progress`` of the lesson."""
    from nbformat.v4 import new_code_cell

    number, source = re.fullmatch(PARTS, cell.source).groups()
    said, forget = new_code_cell(source), new_code_cell(f'exercises.check("{number}", ...)')
    try:
        for code in (new_code_cell(KEEP), said, new_code_cell(RESTORE), forget):
            client.execute_cell(code, index, store_history=False)
    finally:
        client.nb.cells[index] = cell
    text = style.output_text(said)
    if not text.startswith(f"Exercise {number}: right."):
        raise CourseError(f"the solution of {number} is not right, it says: {text.strip()[:300]!r}")
