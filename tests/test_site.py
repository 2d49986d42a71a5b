"""The web book: what Sphinx is given, and the built pages in a browser."""

import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course import lessons
from course.build import pages, site, site_check, style
from course.errors import CourseError
from course.run.chromium import BROWSER
from utils import settings

HUB = f"https://github.com/{lessons.address()[0]}"
BLOB = f"{HUB}/blob/{lessons.address()[1]}"
THERE = {"results/index.md", "data/index.md", "notebooks/01_data.ipynb"}
PNG = "iVBORw0KGgo="


# --- what Sphinx is given -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("notebooks/00_quickstart.ipynb", "01_data.ipynb", "01_data.ipynb"),
        (
            "notebooks/00_quickstart.ipynb",
            f"{BLOB}/data/README.md#columns",
            "../data/index.md#columns",
        ),
        ("notebooks/00_quickstart.ipynb", f"{HUB}/issues", f"{HUB}/issues"),
        ("results/README.md", "ten_draws.json", f"{BLOB}/results/ten_draws.json"),
        ("data/README.md", "../results", f"{HUB}/tree/{lessons.address()[1]}/results"),
        ("index.md", "results/README.md", "results/index.md"),
        ("index.md", "#paths", "#paths"),
        ("index.md", "/figures/forest.png", "/figures/forest.png"),
        ("index.md", "https://doi.org/10.1/x", "https://doi.org/10.1/x"),
    ],
)
def test_a_link_leads_to_a_page_of_the_book_or_to_the_repository(page, link, expected):
    assert site.linked(f"see [it]({link}).", page, THERE) == f"see [it]({expected})."


def test_a_link_to_nothing_stops_the_build():
    with pytest.raises(
        CourseError, match=r"data/README\.md links to gone\.md, and there is no data/gone"
    ):
        site.linked("[x](gone.md)", "data/README.md", THERE)


def test_a_notebook_is_folded_and_its_images_have_their_texts():
    image = {"output_type": "display_data", "data": {"image/png": PNG}}
    badge = "[![Open In Colab](https://x/badge.svg)](https://colab)\n\n# 01 · Data: what?"
    notebook = new_notebook(
        cells=[
            new_markdown_cell(badge),
            new_code_cell("# @title Setup: x"),
            new_code_cell("folded", metadata={"tags": ["folded"]}),
            new_code_cell("stub = ...", metadata={"tags": ["exercise"]}),
            new_code_cell("ipywidgets.interact(show, x=(0, 1))"),
            new_code_cell(
                "plot", outputs=[new_output(**image, metadata={"image/png": {"alt": "A dot."}})]
            ),
        ]
    )
    title, setup, folded, stub, slider, note, plot = site.prepared(
        notebook, "notebooks/01_data.ipynb", THERE
    ).cells
    assert title.source == "# 01 · Data: what?"
    assert ["hide-input" in style.tags(c) for c in (setup, folded, stub, slider)] == [1, 1, 0, 0]
    assert f"({site.colab('notebooks/01_data.ipynb')})" in note.source
    assert plot.metadata["mystnb"] == {"image": {"alt": "A dot."}}


def test_tables_are_folded_and_chains_become_lists():
    text = "a\n\n| | AUC |\n| --- | --- |\n| x | 1 |\n| y | 2 |\n\nb\n"
    said = "<details><summary>Table of 2 rows: AUC</summary>\n\n| | AUC |"
    assert said in site.folded(text) and site.folded("a | b\n") == "a | b\n"
    chart = '```mermaid\nflowchart LR\n  a["one"] --> b["two, 2"]\n  b --> c["three"]\n```\n'
    assert site.without_mermaid(chart) == "1. one\n1. two, 2\n1. three\n"


def test_each_lesson_is_in_one_part_in_the_courses_order():
    found = pages.parts(pages.lesson_rows()[1])
    assert list(found) == ["Build", "Judge", "Trust", "Use"]
    assert [row["name"] for rows in found.values() for row in rows] == list(lessons.names())
    assert (found["Build"][0]["short"], found["Judge"][0]["short"]) == ("Quickstart", "Evaluation")


def test_a_page_quotes_what_a_lesson_says_and_shows_or_the_build_stops(tmp_path):
    assert float(site.said("grad_cam", r"^validation AUC: (\S+)")) > 0.95
    with pytest.raises(CourseError, match="grad_cam says 'no such' 0 times, not once"):
        site.said("grad_cam", "no such")
    with pytest.raises(CourseError, match="grad_cam has 0 figures from cells with 'no such'"):
        site.figure(tmp_path, "grad_cam", "no such")


FAULTS = {
    '<a href="gone.html">': "links to gone.html, and there is no gone.html",
    '<a href="b.html#x">': "links to b.html#x, and there is no such place in b.html",
    '<a href="#x">': "links to #x, and there is no such place in a.html",
    '<img src="a.png">': "shows a.png without a text",
    f'<img src="a.png" alt="_images/{"ab" * 32}.png">': "shows a.png without a text",
    '<script src="https://cdn.x/y.js"></script>': "loads https://cdn.x/y.js",
    '<link rel="stylesheet" href="//cdn.x/y.css">': "loads //cdn.x/y.css",
    "<style>a { background: url(https://cdn.x/y) }</style>": "loads https://cdn.x/y",
    '<div class="cell_output">Traceback (most recent call last)</div>': "shows a traceback",
    '<div class="cell"><div class="cell_output">SYNTHETIC': "shows SYNTHETIC where real",
}


