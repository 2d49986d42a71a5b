"""Where the course reads and writes: paths, environment variables, the offline switch, atomic
writes. Everything else in the course asks here."""

import atexit
import errno
import json
import math
import os
import re
import shutil
import socket
import tempfile
import threading
from contextlib import suppress
from dataclasses import is_dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "models" / "melanoma_mobilenetv2.keras"  # the model that the course ships
# Real images that may be shown, in the repository: the folder of each set, with NAME.csv in it.
SAMPLES = {
    "samples": ROOT / "data" / "samples",
    "elsewhere": ROOT / "data" / "samples" / "elsewhere",
}
# Environment variables that name a folder. `python -m course` makes them absolute, since lessons
# run in notebooks/ and not where the command was typed.
FOLDERS = (
    *("HAM10K_DIR", "HAM10K_MASKS_DIR", "ISIC2017_DIR", "PAD_UFES_20_DIR"),
    *("KAGGLEHUB_CACHE", "KERAS_HOME", "COURSE_RESULTS_DIR", "COURSE_WORK_DIR"),
)

# Where Keras, too, turns to without a home folder.
TEMPORARY = Path("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir())


def folder(variable):
    """The folder that an environment variable names, as an absolute Path; None if it is not set."""
    value = os.environ.get(variable)
    return Path(os.path.expanduser(value)).absolute() if value else None


def home(path):
    """A path in the person's home folder, where other programs keep it; else in ``TEMPORARY``.

    A container that runs as a number which no table of users knows has no home folder.
    """
    own = Path(os.path.expanduser("~"))
    return (own if own.is_absolute() else TEMPORARY) / path


def make_folders_absolute():
    """Replace every variable of ``FOLDERS`` that is set by its absolute path."""
    for variable in FOLDERS:
        if os.environ.get(variable):
            os.environ[variable] = str(folder(variable))


def work():
    """Where the course writes: ``$COURSE_WORK_DIR``, else the course's own folder."""
    return folder("COURSE_WORK_DIR") or ROOT


def cache():
    """Where prepared images are kept."""
    return work() / "data" / "cache"


def runs():
    """Where executed notebooks go."""
    return work() / "runs"


def results():
    """Where a lesson's results go: ``$COURSE_RESULTS_DIR``, else ``runs()/results``."""
    return folder("COURSE_RESULTS_DIR") or runs() / "results"


@lru_cache(maxsize=1)
def scratch():
    """A folder of this process alone (checkpoints, backups), removed when the process ends."""
    path = Path(tempfile.mkdtemp(prefix="course-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def make_folder(path):
    """Create a folder if it is missing, and make sure that it can be written.

    Raises
    ------
    OSError
        If it cannot be written; the sentence names the variable that moves it.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def unwritable(path, error):
    """The OSError, in one sentence, for a folder that cannot be written."""
    why = os.strerror(error.errno) if error.errno else error
    return OSError(
        f"{path} cannot be written ({why}): free some space there, or set "
        "COURSE_WORK_DIR to a folder of your own."
    )


def require_space(path, n_bytes):
    """Make sure that a folder's disk has room: HDF5 ends the whole process where it has none.

    Raises
    ------
    OSError
        If it has not, in the sentence of ``unwritable``.
    """
    if shutil.disk_usage(path).free < n_bytes:
        raise unwritable(path, OSError(errno.ENOSPC, ""))


def write_atomically(path, write):
    """Write a file so that it is there in full or, if anything fails, as it was before.

    Parameters
    ----------
    path : Path
    write : callable
        Takes a temporary path in the same folder, with the same suffixes, and writes it.

    Raises
    ------
    OSError
        What ``write`` raises; if the disk is full, in one sentence.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}-{threading.get_ident()}.{path.name}")
    try:
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise unwritable(path.parent, error) from error
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_text(path, text):
    """Write UTF-8 text with Unix line ends, whole or not at all."""
    write_atomically(path, lambda p: p.write_text(text, encoding="utf-8", newline="\n"))


def write_json(path, content):
    """Write JSON whole or not at all; NaN and infinity, which JSON does not know, become null.

    An ``evaluation.Estimate`` may stand anywhere inside; a list of numbers takes one line.
    """
    text = json.dumps(_plain(content), indent=1, allow_nan=False)
    lists = re.compile(r"\[\n[^\[\]{}]*\]")
    text = lists.sub(lambda found: re.sub(r"\n *", " ", found[0]), text)
    write_text(path, text + "\n")


def _plain(content):
    if is_dataclass(content):
        content = content.to_json()
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def offline():
    """Whether ``$COURSE_OFFLINE`` forbids the network (set to anything but 0)."""
    return os.environ.get("COURSE_OFFLINE", "0") not in ("", "0")


def download(what, fetch, seconds=600):
    """Run ``fetch()``, the only way in which the course asks the network for anything.

    Parameters
    ----------
    what : str
        What is fetched, for the sentence if it fails.
    fetch : callable
        Downloads something and returns where it is.
    seconds : float
        How long it may take in all.

    Returns
    -------
    object
        What ``fetch`` returned.

    Raises
    ------
    ConnectionError
        If the network is forbidden, the download fails for any reason, or takes too long.
    """
    if offline():
        raise ConnectionError(f"{what} cannot be fetched: COURSE_OFFLINE forbids the network.")
    answer = {}

    def run():
        try:
            answer["value"] = fetch()
        except Exception as error:
            answer["error"] = error

    # In a thread, since neither a name look-up nor a mount knows a time limit; left behind if late.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)
    try:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(seconds)
    finally:
        socket.setdefaulttimeout(before)
    if "value" in answer:
        return answer["value"]
    error = answer.get("error", f"no answer within {seconds:g} seconds")
    why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    raise ConnectionError(f"{what} cannot be fetched ({why}).") from answer.get("error")
