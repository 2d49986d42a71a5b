"""The service, unchanged, in several processes and on several machines: by Ray Serve.

    python -m deploy                       # on this machine
    serve run deploy.ray_serve:app         # where a Ray cluster runs

README.md says when that is worth it, which is seldom."""

from ray import serve

from utils.serve import WAITING

CORES = 1  # of a replica
# Where no number is given. Ray starts no more than there are processors for.
SCALED = {"min_replicas": 1, "max_replicas": 64, "target_ongoing_requests": 8}


def service():
    """The FastAPI app of one replica, made there: an app has locks, which cannot be sent."""
    from utils import serve as own

    own.WORKERS = CORES  # not all of the machine's, as where the service is alone
    return own.app


def app(arguments):
    """What ``serve run`` starts; ``replicas=2`` after it keeps as many, else load decides."""
    number = arguments.get("replicas")
    return (
        serve.deployment(serve.ingress(service)())
        .options(
            name="melanoma",
            ray_actor_options={"num_cpus": CORES},
            max_ongoing_requests=2 * WAITING,  # more than WAITING: the service itself says 503
            max_queued_requests=WAITING,
            **({"num_replicas": int(number)} if number else {"autoscaling_config": SCALED}),
        )
        .bind()
    )
