"""The prediction service, over HTTP: answers, hostile files, limits, and what its own description
promises."""

import io
import re
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image

from tests.test_images import black_png
from utils import other_images, predict, serve, settings

RNG = np.random.default_rng(0)
# A connection each, as with httpx.get, which besides reads all TLS certificates for each request.
CLIENT = httpx.Client(headers={"Connection": "close"})


@pytest.fixture
def url(service):
    return service


def send(url, content, name="image", **more):
    return CLIENT.post(f"{url}/predict", files={name: ("x.jpg", content)}, timeout=30, **more)


def as_file(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def lesion():
    return Image.open(io.BytesIO(serve.sample_png(3))).convert("RGB")


def problem_of(response):
    """The sentence of problem details; all of RFC 9457's members are there."""
    assert response.headers["content-type"] == serve.PROBLEM
    found = response.json()
    assert found["status"] == response.status_code and found["title"] and found["type"]
    return found["detail"]


# --- answers


def test_an_answer_is_that_of_predict_with_its_limits(url):
    expected = predict.predict_skin_cancer(lesion())
    facts = predict.load_model()[1]
    found = send(url, serve.sample_png(3)).json()
    assert found["probability"] == pytest.approx(expected.probability, abs=1e-5)
    assert found["decision"] == expected.decision != "refused"
    assert found["threshold"] == facts["threshold"]
    assert facts["model_sha256"].startswith(found["model"])
    assert "not a medical device" in found["disclaimer"]
    assert found["meaning"] == serve.MEANING[found["decision"]]


@pytest.mark.parametrize("kind", other_images.OTHER_IMAGES)
def test_what_is_no_lesion_is_refused_without_a_number(url, kind):
    pixels = other_images.make(kind, np.asarray(lesion().resize((128, 128)))[None])[0]
    found = send(url, as_file(Image.fromarray(pixels))).json()
    assert found["decision"] == "refused" and found["probability"] is None


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def same_lesion():
    """Files that show the lesion, and the RGB image that each stands for."""
    plain = lesion()
    for orientation, turn in TURNED.items():
        turned = plain.transpose(turn)
        yield f"EXIF {orientation}", as_file(turned, exif=exif(orientation)), plain
    yield "EXIF 1", as_file(plain, exif=exif(1)), plain
    for form in ("JPEG", "WEBP", "BMP", "TIFF", "GIF"):
        content = as_file(plain, form, **({"quality": 95} if form in ("JPEG", "WEBP") else {}))
        yield form, content, Image.open(io.BytesIO(content)).convert("RGB")
    yield "CMYK", as_file(plain.convert("CMYK"), "TIFF"), plain
    alpha = plain.copy()
    alpha.putalpha(255)
    yield "alpha", as_file(alpha), plain
    palette = plain.quantize(255)  # so that no pixel has the transparent colour
    yield "palette", as_file(palette), palette.convert("RGB")
    yield "palette with transparency", as_file(palette, transparency=255), palette.convert("RGB")
    grey = plain.convert("L")
    yield "grey", as_file(grey), grey.convert("RGB")
    frames = [plain.transpose(Image.Transpose.ROTATE_90)]
    animated = as_file(plain, "GIF", save_all=True, append_images=frames)
    yield "GIF animation", animated, Image.open(io.BytesIO(animated)).convert("RGB")


@pytest.mark.parametrize(
    ("content", "rgb"), [pytest.param(c, rgb, id=name) for name, c, rgb in same_lesion()]
)
def test_one_lesion_has_one_probability_in_every_form(url, content, rgb):
    found = send(url, content)
    assert found.status_code == 200, found.text
    if found.json()["decision"] == "refused":  # grey: no colour, which the guard notices
        assert predict.predict_skin_cancer(rgb).decision == "refused"
    else:
        expected = predict.melanoma_probability(rgb)[0]
        assert found.json()["probability"] == pytest.approx(expected, abs=0.02)


PROCESS = """
import asyncio, sys
from utils import serve
from course.run.ask import ask

async def one(name):
    async with serve.lifespan(serve.app):
        return await serve.in_worker(serve.app, serve.answer, open(name, "rb").read())

print(asyncio.run(one(sys.argv[1])).decision, ask(sys.argv[1:]), serve.model()["model"])
heavy = "tensorflow keras matplotlib pandas scipy sklearn".split()
print([name for name in heavy if name in sys.modules])
"""


def test_whoever_only_answers_loads_no_tensorflow(tmp_path):
    """Nor what else takes memory and seconds; nothing is written past Python's own output."""
    (tmp_path / "mole.png").write_bytes(serve.sample_png(3))
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "mole.png")]
    done = subprocess.run(command, cwd=settings.ROOT, capture_output=True, text=True)
    assert done.stderr == ""
    *_, answered, loaded = done.stdout.splitlines()
    assert answered.startswith(("melanoma 0 ", "benign 0 ")) and loaded == "[]"


