"""The shipped model's answers for image files, in the terminal."""

import json
import sys

from course.errors import CourseError
from utils import lite

NOTE = "For education only. Not a medical device; no answer is a diagnosis."


def ask(paths, as_json=False):
    """Print the answer for each file. Returns the exit code: 1 if any could not be read.

    Parameters
    ----------
    paths : list of str
    as_json : bool
        One JSON object instead of a table.

    Raises
    ------
    CourseError
        As ``shipped``.
    """
    rows, model = [], shipped()
    for path in paths:
        try:
            found = model(path)
        except (OSError, ValueError) as error:
            rows.append({"image": path, "error": str(error)})
            continue
        refused = found.decision == "refused"
        rows.append(
            {
                "image": path,
                "decision": found.decision,
                "probability": None if refused else found.probability,
                "threshold": found.threshold,
            }
        )
    failed = [row["error"] for row in rows if "error" in row]
    if as_json:
        print(json.dumps({"note": NOTE, "answers": rows}, indent=1))
    else:
        _table([row for row in rows if "error" not in row])
        print("\n".join(failed), end="\n" * bool(failed), file=sys.stderr)
    return 1 if failed else 0


def shipped():
    """The shipped model, as ``lite.Shipped``.

    Raises
    ------
    CourseError
        If a file of it is missing, broken or made for another one.
    """
    try:
        return lite.Shipped()
    except (OSError, ValueError) as error:
        raise CourseError(str(error)) from error


def _table(rows):
    width = max([len(row["image"]) for row in rows] + [5])
    print(f"{'image':{width}}  decision  probability of melanoma")
    for row in rows:
        p = "-" if row["probability"] is None else f"{row['probability']:.3f}"
        print(f"{row['image']:{width}}  {row['decision']:8}  {p}")
    print('"benign" means no melanoma, not harmless;')
    print('"refused": does not look like a dermatoscopic image of a lesion.')
    print(NOTE)
