"""Airflow's own configuration, computed from the settings, as environment variables.

One machine: SQLite, LocalExecutor, loopback only, everyone who reaches the port is admin. A
cluster sets the same variables itself and runs the same DAGs.
"""

import json
import os
from urllib.parse import unquote, urlsplit

from pipeline.orchestration.step_commands import PROJECT, environment
from pipeline.runtime.settings import Settings

TORCH_SLOTS = 2  # of a torch job; a bucket that is scored takes one
MAIL_CONNECTION, SPARK_CONNECTION = "AIRFLOW_CONN_SMTP_DEFAULT", "AIRFLOW_CONN_SPARK_DEFAULT"
PARALLELISM = 4  # LocalExecutor forks this many idle workers, 130 MB each


def address(settings: Settings) -> str:
    """Where the UI and the REST API answer."""
    return f"http://127.0.0.1:{settings.airflow_port}"


def pool_slots() -> dict[str, int]:
    """Heavy tasks at a time: a Spark job or a torch job fills about four cores, a bucket half."""
    slots = max(1, (os.cpu_count() or 1) // 4)
    return {"spark": slots, "torch": TORCH_SLOTS * slots}


def airflow_environment(settings: Settings, scheduled: bool = True) -> dict[str, str]:
    """The whole environment of an Airflow process: the caller's, the jobs' and Airflow's.

    Unless `scheduled`, only runs that somebody asks for are run.
    """
    sections = {
        "CORE": _core(settings),
        "DATABASE": {"SQL_ALCHEMY_CONN": f"sqlite:///{settings.airflow}/airflow.db"},
        "API": {
            "HOST": "127.0.0.1",
            "PORT": str(settings.airflow_port),
            "BASE_URL": address(settings),
            "INSTANCE_NAME": "Tidemark",
        },
        "SCHEDULER": {
            "SCHEDULER_IDLE_SLEEP_TIME": "0.5",
            "SCHEDULER_HEARTBEAT_SEC": "2",
            "USE_JOB_SCHEDULE": str(scheduled),
        },
        "DAG_PROCESSOR": {
            "REFRESH_INTERVAL": "30",
            "PARSING_PROCESSES": "1",
            "MIN_FILE_PROCESS_INTERVAL": "600",  # a changed file is parsed at once all the same
        },
        "LOGGING": {"LOGGING_LEVEL": "INFO", "BASE_LOG_FOLDER": str(settings.airflow / "logs")},
    }
    variables = {
        f"AIRFLOW__{section}__{name}": value for section, options in sections.items() for name, value in options.items()
    }
    spark = json.dumps({"conn_type": "spark", "host": settings.spark_master})
    mail = {MAIL_CONNECTION: _mail(settings)} if settings.notify_mail else {}
    given = {SPARK_CONNECTION: spark, **mail}  # connections that the caller has set go before these
    return {**given, **os.environ, **environment(settings), "AIRFLOW_HOME": str(settings.airflow), **variables}


def _mail(settings: Settings) -> str:
    """The mail server as a connection of Airflow."""
    server = urlsplit(settings.notify_smtp)
    plain, tls = server.scheme == "smtp", server.scheme == "smtps"
    return json.dumps(
        {
            "conn_type": "smtp",
            "host": server.hostname,
            "port": server.port or (465 if tls else 25 if plain else 587),
            "login": unquote(server.username or ""),
            "password": unquote(server.password or ""),
            "extra": {"from_email": settings.notify_from, "disable_ssl": not tls, "disable_tls": plain or tls},
        }
    )


def _core(settings: Settings) -> dict[str, str]:
    return {
        "DAGS_FOLDER": str(PROJECT / "dags"),
        "PLUGINS_FOLDER": str(PROJECT / "pipeline" / "airflow" / "plugins"),
        "EXECUTOR": "LocalExecutor",
        "PARALLELISM": str(PARALLELISM),
        "LOAD_EXAMPLES": "False",
        "DAGS_ARE_PAUSED_AT_CREATION": "False",
        "SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        # Without it tasks talk to whatever listens on 8080.
        "EXECUTION_API_SERVER_URL": f"{address(settings)}/execution/",
    }
