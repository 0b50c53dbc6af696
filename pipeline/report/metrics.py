"""Figures of a home for a monitoring system, in Prometheus' text format.

    python -m pipeline metrics                  print them, for a textfile collector
    python -m pipeline metrics --port 9464      serve them

All are worked out from what is published when they are asked for: also while no night runs, which is when an alert is
due. What has to be read from rows of users is kept until that night is published anew.
"""

import re
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import ThreadingHTTPServer

from prometheus_client import CollectorRegistry, MetricsHandler, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.features.online import open_backend
from pipeline.report.intake import intake
from pipeline.report.partitions import Partitions, open_partitions
from pipeline.report.scores import Spread, spreads
from pipeline.report.timing import timeline
from pipeline.runtime.days import day_end
from pipeline.runtime.errors import OnlineError, OrchestrationError
from pipeline.runtime.floor import FLOOR
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import landed_days
from pipeline.storage.lineage import Lineage
from pipeline.tables.registry import EVENTS, TABLES, USER_FEATURES

FRESH_SECONDS = 15.0  # for which an answer is given again
NANOSECONDS = 1e9
PREFIX = "tidemark_"
# Name without PREFIX, what it is, its labels.
METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "complete": ("1 when every figure below could be worked out, else 0", ()),
    "published_days": ("days of the table that are published", ("table",)),
    "newest_day_age_seconds": ("time since the newest published day of the table was over", ("table",)),
    "rows": ("rows of the newest published day of the table", ("table",)),
    "published_after_seconds": ("from the end of the newest day to when its first rows were published", ("table",)),
    "landed_days_not_published": ("landed days without published events", ()),
    "stale_partitions": ("published partitions that are not what they would be now", ("because",)),
    "landed_rows": ("rows of the newest night by platform and what became of them", ("platform", "outcome")),
    "step_seconds": ("time of a step of the newest night, from its first staged file to the last table", ("step",)),
    "audit_seconds": ("of which its audits", ("step",)),
    "users": ("users of the newest scored night", ("kind",)),
    "model_info": ("1 for each version of the model that scored the newest night", ("version",)),
    "score_mean": ("mean of a propensity of the newest scored night", ("column",)),
    "score_psi": ("how far a propensity moved since the night before: population stability index", ("column",)),
    "online_rows": ("users of the night that serves online", ()),
    "online_day_age_seconds": ("time since the day that serves online was over", ()),
}


