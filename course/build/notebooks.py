"""Building notebooks: bringing them, and what is made of them, up to date with their sources."""

import base64

from course import lessons
from course.build.check import output_problems, source_problems
from course.build.outputs import require_real_lesions, with_fresh_outputs
from course.build.render import render_file
from course.build.source import PROJECT, code_cells, copy_outputs, render, sources, with_outputs
from course.build.style import figures, pixels, tags
from course.errors import CourseError
from utils import settings

CLASSIFIER = "skin_cancer_classifier.py"
SAMPLE = "quickstart.png"  # beside the notebooks; the README shows it


def build(source, anew=False):
    """Bring one notebook up to date with its source.

    It is executed, without a GPU and without the network, only if a code cell or the setup changed
    since; where only Markdown, the repository's address or a quoted figure did, its outputs are
    kept.

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
        If a cell raises, a solution is not right, real lesions are needed and not here, or what
        would be written has a problem; nothing is written then. Or if an editor saved the
        notebook: it may hold a learner's work.
    """
    import nbformat

    path = lessons.notebook(source.stem)
    notebook = render(source)
    _refuse(path, source_problems(notebook, path))
    old = nbformat.read(path, 4) if path.exists() else None
    if old and _without_course(old) != _without_course(notebook):
        raise CourseError(
            f"{path.name} was saved by an editor since it was built: move it to my_notebooks/ if "
            f"there is work of yours in it, then `git checkout notebooks/{path.name}`."
        )
    if not anew and (kept := with_outputs(source, old)) and not output_problems(kept):
        notebook = kept
        done = "is unchanged" if kept == old else "rendered anew"
    else:
        require_real_lesions(path)
        executed, seconds = with_fresh_outputs(notebook, path)
        notebook = render(source, seconds)
        copy_outputs(executed, notebook)
        done = f"executed in {seconds} s"
    _refuse(path, output_problems(notebook))
    if done != "is unchanged":
        settings.write_text(path, nbformat.writes(notebook) + "\n")
    return done


def _refuse(path, problems):
    if problems:
        raise CourseError(f"{path.name} was not written: {'; '.join(problems)}.")


def _without_course(notebook):
    return {key: value for key, value in notebook.metadata.items() if key != "course"}


def notebooks(anew=False, wanted=()):
    """Bring notebooks and what is made of them up to date. Returns the exit code.

    Parameters
    ----------
    anew : bool
        Execute unchanged ones too.
    wanted : list of str
        Numbers of lessons, as ``"05"``; none means all, and the README.
    """
    import nbformat

    from course.build.pages import pages

    _renumber()
    for source in sources(wanted):
        print(f"{source.stem} ...", end=" ", flush=True)
        print(build(source, anew), flush=True)
        if text := classifier(render(source)):
            settings.write_text(lessons.NOTEBOOKS.parent / CLASSIFIER, text)
            if png := sample(nbformat.read(lessons.notebook(source.stem), 4)):
                path = lessons.NOTEBOOKS / SAMPLE
                settings.write_atomically(path, lambda p, png=png: p.write_bytes(png))
    return 0 if wanted else pages()


def _renumber():
    """Give each notebook the number that its lesson has now; what is no lesson is named."""
    for path in sorted(lessons.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
        name = lessons.name_of(path)
        if name not in lessons.names():
            raise CourseError(f"{path.name} is of no lesson in pyproject.toml's list: delete it.")
        if path != lessons.notebook(name):
            print(f"{path.name} becomes {lessons.notebook(name).name}")
            path.rename(lessons.notebook(name))


def classifier(notebook):
    """``skin_cancer_classifier.py``: the cells tagged ``PROJECT``, as one program.

    Returns
    -------
    str or None
        None if no cell has the tag.
    """
    cells = [cell.source for cell in code_cells(notebook) if PROJECT in tags(cell)]
    return render_file(f"{CLASSIFIER}.j2", cells=cells) if cells else None


def sample(notebook):
    """The first figure of lesions that a notebook stores, as the bytes of a PNG, or None."""
    for cell in code_cells(notebook):
        for figure in figures(cell) if pixels(cell) else ():
            return base64.b64decode(figure.data["image/png"])
    return None
