"""What is wrong with the built book: links, texts of images, other hosts, tracebacks, drawings."""

import posixpath
import re
from urllib.parse import unquote, urlsplit

TRY = "try/"  # has its own tests
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
LINKED = ("stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect")
IN_CSS = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")
NO_TEXT = re.compile(r"\s*(?:[0-9a-f]{32,}|[\w/.-]+\.(?:png|jpe?g|svg))?\s*")


def problems(folder):
    """What is wrong with the pages in a folder: list of sentences.

    A link must lead to a page and an anchor that are there; an image must have a text that is not
    its file's name; nothing may be loaded from another host; no output may be a traceback; and none
    may say SYNTHETIC but those of cells tagged ``pictures``, which show drawn lesions.
    """
    from bs4 import BeautifulSoup

    pages = {}
    for path in sorted(folder.rglob("*.html")):
        name = path.relative_to(folder).as_posix()
        if not name.startswith("_static/"):
            pages[name] = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    anchors = {
        name: {
            tag[key] for tag in page.find_all(True) for key in ("id", "name") if key in tag.attrs
        }
        for name, page in pages.items()
    }
    found = [
        f"{path.relative_to(folder).as_posix()} loads {address}"
        for path in sorted(folder.rglob("*.css"))
        for address in IN_CSS.findall(path.read_text(encoding="utf-8"))
    ]
    for name, page in pages.items():
        said = [*_links(folder, name, page, anchors), *_loads(page)]
        if not name.startswith(TRY):
            said += [*_images(page), *_outputs(page)]
        found += [f"{name} {one}" for one in said]
    return found


def _links(folder, name, page, anchors):
    for tag in page.find_all("a", href=True):
        link = urlsplit(tag["href"])
        if link.scheme or link.netloc:
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(link.path)))
        path = name if not link.path else path
        if (folder / path).is_dir():
            path = posixpath.normpath(f"{path}/index.html")
        if not (folder / path).exists():
            yield f"links to {tag['href']}, and there is no {path}"
        elif link.fragment and unquote(link.fragment) not in anchors.get(path, ()):
            yield f"links to {tag['href']}, and there is no such place in {path}"


def _loads(page):
    loaded = [tag.get(LOADS[tag.name], "") for tag in page.find_all(list(LOADS))]
    loaded += [
        tag.get("href", "") for tag in page.find_all("link") if set(tag.get("rel", ())) & {*LINKED}
    ]
    loaded += [address for tag in page.find_all("style") for address in IN_CSS.findall(tag.text)]
    yield from (f"loads {one}" for one in loaded if urlsplit(one).netloc)


def _images(page):
    for tag in page.find_all("img"):
        if NO_TEXT.fullmatch(tag.get("alt", "")):
            yield f"shows {tag.get('src')} without a text"


def _outputs(page):
    for output in page.select(".cell_output"):
        text = output.get_text()
        if "Traceback (most recent call last)" in text or output.select(".traceback"):
            yield "shows a traceback"
        if "SYNTHETIC" in text and not output.find_parent(class_="tag_pictures"):
            yield "shows SYNTHETIC where real lesions belong"
