"""Digests of code: what changes them, what does not, under every Python."""

import pytest

from utils import digest, settings

FILES = {
    "utils/__init__.py": "",
    "utils/plots.py": "WIDTH = 8\n",
    "utils/far.py": "def half(x):\n    return x / 2\n",
    "utils/data/__init__.py": "from utils import far\n\nSIZE = 28\n",
    "utils/data/folder.py": "NAME = 'folder'\n",
    "utils/alone.py": "A = 1\n",
    "experiments/toy.py": '"""A toy."""\n\nimport numpy\n\nfrom utils import data, plots\n\n\n'
    'def run(x):\n    """Run."""\n    print(f"{x:{data.SIZE}}")\n',
}


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of few files; ``course(file, old, new)`` edits one and gives the toy's digest."""
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    digest._parse.cache_clear()  # which file is there decides what an import means
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def edit(file="experiments/toy.py", old="", new=""):
        text = (tmp_path / file).read_text()
        assert old in text
        (tmp_path / file).write_text(text.replace(old, new, 1))
        return digest.of_code(tmp_path / "experiments" / "toy.py")

    yield edit
    digest._parse.cache_clear()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("experiments/toy.py", "run(x)", "run(x, y=1)"),
        ("experiments/toy.py", '"{x:', '" {x:'),
        ("experiments/toy.py", "print", 'if x:\n        "No docstring."\n    print'),
        ("utils/data/__init__.py", "28", "29"),
        ("utils/far.py", "/ 2", "/ 2.0"),  # imported by what is imported
        ("utils/__init__.py", "", "import os\n"),
    ],
)
def test_a_changed_line_changes_it(course, file, old, new):
    assert course() != course(file, old, new)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("experiments/toy.py", "A toy.", "Another."),
        ("experiments/toy.py", "Run.", "Run\n\n    it."),
        ("experiments/toy.py", "import numpy\n", "import numpy  # fast\n\n\n"),
        ("experiments/toy.py", "(x):\n", "(\n    x,\n):\n"),
        ("utils/far.py", "x):\n", 'x):\n    """Of a number."""\n'),
        ("utils/plots.py", "8", "9"),  # draws only
        ("utils/alone.py", "1", "2"),  # imported by nobody
        ("utils/data/folder.py", "folder", "other"),
    ],
)
def test_what_changes_no_number_does_not(course, file, old, new):
    assert course() == course(file, old, new)


def test_what_is_imported_counts_wherever_it_is_imported(course):
    course(old="    print", new="    import utils.data.folder\n    print")
    assert digest.files("experiments/toy.py") == {
        "experiments/toy.py",
        "utils/__init__.py",
        "utils/data/__init__.py",
        "utils/data/folder.py",
        "utils/far.py",
    }


FORMATS = """async def f(x, /, *, w=None, **more):
    await (lambda: f"{w:{x}}")()
    return f"{w!r:>{x}}", f"{w=}", "a" f"{w}" "b" f"", f"{w:.3f}{x}", f"{w:{x}.{x}}", b"", -1e3
"""


def test_every_python_gives_the_same(course):
    """Python 3.12 parses f-strings otherwise, and 3.13 leaves empty fields out of its trees."""
    assert course(old="import numpy", new=FORMATS) == "bcdd41226d4439cd"
