"""Take the screenshots of docs/images/ from a home on which nights have run.

    TIDEMARK_HOME=… python .ci/screenshots.py                    # all that the home can show
    TIDEMARK_HOME=… python .ci/screenshots.py nightly-report     # one

nightly-report: the top of the newest page of reports/nightly/. airflow-graph: the graph of the newest run of
`nightly_features`. mlflow-comparison: the three newest runs of the experiment that trains the model, side by side. The
last two start the servers that are not up, on the ports of the settings, and stop them again. Needs chromium.
"""

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline.airflow import services  # noqa: E402
from pipeline.runtime.settings import Settings, load_settings  # noqa: E402
from tests.unit.pipeline.report.browser import Browser, open_browser  # noqa: E402

IMAGES = ROOT / "docs" / "images"
WIDTH = 1280
COLOURS = 256  # of the palette; rare colours are kept, a legend has them
DAG, EXPERIMENT = "nightly_features", "interest-model"
SECONDS = 60.0
# Names and values of the metrics are two lists of MLflow's page, each with a scroll bar of its own.
TO_HEADLINE = """(() => {
  const first = [...document.querySelectorAll('a')].find(it => it.innerText.trim() == 'test/ndcg_10');
  let list = first;
  while (list && list.scrollHeight < list.clientHeight + 5) list = list.parentElement;
  if (!list) return;
  const top = list.getBoundingClientRect().top;
  const down = list.scrollTop + first.getBoundingClientRect().top - top - 8;
  const beside = it => it.scrollHeight > it.clientHeight + 5 && Math.abs(it.getBoundingClientRect().top - top) < 3;
  [...document.querySelectorAll('*')].filter(beside).forEach(it => { it.scrollTop = down; });
})()"""


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
    browser.open(root, WIDTH)
    browser.value(f"localStorage.setItem('dag_view-{DAG}', JSON.stringify('graph'))")
    browser.open(f"{root}/dags/{DAG}", WIDTH)
    wait_for(browser, "document.querySelectorAll('.react-flow__node').length > 3")
    time.sleep(5)  # the drawing settles
    keep(browser, "airflow-graph", 800)


def mlflow_comparison(browser: Browser, settings: Settings) -> None:
    """The three newest finished runs of the model, compared."""
    root = f"http://127.0.0.1:{settings.mlflow_port}"
    named = asked(f"{root}/api/2.0/mlflow/experiments/search", {"filter": f"name = '{EXPERIMENT}'", "max_results": 1})
    experiments = [it["experiment_id"] for it in named.get("experiments", [])]
    wanted = {"experiment_ids": experiments, "filter": "status = 'FINISHED'", "max_results": 3}
    found = asked(f"{root}/api/2.0/mlflow/runs/search", wanted).get("runs", []) if experiments else []
    runs = [run["info"]["run_id"] for run in found]
    if len(runs) < 2:
        sys.exit(f"error: expected at least two finished runs of {EXPERIMENT}, found {len(runs)}; train again")
    query = f"runs={json.dumps(runs)}&experiments={json.dumps(experiments)}"
    browser.open(f"{root}/#/compare-runs?{query}".replace(" ", "").replace('"', "%22"), WIDTH)
    wait_for(browser, "document.body.innerText.includes('Comparing') && document.body.innerText.includes('Metrics')")
    browser.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=1500, deviceScaleFactor=1, mobile=False)
    for button in ("[aria-label='Close']", "[aria-label='Parameters - Show diff only']"):
        browser.value(f'document.querySelector("{button}")?.click()')
    browser.value(
        "[...document.querySelectorAll('[role=button]')].find(it => it.innerText == 'Visualizations')?.click()"
    )
    time.sleep(5)
    browser.value(TO_HEADLINE)
    time.sleep(1)
    keep(browser, "mlflow-comparison", 1300)


PICTURES: dict[str, Callable[[Browser, Settings], None]] = {
    "nightly-report": nightly_report,
    "airflow-graph": airflow_graph,
    "mlflow-comparison": mlflow_comparison,
}


def keep(browser: Browser, name: str, height: int) -> None:
    """Writes the top of the page as a small PNG."""
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
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


def asked(address: str, body: Any = None) -> Any:
    """The JSON that an address answers."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)


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