@pytest.mark.parametrize("html", FAULTS)
def test_a_fault_of_a_page_is_found(html, tmp_path):
    (tmp_path / "a.html").write_text(html)
    (tmp_path / "b.html").write_text('<p id="y">')
    (one,) = site_check.problems(tmp_path)
    assert one.startswith(f"a.html {FAULTS[html]}")


def test_a_page_without_fault_has_none(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="x"><a href="#x"></a><a href="sub/#y"></a><a href="https://x.org"></a>'
        '<img src="a.png" alt="A dot."><script src="a.js"></script>'
        '<div class="cell tag_pictures"><div class="cell_output">SYNTHETIC</div></div>'
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text('<p id="y"><a href="../a.html#x"></a>')
    assert site_check.problems(tmp_path) == []


def test_the_form_for_a_class_is_well_formed():
    form = yaml.safe_load((settings.ROOT / ".github/ISSUE_TEMPLATE/class.yml").read_text())
    assert {"class", "lessons", "where", "stuck", "changed"} == {
        p["id"] for p in form["body"] if "id" in p
    }
    assert "template=class.yml" in (site.SITE / "teachers.md").read_text(encoding="utf-8")


# --- the built pages ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the built book, without the page that runs the model: it has its own tests."""
    return site.book(tmp_path_factory.mktemp("site"))


def soup(path):
    from bs4 import BeautifulSoup

    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@pytest.mark.slow
def test_nothing_is_wrong_with_the_built_pages(built):
    assert site_check.problems(built) == []


@pytest.mark.slow
def test_every_lesson_is_a_page_that_opens_in_colab_and_leads_on(built):
    names = [lessons.notebook(name).stem for name in lessons.names()]
    for before, name, after in zip(["", *names], names, [*names[1:], ""], strict=False):
        page = soup(built / "notebooks" / f"{name}.html")
        assert page.find("a", href=site.colab(f"notebooks/{name}.ipynb")), name
        assert not page.find("img", alt="Open In Colab")
        for kind, other in (("left-prev", before), ("right-next", after)):
            if other:
                assert page.select_one(f"a.{kind}")["href"] == f"{other}.html"


@pytest.mark.slow
def test_code_is_folded_where_it_is_in_the_lesson_and_exercises_are_open(built):
    page = soup(built / "notebooks" / f"{lessons.notebook('grad_cam').stem}.html")
    cells = [tag for cell in site.stored("grad_cam").cells for tag in style.tags(cell)]
    solutions = [d for d in page.find_all("details") if d.summary.text.startswith("Solution of")]
    assert len(solutions) == cells.count("solution") and all(
        "exercises.check" in d.text for d in solutions
    )
    folded = page.select(".cell.tag_folded")
    assert len(folded) == cells.count("folded") and all(cell.find("details") for cell in folded)
    stubs = page.select(".cell.tag_exercise")
    assert len(stubs) == cells.count("exercise") and not any(cell.find("details") for cell in stubs)
    assert page.find(
        "img", alt=lambda text: text and text.startswith("Two heat maps of 3 x 3 cells")
    )
    elsewhere = soup(built / "notebooks" / f"{lessons.notebook('elsewhere').stem}.html")
    assert elsewhere.find("math") and "$s" not in elsewhere.text


@pytest.mark.slow
def test_results_begin_with_five_sentences_and_a_figure_and_fold_their_tables(built):
    page = soup(built / "results" / "index.html").article
    assert len(page.ol.find_all("li")) == 5
    assert page.ol.find_next("img")["alt"].startswith(
        "AUC of the shipped network and of the colour"
    )
    tables = page.find_all("table")
    assert len(tables) > 10 and all(table.find_parent("details") for table in tables)


@pytest.mark.slow
def test_teachers_read_the_minutes_of_the_notebooks(built):
    minutes = {row["name"]: int(row["minutes"]) for row in pages.lesson_rows()[1]}
    first = soup(built / "teachers.html").table.find_all("tr")[1].find_all("td")
    expected = sum(minutes[name] for name in pages.TWO_HOURS)
    assert [cell.text for cell in first][::2] == ["two hours", str(expected)]


PAGES = ["index.html", "notebooks/13_grad_cam.html", "results/index.html", "teachers.html"]
PAGES += ["models/index.html"]


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="there is no Chromium: the book was not tried")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing_and_nothing_comes_from_another_host(chromium, address, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = chromium.new_page(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for name in [*PAGES, "search.html?q=melanoma"]:
        page.goto(f"{address}/{name}")
        if "search" in name:
            page.locator("#search-results .search li").first.wait_for()
        page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{name}\n{found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    page.close()
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
