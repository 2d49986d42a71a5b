"""What Sphinx is told; `python -m course site` prepares the pages that it reads and starts it."""

import tomllib
from pathlib import Path

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

with (Path(__file__).parents[1] / "pyproject.toml").open("rb") as file:
    said = tomllib.load(file)["tool"]["course"]

project = "Melanoma classifier: a course"
html_title = project
language = "en"
extensions = ["myst_nb"]
templates_path = ["templates"]
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/favicon.svg"
html_copy_source = False
html_use_index = False
html_context = {"default_mode": "auto"}
html_sidebars = {"**": ["home.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_show_copyright = False
html_show_sphinx = False

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
linkcheck_anchors = False
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # nothing comes from another host
nb_merge_streams = True
nb_code_prompt_show = "Show the code of this cell"
nb_code_prompt_hide = "Hide the code of this cell"

html_theme = "sphinx_book_theme"
html_theme_options = {
    "repository_url": f"https://github.com/{said['repository']}",
    "repository_branch": said["branch"],
    "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    "navbar_persistent": [],
    "use_repository_button": True,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "footer_content_items": ["extra-footer.html"],
    "extra_footer": "For education only: not a medical device, and no output is a diagnosis.",
}


def setup(app):
    """Formulas become MathML, which browsers draw without a script."""

    def inline(writer, node):
        writer.body.append(tex2mathml(node.astext()))
        raise SkipNode

    app.add_html_math_renderer("mathml", (inline, None), (inline, None))