class Figures(Collector):
    """The figures of a home, as they are when they are collected."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._scores: dict[tuple[str, str], tuple[list[str], list[Spread]]] = {}  # by digests of night and night before

    def describe(self) -> list[GaugeMetricFamily]:
        return list(_families().values())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families = _families()
        complete = 1
        for part in (self._published, self._night, self._online):
            try:
                part(families)
            except Exception as error:  # one part that cannot be read hides no other, and ends no server
                complete = 0
                print(f"error: metrics: {error}", file=sys.stderr, flush=True)
        families["complete"].add_metric([], complete)
        yield from families.values()

    def _published(self, families: dict[str, GaugeMetricFamily]) -> None:
        lineage, now = Lineage(self._settings), datetime.now(UTC)
        for table in TABLES:
            days = lineage.days(table)
            families["published_days"].add_metric([table], len(days))
            if not days:
                continue
            newest = max(days)
            ended = self._over(newest)
            families["newest_day_age_seconds"].add_metric([table], (now - ended).total_seconds())
            families["rows"].add_metric([table], days[newest].rows)
            if since := days[newest].first_published:
                families["published_after_seconds"].add_metric([table], since / NANOSECONDS - ended.timestamp())
        known, gone = lineage.days(EVENTS.name), lineage.pins.gone(EVENTS.name)
        waiting = [ds for ds in landed_days(self._settings) if ds not in known and ds not in gone]
        families["landed_days_not_published"].add_metric([], len(waiting))
        follows = sum(it.follows for it in lineage.stale)
        families["stale_partitions"].add_metric(["own"], len(lineage.stale) - follows)
        families["stale_partitions"].add_metric(["follows"], follows)

    def _night(self, families: dict[str, GaugeMetricFamily]) -> None:
        with open_partitions(self._settings) as partitions:
            if landed := max(partitions.days("accounting"), default=None):
                for it in intake(partitions, landed).platforms:
                    counts = {"event": it.events, "duplicate": it.duplicates, "quarantined": it.quarantined}
                    for outcome, rows in counts.items():
                        families["landed_rows"].add_metric([it.name, outcome], rows)
                for bar in timeline(self._settings, partitions, landed, []).bars:
                    families["step_seconds"].add_metric([bar.step], bar.seconds)
                    families["audit_seconds"].add_metric([bar.step], bar.audit)
            if scored := max(partitions.days(USER_FEATURES.name), default=None):
                self._scored(families, partitions, scored)

    def _scored(self, families: dict[str, GaugeMetricFamily], partitions: Partitions, ds: str) -> None:
        published = partitions.days(USER_FEATURES.name)[ds]
        families["users"].add_metric(["scored"], published.rows)
        if (known := partitions.count("user_history", ds)) is not None:
            families["users"].add_metric(["known"], known)
        before = partitions.before(USER_FEATURES.name, ds)
        nights = (published.digest, partitions.days(USER_FEATURES.name)[before].digest if before else "")
        if nights not in self._scores:
            query = "SELECT DISTINCT model_version FROM {f} ORDER BY 1"
            found = [version for (version,) in partitions.rows(query, f=(USER_FEATURES.name, ds))]
            # A mean over a few people tells of them.
            self._scores = {nights: (found, spreads(partitions, ds) if published.rows >= FLOOR else [])}
        versions, scores = self._scores[nights]
        for version in versions:
            families["model_info"].add_metric([version], 1)
        for spread in scores:
            if spread.mean is not None:
                families["score_mean"].add_metric([spread.column], spread.mean)
            if spread.psi is not None:
                families["score_psi"].add_metric([spread.column], spread.psi)

    def _online(self, families: dict[str, GaugeMetricFamily]) -> None:
        try:
            serving = open_backend(self._settings).nights().current
        except OnlineError as error:
            raise OnlineError(f"online store: {error}") from None
        if serving:
            families["online_rows"].add_metric([], serving.rows)
            age = datetime.now(UTC) - self._over(serving.ds)
            families["online_day_age_seconds"].add_metric([], age.total_seconds())

    def _over(self, ds: str) -> datetime:
        return day_end(ds, [self._settings.business_tz])


def text(settings: Settings) -> str:
    """All figures, one a line, with what they are."""
    registry = CollectorRegistry()
    registry.register(Figures(settings))
    return generate_latest(registry).decode()


class Kept(Collector):
    """The figures of another collector, worked out at most once in FRESH_SECONDS, whoever asks."""

    def __init__(self, figures: Figures) -> None:
        self._figures, self._lock = figures, threading.Lock()
        self._found: list[GaugeMetricFamily] = []
        self._since = -FRESH_SECONDS

    def describe(self) -> list[GaugeMetricFamily]:
        return self._figures.describe()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._lock:
            if time.monotonic() - self._since >= FRESH_SECONDS:
                self._found, self._since = list(self._figures.collect()), time.monotonic()
            found = self._found
        yield from found


class Handler(MetricsHandler):
    """Answers whoever asks for one of `hosts` by its name: others may be pages elsewhere (DNS rebinding)."""

    hosts: frozenset[str] = frozenset()

    def do_GET(self) -> None:
        if re.sub(r":\d+$", "", self.headers.get("Host", "")).lower() not in self.hosts:
            self.send_error(HTTPStatus.FORBIDDEN, "Unknown host")
        elif self.path.partition("?")[0] != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND, "See /metrics")
        else:
            super().do_GET()


def server(settings: Settings, host: str, port: int) -> ThreadingHTTPServer:
    """A server of `/metrics` that has its port and does not serve yet. Raises OrchestrationError when it is taken."""
    registry = CollectorRegistry()
    registry.register(Kept(Figures(settings)))
    handler = type("HomeHandler", (Handler,), {"registry": registry, "hosts": frozenset(settings.hosts)})
    try:
        return ThreadingHTTPServer((host, port), handler)
    except OSError as error:
        raise OrchestrationError(f"metrics: {host}:{port}: {error.strerror or error}; name another --port") from None


def _families() -> dict[str, GaugeMetricFamily]:
    return {name: GaugeMetricFamily(PREFIX + name, what, labels=labels) for name, (what, labels) in METRICS.items()}
