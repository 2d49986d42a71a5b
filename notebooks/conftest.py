"""For nbval: pages and warnings are not compared with the stored outputs, only what they say."""


def pytest_collectstart(collector):
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr", "text/html")
