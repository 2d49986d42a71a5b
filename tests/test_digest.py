"""Digests of code: what changes them, and what does not."""

import ast
import subprocess
import sys

import pytest

from utils import digest, settings

COURSE = {
    "utils/__init__.py": "",
    "utils/plots.py": "COLOUR = 1\n",
    "utils/alone.py": "X = 1\n",
    "utils/limits.py": "LIMIT = 3\n",
    "utils/late.py": "LATE = 1\n",
    "utils/data/__init__.py": "SIZE = 28\n",
    "utils/data/kaggle.py": "NAME = 'a'\n",
    "utils/models.py": '''"""Pieces."""
import numpy as np
from utils import limits, plots


class Model:
    """A model."""

    def twice(self, x):
        """Twice."""
        from utils import late

        return 2 * x  # why
''',
    "experiments/ladder.py": "from utils import models\nfrom utils.data.kaggle import NAME\n",
}


@pytest.fixture
def course(tmp_path, monkeypatch):
    """The folder of a small course."""
    for name, text in COURSE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    digest._parse.cache_clear()
    yield tmp_path
    digest._parse.cache_clear()


@pytest.mark.parametrize(
    ("file", "old", "new", "counts"),
    [
        ("experiments/ladder.py", "import NAME", "import NAME as N", True),
        ("utils/models.py", "2 * x", "3 * x", True),
        ("utils/limits.py", "3", "4", True),  # imported by what is imported
        ("utils/late.py", "1", "2", True),  # inside a function
        ("utils/data/kaggle.py", "'a'", "'b'", True),
        ("utils/data/__init__.py", "28", "64", True),  # Python runs it before its modules
        ("utils/models.py", "return 2", "'no docstring'; return 2", True),
        ("utils/models.py", "# why", "# another reason", False),
        ("utils/models.py", '"""Pieces."""', '"""Parts."""', False),
        ("utils/models.py", '"""A model."""', '"""One model."""', False),
        ("utils/models.py", '        """Twice."""\n', "", False),
        ("utils/models.py", "2 * x", "(2\n * x)", False),
        ("utils/data/kaggle.py", "'a'", '"a"', False),
        ("utils/alone.py", "1", "2", False),
        ("utils/plots.py", "1", "2", False),
    ],
)
def test_what_runs_counts_and_nothing_else(course, mend, file, old, new, counts):
    ladder = course / "experiments" / "ladder.py"
    before = digest.of_code(ladder)
    mend(course / file, old, new)
    assert (digest.of_code(ladder) != before) == counts


@pytest.mark.slow
def test_what_python_imports_is_found():
    code = "import sys, utils.results; print(*sorted(n for n in sys.modules if n[:5] == 'utils'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.ROOT, capture_output=True, text=True
    )
    found = digest.files("utils/results.py")
    names = {f.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for f in found}
    assert done.stdout.split() == sorted(names)


def test_no_digest_depends_on_the_python_that_makes_it():
    """Of code whose tree differs between 3.11, 3.12 and 3.13 in what ``ast.dump`` shows."""
    code = '''
def f(x: int, /, *a, w=3, **k) -> str:
    """Doc."""
    return f"{x:{w}}" f"{x!r:>{w}}{x=}" "b" f"{{}}" rf"\\d{x:{w}.{w}f}" f""

class A(dict):
    x: float = -1.5e300
    y = lambda: (b"a", "ä", 1j, ..., None)
'''
    assert digest.of(digest._dumped(ast.parse(code))) == "9cbb313a1f06bde8"