def test_large_images_take_turns_and_small_ones_do_not_wait(monkeypatch):
    content = as_file(Image.new("RGB", (300, 200)))
    with ThreadPoolExecutor() as pool, serve.TURNS:
        assert pool.submit(serve.pixels, content, 8).result(timeout=10).shape == (8, 8, 3)
        monkeypatch.setattr(serve, "MANY", 300 * 200 - 1)
        waiting = pool.submit(serve.pixels, content, 8)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.2)
        serve.TURNS.release()
        assert waiting.result(timeout=10).shape == (8, 8, 3)
        serve.TURNS.acquire()


# --- hostile and odd files


def hostile():
    jpeg, png = as_file(lesion(), "JPEG"), as_file(lesion())
    for share in (0.02, 0.3, 0.6, 0.95):
        yield f"JPEG cut at {share}", jpeg[: int(share * len(jpeg))]
        yield f"PNG cut at {share}", png[: int(share * len(png))]
    yield "empty", b""
    yield "one byte", b"\xff"
    yield "text", b"this is a mole, believe me"
    yield "HTML", b"<!doctype html><img src=x>"
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>'
    yield "EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
    yield "PDF", b"%PDF-1.4\n%%EOF"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("mole.jpg", jpeg)
    yield "zip", file.getvalue()
    yield "16 bits", as_file(Image.fromarray(RNG.integers(0, 65535, (64, 64), dtype=np.uint16)))
    yield "float TIFF", as_file(Image.fromarray(RNG.random((32, 32), dtype=np.float32)), "TIFF")
    yield "bomb", black_png(20_000, 20_000, 1, 0, 2501)  # of some hundred kilobytes
    yield "zeros", bytes(100_000)
    yield "noise", RNG.bytes(100_000)
    yield "PNG with a wrong checksum", png[:40] + b"\x00" + png[41:]
    yield "icon", as_file(lesion(), "ICO")


@pytest.mark.parametrize("content", [pytest.param(c, id=name) for name, c in hostile()])
def test_a_hostile_file_is_refused_in_a_sentence(url, content):
    found = send(url, content)
    assert found.status_code == 422, found.text
    sentence = problem_of(found)
    assert sentence.endswith((".", '"image".')) and "\n" not in sentence
    assert "Traceback" not in sentence and "0x" not in sentence


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1)])
def test_an_odd_size_is_answered_or_refused(url, size):
    found = send(url, as_file(Image.new("RGB", size, (200, 150, 140))))
    assert found.status_code == 200 and found.json()["decision"] == "refused"


def test_a_wrong_extension_does_not_matter(url):
    found = CLIENT.post(f"{url}/predict", files={"image": ("x.txt", serve.sample_png(3), "a/b")})
    assert found.status_code == 200


# --- requests


