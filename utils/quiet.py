"""Keras on TensorFlow, imported without the log lines of TensorFlow's C++ part, which no setting
turns off, and without the warnings of its Python part about many small models in one program.

Modules and lessons that need Keras import it from here, or after something that did."""

import logging
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever another course has left in keras.json
try:
    _stderr = os.dup(2)
except OSError:  # it is closed, and the next file to be opened would get its number
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    _stderr = os.dup(2)
try:
    _said = tempfile.TemporaryFile()  # noqa: SIM115
except OSError:  # a file system that is read-only; TensorFlow asks for a folder, and writes nothing
    tempfile.tempdir = os.getcwd()
    _said = open(os.devnull, "r+b")  # noqa: SIM115
with _said:
    os.dup2(_said.fileno(), 2)
    try:
        import keras
    except BaseException:
        _said.seek(0)
        os.write(_stderr, _said.read())
        raise
    finally:
        os.dup2(_stderr, 2)
        os.close(_stderr)
if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"Keras runs on {keras.backend.backend()} here, and the course needs TensorFlow: restart "
        "Python (the kernel), and import the course before Keras or set KERAS_BACKEND=tensorflow."
    )
logging.getLogger("tensorflow").setLevel(logging.ERROR)
from tensorflow.config import threading as _threads  # noqa: E402

__all__ = ["keras", "require_threads"]

_lost_threads = False


def _after_fork():
    """Note whether TensorFlow was running: its threads are not in the copy, which waits for them.

    Once it runs, it lets nobody change how many there shall be; nothing else of it can be asked.
    """
    global _lost_threads
    number = _threads.get_inter_op_parallelism_threads()
    try:
        _threads.set_inter_op_parallelism_threads(number + 1)
        _threads.set_inter_op_parallelism_threads(number)
    except RuntimeError:
        _lost_threads = True


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)


def require_threads():
    """Refuse to use a model where TensorFlow would wait for ever.

    Raises
    ------
    RuntimeError
        In a process that was forked (``multiprocessing``'s way on Linux up to Python 3.13) from
        one in which TensorFlow was already running.
    """
    if _lost_threads:
        raise RuntimeError(
            "This process was forked after TensorFlow had started, and would wait for ever: use "
            'multiprocessing.get_context("spawn"), threads, or one process.'
        )
