"""A real browser, driven over its debugging port: sizes, colours, console, screenshots."""

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")
START_SECONDS, LOAD_SECONDS = 30, 30


class Browser:
    """One page of a running browser."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._sent = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command; what happens meanwhile is kept in `events`."""
        self._sent += 1
        request = {"id": self._sent, "method": method, "params": parameters}
        self._socket.send(json.dumps(request))
        while True:
            message = json.loads(self._socket.recv(timeout=LOAD_SECONDS))
            if message.get("id") == self._sent:
                return dict(message.get("result", message))
            self.events.append(message)

    def open(self, address: str, width: int, dark: bool = False) -> None:
        """Loads the address in a window of that many CSS pixels."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(json.loads(self._socket.recv(timeout=LOAD_SECONDS)))

    def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        return answer["result"].get("value")

    def complaints(self) -> list[str]:
        """What the console was told of as a warning or an error."""
        entries = [event["params"]["entry"] for event in self.events if event["method"] == "Log.entryAdded"]
        said = [entry["text"] for entry in entries if entry["level"] in ("error", "warning")]
        thrown = [
            event["params"]["exceptionDetails"]["text"]
            for event in self.events
            if event["method"] == "Runtime.exceptionThrown"
        ]
        return said + thrown

    def requests(self) -> list[str]:
        """Every address that the page asked for."""
        return [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self, path: Path) -> None:
        """The whole page, also what lies below the window."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))


@contextmanager
def open_browser(folder: Path) -> Iterator[Browser]:
    """Starts a browser with a profile of its own, and ends it."""
    from websockets.sync.client import connect

    profile = folder / "profile"
    command = [str(CHROMIUM), *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    process = subprocess.Popen([*command, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(_page_socket(profile), max_size=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


def _page_socket(profile: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    told = profile / "DevToolsActivePort"
    while not told.exists() or not told.read_text().strip():
        assert time.monotonic() < deadline, "the browser did not start"
        time.sleep(0.1)
    port = told.read_text().split()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
        pages = [it for it in json.load(answer) if it["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])
