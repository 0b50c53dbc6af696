"""Serve the pages of reports and audits as plain files, to browsers that ask for this host by its name.

    python -m pipeline.airflow.page_server --directory .tidemark/reports --port 8081

A page elsewhere that has its own name point to this machine (DNS rebinding) sends that name as Host, and is refused.
Folders are not listed, links are not followed, hidden files are not served, and browsers keep no copy.
"""

import argparse
import re
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

from pipeline.runtime import program
from pipeline.runtime.settings import load_settings

LOOPBACK = "127.0.0.1"
INDEX = "index.html"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "frame-ancestors 'self'",
}
EMPTY = b"<!doctype html><title>Tidemark</title><p>No page has been written yet: the first audit or report writes one."


class Pages(SimpleHTTPRequestHandler):
    """Files below one folder. `hosts`: the names by which it may be asked for."""

    server_version = "Tidemark"
    sys_version = ""

    def __init__(self, *args: Any, directory: str, hosts: frozenset[str]) -> None:
        self.hosts = hosts
        super().__init__(*args, directory=directory)

    def send_head(self) -> Any:
        if re.sub(r":\d+$", "", self.headers.get("Host", "")).lower() not in self.hosts:
            self.send_error(HTTPStatus.FORBIDDEN, "Unknown host")
            return None
        path = Path(self.translate_path(self.path))
        file = path / INDEX if path.is_dir() else path
        if path == Path(self.directory) and not file.exists():
            return self._empty()
        if not is_plain(Path(self.directory), file):
            self.send_error(HTTPStatus.NOT_FOUND, "No such page")
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> None:
        """No folder is listed: names of pages say what is in them."""
        self.send_error(HTTPStatus.NOT_FOUND, "No such page")

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _empty(self) -> BytesIO:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(EMPTY)))
        self.end_headers()
        return BytesIO(EMPTY)


def is_plain(folder: Path, file: Path) -> bool:
    """Whether it is a file below `folder` that no link leads to and no name hides."""
    try:
        below = file.relative_to(folder)
        direct = file.resolve(strict=True) == folder.resolve() / below
    except (OSError, ValueError):  # missing, a loop of links, or outside
        return False
    return direct and file.is_file() and not any(part.startswith(".") for part in below.parts)


def server(folder: Path, host: str, port: int, hosts: frozenset[str]) -> ThreadingHTTPServer:
    """A server that has its port and does not serve yet."""
    return ThreadingHTTPServer((host, port), partial(Pages, directory=str(folder), hosts=hosts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, required=True, help="the folder of the pages")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on")
    given = parser.parse_args()
    server(given.directory, given.host, given.port, frozenset(load_settings().hosts)).serve_forever()


if __name__ == "__main__":
    program.run(main)
