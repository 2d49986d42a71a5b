"""The prediction service: send an image, get a decision with its limits. Taught in the lesson
deployment.

    python -m course serve          # or: uvicorn utils.serve:app

For education only: not a medical device. No upload touches the disk, and no log holds one."""

import asyncio
import json
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Annotated, Literal

from fastapi import FastAPI, File, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from PIL import Image
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser

from utils import lite, settings
from utils.images import FORMATS, read, square

MEGABYTE = 2**20
LARGEST = 10 * MEGABYTE  # bytes of a request
SECONDS = 20  # for an upload, and then for its answer
WAITING = 32  # requests inside at a time; further ones are told to come again
# Seconds that a connection may idle: longer than clients keep one (httpx 5, nginx 60). Where the
# server is the first to close it, a request that is under way just then is lost.
IDLE = 75
# Threads; decoding and computing do not hold Python's lock. One processor is left to the event
# loop, which else hears of new requests late: they wait, where a prompt 503 would be better.
# uvicorn starts $WEB_CONCURRENCY processes, each with all of this: they share the processors.
WORKERS = max(1, ((os.cpu_count() or 1) - 1) // int(os.environ.get("WEB_CONCURRENCY") or 1))
# Decoded, an image needs up to 16 bytes a pixel, and may have 89 million of them: 1.4 GB. So that
# there is one such at a time and not one a worker, those with more pixels than this take turns.
MANY = 4_000_000
TURNS = threading.Lock()
RECORD = settings.ROOT / "results" / "shipped_model.json"  # read here: `results` loads pandas
PROBLEM = "application/problem+json"  # RFC 9457
DISCLAIMER = (
    "For education only. This is not a medical device, and no answer of it is a diagnosis. Show a "
    "mole that is new, changes or worries you to a doctor."
)
NOT_CHOSEN = "nothing: it stands as it is until limits are chosen for this model"
MEANING = {
    "melanoma": "The probability of melanoma reaches the threshold. Only a doctor can tell.",
    "benign": "The probability of melanoma is below the threshold. That is not harmless: other "
    "skin cancers count as benign here, and the model misses melanomas.",
    "refused": "The image does not look like those that the model learned from, so it does not "
    "answer: send a dermatoscopic image of one lesion.",
}
MultiPartParser.spool_max_size = LARGEST + MEGABYTE  # else larger parts go to temporary files
logging.getLogger("python_multipart").setLevel(logging.ERROR)  # its warnings quote the upload


class Answer(BaseModel):
    """What the model says of one image."""

    decision: Literal["melanoma", "benign", "refused"]
    meaning: str = Field(description="The decision in a sentence")
    probability: float | None = Field(
        description="Of melanoma, calibrated; none where the image is refused", ge=0, le=1
    )
    threshold: float = Field(description="From it on, predict_skin_cancer's label is melanoma")
    threshold_chosen_for: str
    model: str = Field(description="First digits of the model file's SHA-256")
    disclaimer: str

    model_config = {
        "json_schema_extra": {
            "example": {
                "decision": "melanoma",
                "meaning": MEANING["melanoma"],
                "probability": 0.12,
                "threshold": 0.091,
                "threshold_chosen_for": "finding 90 % of the validation melanomas",
                "model": "e013d60db2aff656",
                "disclaimer": DISCLAIMER,
            }
        }
    }


class Problem(BaseModel):
    """What went wrong, and what to do (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Limits:
    """Bounds, before anything is parsed: requests inside, bytes and seconds of an upload."""

    def __init__(self, app):
        self.app, self.inside = app, 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        if self.inside >= WAITING:
            busy = problem(503, "Too many images wait: try again in a few seconds.")
            return await busy(scope, receive, send)
        self.inside += 1
        try:
            await self.app(scope, self._bounded(receive), send)
        finally:
            self.inside -= 1

    def _bounded(self, receive):
        left = LARGEST
        end = asyncio.get_running_loop().time() + SECONDS

        async def bounded():
            nonlocal left
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"The upload took over {SECONDS} seconds.") from None
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(
                    413,
                    f"The upload is larger than {LARGEST // MEGABYTE} MB: send a smaller image.",
                )
            return message

        return bounded


class Head:
    """HEAD wherever GET is: the same answer, of which the server sends no body."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope.get("method") == "HEAD":
            scope = scope | {"method": "GET"}
        await self.app(scope, receive, send)


@asynccontextmanager
async def lifespan(app):
    """Load the model and let each worker answer once, so that nobody waits for a first answer."""
    shipped()
    with ThreadPoolExecutor(WORKERS) as app.state.workers:
        first = png(Image.new("RGB", (200, 150)))
        await asyncio.gather(*(in_worker(app, answer, first) for _ in range(WORKERS)))
        yield


app = FastAPI(
    title="Melanoma or not: a lesson",
    description=DISCLAIMER,
    version="1",
    lifespan=lifespan,
    docs_url=None,  # `documentation` instead
    redoc_url=None,
    servers=[{"url": "."}],  # where this description lies, also behind a proxy's prefix
)
app.add_middleware(Limits)
app.add_middleware(Head)


async def in_worker(app, call, *given):
    """Run a call in one of the threads that use the model, off the event loop."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(app.state.workers, call, *given)


@cache
def shipped():
    """The model, loaded once: a service that runs does not notice when its files change."""
    return lite.Shipped()


def answer(content):
    """The service's answer for the bytes of an image file.

    Raises
    ------
    ValueError
        If it is no usable image; the sentence says why.
    """
    model = shipped()
    facts = model.facts
    found = model(pixels(content, facts["source_size"]))
    return Answer(
        decision=found.decision,
        meaning=MEANING[found.decision],
        probability=None if found.decision == "refused" else found.probability,
        threshold=found.threshold,
        threshold_chosen_for=facts.get("threshold_chosen_for", NOT_CHOSEN),
        model=facts["model_sha256"][:16],
        disclaimer=DISCLAIMER,
    )


def pixels(content, size):
    """What the model sees of an image file: ``images.square``, with the errors of ``read``."""
    try:
        width, height = Image.open(BytesIO(content), formats=FORMATS).size  # no pixel is decoded
    except Exception:  # of a dozen kinds; `read` says what is wrong
        width = height = 0
    with TURNS if width * height > MANY else nullcontext():
        return square(read(content), size)


def png(image):
    """The bytes of a PNG file."""
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def sample_png(seed):
    """A drawn lesion as a PNG file."""
    from utils.data import synthetic  # here, since it loads pandas and SciPy

    ids = synthetic.metadata()["image_id"]
    chosen = ids.sample(1, random_state=seed)
    return png(Image.fromarray(synthetic.draw(chosen)[0]))


def problem(status, sentence, headers=None):
    """An error as problem details."""
    found = Problem(title=HTTPStatus(status).phrase, status=status, detail=sentence)
    headers = {"Retry-After": "3"} if status == 503 else headers
    return JSONResponse(found.model_dump(), status, headers, media_type=PROBLEM)


@app.exception_handler(HTTPException)
async def refused(request, error):
    return problem(error.status_code, str(error.detail), error.headers)


@app.exception_handler(RequestValidationError)
async def misunderstood(request, error):
    place = ".".join(str(part) for part in error.errors()[0]["loc"][1:])
    if place.startswith("image"):
        return problem(422, 'Send one image as the field "image" of a form (multipart/form-data).')
    return problem(422, f"{place} cannot be used: {error.errors()[0]['msg']}.")


@app.exception_handler(Exception)
async def failed(request, error):
    return problem(500, "The service failed. Your image was not kept.")


PROBLEMS = {
    status: {"description": HTTPStatus(status).phrase, "model": Problem}
    | {"content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for status in (400, 408, 413, 422, 500, 503)
}


@app.post("/predict", responses=PROBLEMS, summary="Judge an image of a skin lesion")
async def predict_image(
    request: Request,
    image: Annotated[UploadFile, File(description="JPEG, PNG, WebP, BMP, TIFF or GIF")],
) -> Answer:
    """One image in the form field `image`. Nothing of it is kept."""
    if len((await request.form()).multi_items()) != 1:
        raise HTTPException(422, 'Send one image alone, as the field "image".')
    content = await image.read()
    try:
        async with asyncio.timeout(SECONDS):
            return await in_worker(app, answer, content)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    except TimeoutError:
        raise HTTPException(503, "The service is too slow just now: try again.") from None


@app.get("/health", summary="Whether the service answers")
async def health() -> dict[str, str]:
    """It has started, so the model is loaded."""
    return {"status": "ok"}


@app.get("/model", summary="The model, from its card")
def model() -> dict:
    """What it was trained on, its figures and its limits."""
    facts = shipped().facts
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    own = record.get("model_sha256") == facts["model_sha256"]  # not another training's figures
    return {
        "model": facts["model_sha256"][:16],
        "target": "melanoma against everything else; other skin cancers count as benign",
        "data": "HAM10000, split by lesion, CC BY-NC 4.0",
        "input_pixels": facts["source_size"],
        "threshold": facts["threshold"],
        "test": record["shipped"] if own else {},
        "not_tested_on": "phone images, other cameras, dark skin, children, nails, mucosa",
        "disclaimer": DISCLAIMER,
    }


DRAWN = {200: {"content": {"image/png": {}}}, 422: PROBLEMS[422]}


@app.get("/sample", response_class=Response, responses=DRAWN)
def sample(seed: Annotated[int, Query(ge=0, le=999)] = 0) -> Response:
    """A drawn lesion (SYNTHETIC), to try the service with."""
    return Response(sample_png(seed), media_type="image/png")


POLICY = "default-src 'none'; img-src 'self' data: blob:; connect-src 'self'; "
POLICY += "style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
async def documentation() -> HTMLResponse:
    """FastAPI's page, which by itself would ask a CDN, and for /openapi.json above a prefix."""
    found = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url="docs/swagger-ui-bundle.js",
        swagger_css_url="docs/swagger-ui.css",
        swagger_favicon_url="data:,",
    )
    own = POLICY.replace("'unsafe-inline'", "'self' 'unsafe-inline'")
    found.headers["Content-Security-Policy"] = own
    return found


@app.get("/docs/{name}", include_in_schema=False)
def documentation_file(name: Literal["swagger-ui-bundle.js", "swagger-ui.css"]) -> FileResponse:
    """What that page consists of, from a package, so that it works offline."""
    return FileResponse(files("fastapi_offline") / "static" / name)


@app.get("/", response_class=HTMLResponse, include_in_schema=False)
async def page() -> HTMLResponse:
    """The page that asks this service."""
    text = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return HTMLResponse(text, headers={"Content-Security-Policy": POLICY})