def test_wrong_requests_are_told_what_to_send(url):
    png = serve.sample_png(3)
    two = [("image", ("a.png", png)), ("image", ("b.png", png))]
    for response in (
        CLIENT.post(f"{url}/predict"),
        CLIENT.post(f"{url}/predict", data={"image": "text"}),
        CLIENT.post(f"{url}/predict", files={"picture": ("a.png", png)}),
        CLIENT.post(f"{url}/predict", files=two),
        CLIENT.post(f"{url}/predict", content=png, headers={"content-type": "image/png"}),
        CLIENT.post(f"{url}/predict", json={"image": "text"}),
    ):
        assert response.status_code == 422 and "image" in problem_of(response)
    broken = {"content-type": "multipart/form-data; boundary=x"}
    response = CLIENT.post(f"{url}/predict", content=b"--x\r\nnonsense", headers=broken)
    assert response.status_code in (400, 422) and problem_of(response)
    assert problem_of(CLIENT.get(f"{url}/nothing"))
    response = CLIENT.get(f"{url}/predict")
    assert response.headers["allow"] == "POST" and problem_of(response)
    response = CLIENT.get(f"{url}/sample", params={"seed": "blue"})
    assert response.status_code == 422 and "seed" in problem_of(response)


def test_what_is_too_large_is_refused_while_it_comes(url):
    response = send(url, bytes(50 * 2**20))
    assert response.status_code == 413 and "10 MB" in problem_of(response)

    def chunks():  # without a Content-Length
        yield b'--x\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(20):
            yield bytes(2**20)

    kind = {"content-type": "multipart/form-data; boundary=x"}
    response = CLIENT.post(f"{url}/predict", content=chunks(), headers=kind, timeout=30)
    assert response.status_code == 413


def test_nothing_of_an_upload_touches_the_disk(url, monkeypatch):
    def rollover(self):
        raise AssertionError("an upload was written to a file")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
    assert send(url, bytes(9 * 2**20)).status_code == 422


def raw(url, text):
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(text)
    return connection


STARTED = (
    b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n"
    b"content-type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
)


def test_an_upload_that_stalls_gets_an_answer(url, monkeypatch):
    monkeypatch.setattr(serve, "SECONDS", 0.5)
    with raw(url, STARTED) as connection:
        assert b" 408 " in connection.recv(100)


def test_a_client_that_leaves_does_no_harm(url):
    for _ in range(serve.WAITING + 5):
        raw(url, STARTED).close()
    deadline = time.time() + 10
    while (found := send(url, serve.sample_png(3))).status_code == 503:
        assert time.time() < deadline
        time.sleep(0.1)
    assert found.status_code == 200


def test_a_full_queue_says_when_to_come_again(url, monkeypatch):
    monkeypatch.setattr(serve, "WAITING", 1)
    with raw(url, STARTED):
        time.sleep(0.2)
        response = send(url, serve.sample_png(3))
        assert response.status_code == 503 and response.headers["retry-after"] == "3"
        assert send(url, bytes(9 * 2**20)).status_code == 503  # said before all of it has come
        assert "try again" in problem_of(response)
        assert CLIENT.get(f"{url}/health").json() == {"status": "ok"}


def test_an_unexpected_error_is_a_problem_too(url, monkeypatch):
    def fail(*_):
        raise RuntimeError("secret pixels")

    monkeypatch.setattr(serve, "answer", fail)
    response = send(url, serve.sample_png(3))
    assert response.status_code == 500 and "secret" not in problem_of(response)


def test_logs_hold_nothing_of_an_upload(url, caplog):
    kind = {"content-type": "multipart/form-data; boundary=x"}
    response = CLIENT.post(f"{url}/predict", content=b"--private", headers=kind)
    assert response.status_code == 400 and problem_of(response)
    assert [r for r in caplog.records if r.name.startswith("python_multipart")] == []


def test_model_and_sample(url):
    found, facts = CLIENT.get(f"{url}/model").json(), predict.load_model()[1]
    assert found["threshold"] == facts["threshold"]
    assert 0.8 < found["test"]["roc_auc"]["low"] < found["test"]["roc_auc"]["value"] < 1
    first, second = (CLIENT.get(f"{url}/sample", params={"seed": s}).content for s in (1, 2))
    assert Image.open(io.BytesIO(first)).size == (200, 150) and first != second


