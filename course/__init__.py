"""What runs, builds, checks and publishes the course, `python -m course`: not for learners."""

import sys

# A grammar of addresses that jsonschema compiles for seconds, and that no notebook needs.
sys.modules.setdefault("rfc3987_syntax", None)
