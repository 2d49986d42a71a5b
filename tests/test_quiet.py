import subprocess
import sys

import pytest

from utils import settings

CODE = """
import os
os.close(2)
import utils.quiet
print(open(os.devnull).fileno())
"""


@pytest.mark.slow
def test_keras_is_imported_where_standard_error_is_closed():
    """Nor does the next file get its number: TensorFlow would write its log lines into it."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=settings.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and int(done.stdout) > 2
