"""Keras, imported without the log lines of TensorFlow's C++ part, which no setting turns off.

Modules and lessons that need Keras import it from here, or after something that did."""

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

__all__ = ["keras"]
