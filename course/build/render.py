"""Fills Jinja2 templates: Markdown of lessons, blocks of the README, the model card."""

from pathlib import Path

import jinja2

from course.errors import CourseError
from utils import results
from utils.evaluation import Estimate


def render(text, **names):
    """Text with its ``{{ ... }}`` filled in.

    Parameters
    ----------
    text : str
        A Jinja2 template. Beside ``names`` it may use ``quote``, ``verdict``, ``fact``, ``shown``
        and the filter ``number``.
    **names
        Values to be used by name.

    Raises
    ------
    CourseError
        If a name is not known, a figure is not in ``results/``, or the template is malformed.
    """
    return _fill(lambda: ENVIRONMENT.from_string(text), names)


def render_file(template, **names):
    """As ``render``, for a file in ``templates/``."""
    return _fill(lambda: ENVIRONMENT.get_template(template), names)


def _fill(template, names):
    try:
        return template().render(names)
    except jinja2.TemplateError as error:
        raise CourseError(f"A template cannot be filled in: {error}.") from error


def quote(name, keys, form=".2f"):
    """A figure of ``results/`` as text.

    Parameters
    ----------
    name : str
        Of the file, without ``.json``.
    keys : str
        Joined by dots, with numbers for places in a list: ``"over_seeds.roc_auc.seeds.0"``.
    form : str
        Format of a number; text stays as it is.

    Returns
    -------
    str
        A figure with an interval as ``0.87 [0.81, 0.92]``.

    Raises
    ------
    CourseError
        If there is no such file or figure.
    """
    found = _look_up(name, keys)
    if isinstance(found, str):
        return found
    if isinstance(found, bool) or not isinstance(found, int | float | Estimate):
        raise CourseError(f"{keys!r} of results/{name}.json is neither a number nor a text.")
    return number(found, form)


def verdict(name, keys, above="clear", below="clear", zero="inconclusive"):
    """Words for where the interval of a figure of ``results/`` lies, so that they never outlive it.

    Parameters
    ----------
    name, keys : str
        As for ``quote``.
    above, below, zero : str or None
        What to say of an interval above zero, below zero, and of one that holds zero. None: the
        sentence around it would be wrong then, and someone has to write another.

    Raises
    ------
    CourseError
        If there is no such figure, it has no interval, or its word is None.
    """
    found = _look_up(name, keys)
    if not isinstance(found, Estimate):
        raise CourseError(f"{keys!r} of results/{name}.json has no interval.")
    words = above if found.low > 0 else below if found.high < 0 else zero
    if words is None:
        raise CourseError(
            f"{keys!r} of results/{name}.json is {found:+.3f} now, and what is said of it is not "
            "true any more: rewrite the sentence."
        )
    return words


def fact(text, why):
    """A number that no output and no record shows; ``why`` says where it is from, to authors."""
    if not why.strip():
        raise CourseError(f"fact({text!r}) must say where the number is from.")
    return text


def shown(text):
    """A number that an output elsewhere in the lesson shows; ``prose_numbers`` looks for it."""
    return text


def _look_up(name, keys):
    found = results.committed(name)
    if found is None:
        raise CourseError(f"{keys!r} cannot be quoted: there is no results/{name}.json.")
    for key in keys.split("."):
        try:
            if isinstance(found, Estimate):
                found = getattr(found, key)
            else:
                found = found[int(key)] if isinstance(found, list | tuple) else found[key]
        except (AttributeError, KeyError, IndexError, TypeError, ValueError):
            raise CourseError(f"results/{name}.json has no {keys!r}: {key!r} is missing.") from None
    return found


def number(value, form=".3f"):
    """A number or an Estimate as text."""
    try:
        return format(value, form)
    except ValueError:
        raise CourseError(f"{form!r} is no format for {value}.") from None


def with_seeds(value):
    """As ``number``, and below it the range over single trainings where there are several."""
    seeds = getattr(value, "seeds", ())
    spread = f"<br>seeds {min(seeds):.3f}-{max(seeds):.3f}" if len(seeds) > 1 else ""
    return number(value) + spread


ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
ENVIRONMENT.globals |= {"quote": quote, "verdict": verdict, "fact": fact, "shown": shown}
ENVIRONMENT.filters |= {"number": number, "with_seeds": with_seeds}
