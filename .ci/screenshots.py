"""Take the screenshots of docs/images/ from a home on which nights have run.

    TIDEMARK_HOME=… python .ci/screenshots.py                    # all that the home can show
    TIDEMARK_HOME=… python .ci/screenshots.py nightly-report     # one

nightly-report: the top of the newest page of reports/nightly/. airflow-graph: the graph of the newest run of
`nightly_features`. mlflow-comparison: the runs of the experiment that trains the model, one chart per figure. The
last two start the servers that are not up, on the ports of the settings, and stop them again. Needs chromium.
"""

import argparse
import sys
import tempfile
import time
import urllib.request
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline.airflow import links, services  # noqa: E402
from pipeline.runtime.settings import Settings, load_settings  # noqa: E402
from tests.unit.pipeline.report.browser import Browser, open_browser  # noqa: E402

IMAGES = ROOT / "docs" / "images"
WIDTH, WIDE = 1280, 1600
COLOURS = 256  # of the palette; rare colours are kept, a legend has them
DAG = "nightly_features"
SECONDS = 60.0


def nightly_report(browser: Browser, settings: Settings) -> None:
    """The top of the newest nightly report."""
    page = max((settings.reports / "nightly").glob("2*.html"), default=None)
    if page is None:
        sys.exit(f"error: expected a report in {settings.reports / 'nightly'}, found none; run a night first")
    browser.open(page.as_uri(), WIDTH)
    keep(browser, "nightly-report", 1180)


def airflow_graph(browser: Browser, settings: Settings) -> None:
    """The graph of the newest night, as Airflow draws it."""
    root = f"http://127.0.0.1:{settings.airflow_port}"
    browser.open(root, WIDE)
    browser.value("localStorage.setItem('default_dag_view', JSON.stringify('graph'))")
    newest = f"fetch('/api/v2/dags/{DAG}/dagRuns?limit=1&order_by=-run_after').then(it => it.json())"
    runs = (browser.value(newest) or {}).get("dag_runs", [])
    browser.open(f"{root}/dags/{DAG}{''.join('/runs/' + quote(run['dag_run_id']) for run in runs)}", WIDE)
    wait_for(browser, "document.querySelectorAll('.react-flow__node').length > 3")
    browser.value("document.querySelector(\"[aria-label='Collapse Details Panel']\")?.click()")
    time.sleep(3)
    browser.value("document.querySelector('.react-flow__controls-fitview')?.click()")
    time.sleep(3)  # the drawing settles
    keep(browser, "airflow-graph", 900, WIDE)


def mlflow_comparison(browser: Browser, settings: Settings) -> None:
    """The runs of the model, side by side in one chart for each headline figure."""
    browser.open(links.mlflow_runs(settings.mlflow_port).replace(links.HEADLINE, "compareRunsMode=CHART"), WIDE)
    wait_for(browser, "document.body.innerText.includes('test/ece')")
    browser.value("document.querySelector(\"[aria-label='Close']\")?.click()")
    # Charts are drawn where they are seen.
    browser.call("Emulation.setDeviceMetricsOverride", width=WIDE, height=1120, deviceScaleFactor=1, mobile=False)
    time.sleep(8)
    keep(browser, "mlflow-comparison", 1120, WIDE)


PICTURES: dict[str, Callable[[Browser, Settings], None]] = {
    "nightly-report": nightly_report,
    "airflow-graph": airflow_graph,
    "mlflow-comparison": mlflow_comparison,
}


def keep(browser: Browser, name: str, height: int, width: int = WIDTH) -> None:
    """Writes the top of the page as a small PNG."""
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    answer = browser.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
    picture = Image.open(BytesIO(b64decode(answer["data"]))).convert("RGB")
    path = IMAGES / f"{name}.png"
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


def wait_for(browser: Browser, condition: str) -> None:
    """Until a JavaScript condition holds in the page."""
    deadline = time.monotonic() + SECONDS
    while not browser.value(condition):
        if time.monotonic() > deadline:
            sys.exit(f"error: after {SECONDS:.0f} s the page still shows {browser.value('document.body.innerText')!r}")
        time.sleep(0.5)


@contextmanager
def served(settings: Settings) -> Iterator[None]:
    """Airflow and MLflow of the home; those that were up stay up."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.mlflow_port}/health", timeout=5):
            was_up = True
    except OSError:
        was_up = False
        services.up(settings)
    try:
        yield
    finally:
        if not was_up:
            services.down(settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(PICTURES)}; default: all")
    names = parser.parse_args().names or list(PICTURES)
    if unknown := sorted(set(names) - set(PICTURES)):
        parser.error(f"expected {', '.join(PICTURES)}, found {', '.join(unknown)}")
    settings = load_settings()
    with tempfile.TemporaryDirectory() as folder, open_browser(Path(folder)) as browser:
        if "nightly-report" in names:
            nightly_report(browser, settings)
        if pages := [name for name in names if name != "nightly-report"]:
            with served(settings):
                for name in pages:
                    PICTURES[name](browser, settings)


if __name__ == "__main__":
    main()
