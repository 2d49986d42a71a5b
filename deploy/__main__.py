"""``python -m deploy``: the service on Ray Serve, until Ctrl-C."""

import argparse
import os
import sys
from importlib.util import find_spec


def main():
    """Start Ray here, or use the cluster that ``$RAY_ADDRESS`` names, and serve."""
    parser = argparse.ArgumentParser(prog="python -m deploy", description="Serve by Ray Serve.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--replicas", type=int, help="as many; left out, load decides")
    given = parser.parse_args()
    if not find_spec("ray"):
        sys.exit(
            "Ray is not installed: `pip install -e '.[learn,serve,deploy]'`. One process does "
            "without: `python -m course serve`."
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else it reports to its makers
    import ray
    from ray import serve

    from deploy.ray_serve import app
    from utils.serve import IDLE

    if not os.environ.get("RAY_ADDRESS"):
        # No part of an upload may go to the disk; and no second page is opened to the network.
        ray.init(
            include_dashboard=False, _system_config={"automatic_object_spilling_enabled": False}
        )
    options = {"host": given.host, "port": given.port, "keep_alive_timeout_s": IDLE}
    serve.start(http_options=options)
    serve.run(app({"replicas": given.replicas}), blocking=True)


if __name__ == "__main__":
    main()
