"""Takes the picture of the service's page that the README shows."""

import subprocess
import sys
import time
from urllib.request import urlopen

from course.run.chromium import BROWSER, OPTIONS
from utils import settings

PICTURE = settings.ROOT / "models" / "page.png"
SHOWN = settings.ROOT / "data" / "samples" / "ISIC_0000145.jpg"  # a melanoma, CC0
PORT = 8766


def take():
    """Start the service, ask it about a sample in a browser, and keep what is to be seen.

    Raises
    ------
    SystemExit
        If there is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    if BROWSER is None:
        sys.exit("models/page.png is as it was: install Chromium to take it anew.")
    url = f"http://127.0.0.1:{PORT}"
    command = [sys.executable, "-m", "course", "serve", "--port", str(PORT)]
    with subprocess.Popen(command, cwd=settings.ROOT) as service:
        try:
            _wait(f"{url}/health", service)
            with sync_playwright() as playwright:
                opened = playwright.chromium.launch(executable_path=BROWSER, args=OPTIONS)
                page = opened.new_page(viewport={"width": 1100, "height": 760})
                page.goto(url)
                page.locator("input[type=file]").set_input_files(SHOWN)
                page.get_by_role("heading", name="Melanoma", exact=True).wait_for()
                page.evaluate("window.scrollTo(0, 0)")
                settings.write_atomically(PICTURE, lambda path: page.screenshot(path=path))
                opened.close()
        finally:
            service.terminate()


def _wait(url, service):
    while service.poll() is None:
        try:
            return urlopen(url).close()
        except OSError:
            time.sleep(0.2)
    sys.exit(f"The service stopped before it answered at {url}.")


if __name__ == "__main__":
    take()
