"""The service's page in a real browser: mouse, keyboard, phone width, and for screen readers."""

import math

import pytest

from course.run.chromium import BROWSER
from utils import serve, settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="there is no Chromium: the page was not tried"),
]
SIZES = {"desktop": {"width": 1200, "height": 800}, "phone": {"width": 375, "height": 780}}
DROP = """([name, bytes]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], name));
    document.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
}"""


@pytest.fixture
def open_page(chromium, service):
    """Opens the page; at the end nothing may stand in its console."""
    opened, said = [], []

    def open_it(**options):
        context = chromium.new_context(**options)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.route(
            "**/sample*",
            lambda route: route.fulfill(body=serve.sample_png(5), content_type="image/png"),
        )
        page.goto(service)
        opened.append(context)
        return page

    yield open_it
    for context in opened:
        context.close()
    # A browser itself reports each request that is not answered with 200.
    assert [text for text in said if not text.startswith("Failed to load resource")] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_sample_is_judged_and_axe_finds_nothing(open_page, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(viewport=SIZES[size], color_scheme=scheme)
    assert Axe().run(page).violations_count == 0
    page.get_by_role("button", name="Try a drawn sample").click()
    page.get_by_role("heading", name="Melanoma", exact=True).wait_for()
    assert "SYNTHETIC" in page.locator("#caption").inner_text()
    expected = serve.answer(serve.sample_png(5)).probability
    assert f"{100 * expected:.0f} %" in page.locator("#answer").inner_text()
    assert page.get_by_text("Not a medical device, not a diagnosis.").is_visible()
    scale, mark = (page.locator(name).bounding_box() for name in (".scale", ".threshold"))
    share = (mark["x"] + 1 - scale["x"]) / scale["width"]
    threshold = serve.shipped().facts["threshold"]  # on a logarithmic scale from 0.1 to 100 %
    assert share == pytest.approx(1 + math.log10(threshold) / 3, abs=0.01)
    assert Axe().run(page).violations_count == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    shots = settings.make_folder(settings.runs() / "screenshots")
    page.screenshot(path=shots / f"page-{size}-{scheme}.png")
    assert page.locator("#picture").get_attribute("src").startswith("blob:")


def test_by_keyboard_alone(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Melanoma", exact=True).wait_for()


def test_dropped_images_are_judged_refused_or_explained(open_page, tmp_path):
    page = open_page()
    page.evaluate(DROP, ["mole.png", list(serve.sample_png(0))])
    decision = serve.answer(serve.sample_png(0)).decision
    page.get_by_role("heading", name=decision.capitalize(), exact=True).wait_for()
    flower = tmp_path / "red.png"
    from PIL import Image

    Image.new("RGB", (90, 90), "red").save(flower)
    page.evaluate(DROP, ["red.png", list(flower.read_bytes())])
    page.get_by_role("heading", name="Refused").wait_for()
    assert "does not look like" in page.locator("#answer").inner_text()
    assert page.locator(".scale").count() == 0
    page.evaluate(DROP, ["text.png", list(b"not an image")])
    page.get_by_role("heading", name="No answer").wait_for()
    assert "is not an image" in page.locator("#answer").inner_text()
    page.set_input_files("#file", {"name": "x", "mimeType": "a/b", "buffer": bytes(11 * 2**20)})
    page.get_by_text("over 10 MB").wait_for()


def test_a_service_that_is_gone_is_said(open_page):
    page = open_page()
    page.route("**/predict*", lambda route: route.abort())
    page.get_by_role("button", name="Try a drawn sample").click()
    page.get_by_text("The service does not answer").wait_for()


def test_the_description_works_without_a_network(open_page, service):
    page, asked = open_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{service}/docs")
    page.get_by_role("button", name="POST /predict").first.wait_for()
    page.get_by_role("button", name="GET /health").first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.get_by_text('"status": "ok"').first.wait_for()
    own = (service, "data:", "blob:")
    assert len(asked) >= 4 and not [url for url in asked if not url.startswith(own)]
