"""The page that runs the model in a browser: as ``predict`` answers, and without the network."""

import base64
import io
import os
import re
import shutil

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from course.build import try_page
from course.errors import CourseError
from course.run.chromium import BROWSER
from tests.test_page import DROP, SIZES
from utils import images, lite, settings
from utils.data import synthetic
from utils.decision import distance

slow = pytest.mark.slow
SAMPLES = sorted(settings.SAMPLES["samples"].glob("*.jpg"))
LOADED = "needs no network any more"
# The answer for a file, and the outputs behind it.
ASK = """async (text) => {
    const file = new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]);
    const ready = await loaded, {facts} = ready;
    const found = await outputs(square(await read(file, facts.largest), facts.source_size), ready);
    return {...await judge(file), probability: found.probability[0], means: [...found.means],
            far: distance(found.means, facts.guard.mean, facts.guard.precision)};
}"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The page's folder."""
    if not BROWSER or not shutil.which("npm"):
        pytest.skip("there is no Chromium or no npm: the page was not tried")
    folder = tmp_path_factory.mktemp("book") / "try"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_OFFLINE", "0")
        try:
            try_page.build(folder)
        except CourseError as error:
            pytest.skip(f"the page was not tried: {error}")
    return folder


@pytest.fixture
def open_page(address, chromium):
    """Opens the page; at the end no error may have been thrown."""
    opened, errors = [], []

    def open_it(script="", block="nothing", **options):
        context = chromium.new_context(**options)
        context.add_init_script(script)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if "Policy" in m.text else None)
        page.route(f"**/{block}", lambda route: route.abort())
        page.goto(address)
        opened.append(context)
        return page

    yield open_it
    for context in opened:
        context.close()
    assert errors == []


def ready(page):
    page.get_by_text(LOADED).wait_for()
    return page


def sample(page, name):
    page.get_by_role("button", name=f"Sample ISIC_{name}").click()


@slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_samples_are_judged_and_axe_finds_nothing(open_page, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = ready(open_page(viewport=SIZES[size], color_scheme=scheme))
    shots = settings.make_folder(settings.runs() / "screenshots")
    assert Axe().run(page).violations_count == 0
    for name, decision in (("0009976", "Benign"), ("0001118", "Melanoma"), ("0000140", "Refused")):
        sample(page, name)
        page.get_by_role("heading", name=decision, exact=True).wait_for()
        assert "Its diagnosis: " in page.locator("#caption").inner_text()
        assert "not a medical device" in page.locator("#answer").inner_text()
        assert page.locator(".scale").count() == (decision != "Refused")
        assert Axe().run(page).violations_count == 0
        page.screenshot(path=shots / f"try-{decision.lower()}-{size}-{scheme}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    assert page.get_by_text("Not a medical device, not a diagnosis.").is_visible()


@slow
def test_it_asks_the_network_for_nothing_once_the_model_is_loaded(open_page):
    page = ready(open_page())
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    sample(page, "0001118")
    page.get_by_role("heading", name="Melanoma", exact=True).wait_for()
    page.evaluate(DROP, ["mole.jpg", list(SAMPLES[0].read_bytes())])
    page.get_by_role("heading", name="Refused").wait_for()
    assert [url for url in asked if not url.startswith("blob:")] == []


@slow
def test_by_keyboard_alone_also_before_the_model_is_there(open_page):
    page = open_page()
    page.get_by_role("button", name="Sample ISIC_0001118").wait_for()
    page.evaluate("document.getElementById('file').focus()")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Melanoma", exact=True).wait_for()


@slow
def test_each_error_is_one_sentence(open_page, tmp_path):
    page = ready(open_page())
    content = SAMPLES[0].read_bytes()
    large = io.BytesIO()
    Image.new("1", (10_000, 9_000)).save(large, "PNG")
    for given, said in (
        (b"not an image", "This file is not an image that this browser can read"),
        (content[:-2000], "This file is broken, truncated or too large for this browser"),
        (large.getvalue(), "This file has more than 89,478,485 pixels"),
        (bytes(11 * 2**20), "The image is over 10 MB"),
    ):
        page.set_input_files("#file", {"name": "x", "mimeType": "image/x", "buffer": given})
        page.locator("#answer .error", has_text=said).wait_for()
    page.set_input_files("#file", SAMPLES[6])  # and it goes on
    page.get_by_role("heading", name="Melanoma", exact=True).wait_for()


@slow
def test_half_an_image_is_none_whatever_the_browser_thinks(open_page):
    """Chromium refuses such files by itself, Firefox does not."""
    page = open_page()
    image = Image.open(SAMPLES[0])
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = encoded(image, "JPEG")  # with an end of its own
    for content in (
        encoded(image, "JPEG"),
        encoded(image, "JPEG", progressive=True),
        encoded(image, "JPEG", exif=exif),
        encoded(image, "PNG"),
    ):
        files = content, content + b"a video", content[: len(content) * 3 // 4], content[:20]
        found = [page.evaluate("(b) => ended(new Uint8Array(b))", list(one)) for one in files]
        assert found == [True, True, False, False]


@slow
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"script": "delete window.WebAssembly"}, "This browser runs no WebAssembly"),
        ({"block": "*.tflite"}, "The model could not be loaded"),
        ({"block": "*.wasm"}, "The model could not be loaded"),
        ({"block": "facts.json"}, "The model could not be loaded"),
    ],
)
def test_without_the_model_it_says_why(open_page, options, said):
    page = open_page(**options)
    page.locator("#state", has_text=said).wait_for()
    page.set_input_files("#file", SAMPLES[0])
    page.locator("#answer .error", has_text=said).wait_for()


