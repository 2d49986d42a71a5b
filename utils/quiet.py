"""Keras, imported without the log lines of TensorFlow's C++ part, which no setting turns off, and
without the warnings of its Python part about many small models in one program.

Modules and lessons that need Keras import it from here, or after something that did."""

import logging
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    _stderr = os.dup(2)
except OSError:  # it is closed, and the next file to be opened would get its number
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    _stderr = os.dup(2)
with tempfile.TemporaryFile() as _said:
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
logging.getLogger("tensorflow").setLevel(logging.ERROR)

__all__ = ["keras"]
