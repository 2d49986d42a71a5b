"""``python -m experiments NAME ...``: runs experiments, one after the other."""

import os
import sys
from importlib import import_module
from pathlib import Path

# Before TensorFlow starts, and for the processes of joblib too: the number of threads decides the
# order of sums, so that it must not hang on the machine or on JOBS.
for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "2"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


SHARED = ("common", "load", "shipped_model")  # by experiments


def names():
    """All experiments, as ``shipped.train``."""
    here = Path(__file__).parent
    files = [p.relative_to(here).with_suffix("") for p in sorted(here.rglob("[a-z]*.py"))]
    return [".".join(p.parts) for p in files if p.name not in SHARED]


def main(wanted):
    """Run the named ones. Returns the exit code: 2 if a name is unknown, 1 if one cannot run."""
    unknown = [name for name in wanted if name not in names()]
    if unknown or not wanted:
        print(f"python -m experiments NAME ..., where NAME is one of {', '.join(names())}.")
        return 2
    for name in wanted:
        print(f"{name} ...", flush=True)
        try:
            import_module(f"experiments.{name}").run()
        except (OSError, ValueError) as error:
            print(f"{name} stopped: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