# --- agreement with predict


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def display_p3():
    """A profile with the primaries of Display P3 and the curve of sRGB."""

    def number(x):
        return round(x * 65536).to_bytes(4, "big", signed=True)

    def xyz(*values):
        return b"XYZ \0\0\0\0" + b"".join(map(number, values))

    curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    curve = b"para\0\0\0\0\0\3\0\0" + b"".join(map(number, curve))
    text = "P3".encode("utf-16-be")
    text = b"mluc\0\0\0\0\0\0\0\1\0\0\0\x0cenUS\0\0\0\4\0\0\0\x1c" + text
    tags = {b"desc": text, b"cprt": text, b"wtpt": xyz(0.9642, 1, 0.8249)}
    tags |= {b"rXYZ": xyz(0.51512, 0.2412, -0.00105), b"rTRC": curve}
    tags |= {b"gXYZ": xyz(0.29198, 0.69225, 0.04189), b"gTRC": curve}
    tags |= {b"bXYZ": xyz(0.1571, 0.06657, 0.78407), b"bTRC": curve}
    table, data, start = len(tags).to_bytes(4, "big"), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        place, size = start + len(data), len(content)
        table += name + place.to_bytes(4, "big") + size.to_bytes(4, "big")
        data += content + bytes(-size % 4)
    head = (start + len(data)).to_bytes(4, "big") + b"\0\0\0\0\4\x30\0\0mntrRGB XYZ "
    head += bytes(12) + b"acsp" + bytes(28) + b"".join(map(number, (0.9642, 1, 0.8249))) + bytes(48)
    return head + table + data


def kinds():
    """Names and contents of image files of all kinds."""
    for path in SAMPLES:
        yield path.name, path.read_bytes()
    ids = synthetic.metadata()["image_id"].sample(6, random_state=1)
    drawn = [Image.fromarray(one) for one in synthetic.draw(ids)]
    found, missed = (Image.open(SAMPLES[i]).convert("RGB") for i in (6, 7))
    clear = found.copy()
    clear.putalpha(Image.radial_gradient("L"))
    profile = display_p3()
    ImageCms.ImageCmsProfile(io.BytesIO(profile))
    for image in drawn:
        yield "drawn", encoded(image, "PNG")
    for image in (found, missed):
        for turn in range(1, 9):
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = turn
            turned = image.crop((0, 0, 200, 150))
            yield f"EXIF {turn}", encoded(turned, "JPEG", exif=exif, quality=95)
            yield f"EXIF {turn}, PNG", encoded(turned, "PNG", exif=exif)
        for form in ("JPEG", "PNG", "WEBP"):
            yield f"Display P3, {form}", encoded(image, form, icc_profile=profile, quality=90)
        for size in ((3000, 2000), (2001, 3000), (130, 128), (90, 61)):
            yield f"{size} pixels", encoded(image.resize(size), "JPEG")
        yield "WebP", encoded(image, "WEBP")
        yield "BMP", encoded(image, "BMP")
        yield "GIF", encoded(image.quantize(), "GIF")
        yield "grey", encoded(image.convert("L"), "JPEG")
        yield "CMYK", encoded(image.convert("CMYK"), "JPEG")
    yield "transparent", encoded(clear, "PNG")