def test_all_addresses_in_its_pages_are_relative(url):
    """So that a proxy may give it a prefix and take that away again, as JupyterHub's does."""
    docs, page = (CLIENT.get(f"{url}/{name}").text for name in ("docs", ""))
    asked = re.findall(r"url: '([^']*)'", docs) + re.findall(r'fetch\("([^"]*)"', page)
    asked += re.findall(r'(?:src|href)="([^"]*)"', docs)
    assert len(asked) == 6 and not any(one.startswith(("/", "http")) for one in asked)
    described = CLIENT.get(f"{url}/{asked[0]}").json()
    (server,) = described["servers"]
    base = urljoin("http://hub/user/me/proxy/8000/docs", server["url"])
    assert urljoin(base, "predict") == "http://hub/user/me/proxy/8000/predict"
    assert "/predict" in described["paths"]


@pytest.mark.parametrize(
    "path", ["health", "", "docs", "docs/swagger-ui.css", "model", "sample", "openapi.json"]
)
def test_head_says_what_get_says_without_a_body(url, path):
    got, head = CLIENT.get(f"{url}/{path}"), CLIENT.head(f"{url}/{path}")
    assert got.status_code == head.status_code == 200 and got.content and not head.content
    for name in ("content-type", "content-length", "content-security-policy"):
        assert got.headers.get(name) == head.headers.get(name), name
    assert CLIENT.head(f"{url}/predict").headers["allow"] == "POST"


def test_processes_of_uvicorn_share_the_processors():
    code = """
import importlib, os
os.cpu_count = lambda: 9
from utils import serve
for processes in ("", "1", "4", "20"):
    os.environ["WEB_CONCURRENCY"] = processes
    print(importlib.reload(serve).WORKERS)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.ROOT, capture_output=True, text=True
    )
    assert done.stdout.split() == ["8", "8", "2", "1"], done.stderr


def answer(connection):
    """All of an answer of /health: head and body may come one after the other."""
    found = b""
    while not found.endswith(b"}"):
        part = connection.recv(1000)
        if not part:
            break
        found += part
    return found


@pytest.mark.slow  # waits for seconds
def test_a_connection_idles_longer_than_a_client_keeps_it():
    """Else the service closes it just when a request is under way, and an answer is lost."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "course", "serve", "--port", str(port)]
    with subprocess.Popen(command, cwd=settings.ROOT, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.time() + 60
            while True:
                try:
                    httpx.get(f"{url}/health")
                    break
                except httpx.ConnectError:
                    assert time.time() < deadline and server.poll() is None
                    time.sleep(0.2)
            ask = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
            with raw(url, ask) as connection:
                assert b" 200 " in answer(connection)
                time.sleep(httpx._config.DEFAULT_LIMITS.keepalive_expiry + 1)
                connection.sendall(ask)
                assert b" 200 " in answer(connection)
        finally:
            server.terminate()


@pytest.mark.slow
def test_the_service_keeps_what_its_description_promises(url, tmp_path):
    """Schemathesis makes requests from the OpenAPI description, sensible and not."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"]
    command += ["--max-examples", "25", "--seed", "1", "--workers", "1", "--no-color"]
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,"
    command += ["--checks", checks + "response_schema_conformance"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_the_service_starts_by_its_name(monkeypatch):
    from course import cli

    started = []
    monkeypatch.setattr(uvicorn, "run", lambda *a, **k: started.append((a, k)))
    assert cli.main(["serve", "--port", "8001"]) == 0
    given = {"host": "127.0.0.1", "port": 8001, "timeout_keep_alive": serve.IDLE}
    assert started == [(("utils.serve:app",), given)]
    assert (settings.ROOT / "utils" / "page.html").stat().st_size < 30_000