@slow
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_turned_image_is_upright_whatever_the_browser_thinks(open_page, form):
    """By its pixels, since the model looks from all sides. Chromium turns no WebP by itself."""
    page, image = ready(open_page()), Image.open(SAMPLES[6]).crop((0, 0, 200, 150))
    asked = "async (text) => [...square(await read(new Blob([Uint8Array.from(atob(text), "
    asked += "(c) => c.charCodeAt(0))]), 1e6), 128)]"
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = turn
        content = encoded(image, form, exif=exif)
        found = page.evaluate(asked, base64.b64encode(content).decode())
        expected = images.square(images.read(content), 128)
        away = np.abs(np.reshape(found, expected.shape) - expected.astype(int))
        assert away.max() <= 8, turn


@slow
def test_it_answers_as_predict_does(open_page):
    """Pixels differ by 0 to 2 of 255, and a probability by .001: limits here are wider."""
    page, shipped = ready(open_page()), lite.Shipped()
    guard, threshold = shipped.facts["guard"], shipped.facts["threshold"]
    asked = []
    for name, content in kinds():
        expected = shipped(content)
        found = page.evaluate(ASK, base64.b64encode(content).decode())
        assert found["probability"] == pytest.approx(expected.probability, abs=0.02), name
        # The distance is computed as it is in Python, and is also clear of its limit.
        far = distance(np.array([found["means"]]), guard["mean"], guard["precision"]).item()
        assert found["far"] == pytest.approx(far), name
        near = abs(expected.probability - threshold) < 0.001 or abs(far - guard["limit"]) < 0.1
        assert near or found["decision"] == expected.decision, name
        asked.append(found["decision"])
    assert len(asked) > 100 and set(asked) == {"benign", "melanoma", "refused"}


def test_the_model_for_one_image_answers_as_the_shipped_one():
    content = settings.SHIPPED.with_suffix(".tflite").read_bytes()
    changed = try_page.for_one_image(content)
    assert changed != content and try_page.for_one_image(changed) == changed
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3)).astype(np.float32)
    expected, found = (lite.Lite(one).outputs(pixels) for one in (content, changed))
    assert list(found) == list(expected)
    assert all((found[name] == expected[name]).all() for name in found)


# --- what is built


def test_both_pages_have_one_face():
    files = try_page.face(course="COURSE", card="CARD")
    page, service = files["index.html"], try_page.FACE.read_text()
    assert files["page.css"] in service and files["page.js"] in service
    assert not re.search(r"<style|<script>| style=| on\w+=|<!-- \w+ -->\n|\{\w+\}", page)
    assert 'href="COURSE"' in page and try_page.POLICY in page
    for word in ("not kept", "SYNTHETIC", "predict", "service"):
        assert word not in page.lower() + files["page.js"]


def test_inside_the_book_it_leads_to_the_book(tmp_path):
    outside = try_page._links(tmp_path / "try")
    assert all(link.startswith("https://") for link in outside.values())
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "index.html").write_text("the card")
    inside = try_page._links(tmp_path / "try")
    assert (tmp_path / "try" / inside["card"]).resolve() == tmp_path / "models" / "index.html"


def test_without_npm_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CourseError, match=r"no npm: install Node\.js"):
        try_page.build(tmp_path)
    assert not (tmp_path / "index.html").exists()


@pytest.mark.skipif(os.name == "nt", reason="a script of a shell stands for npm")
def test_without_its_registry_one_sentence_says_so(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error code ENOTFOUND' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(npm))
    with pytest.raises(CourseError, match="COURSE_OFFLINE forbids"):
        try_page.build(tmp_path / "try")
    monkeypatch.setenv("COURSE_OFFLINE", "0")
    with pytest.raises(CourseError, match=r"LiteRT\.js cannot be fetched \(npm ci: code ENOTFOUND"):
        try_page.build(tmp_path / "try")


def test_it_is_not_built_in_git():
    assert not list(try_page.SOURCES.glob("*.wasm")) and not list(try_page.SOURCES.glob("*.tflite"))
