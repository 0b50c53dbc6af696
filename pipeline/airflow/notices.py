"""Who is told, by mail and webhook, when a task fails for good and when a night is late.

Airflow's own notifiers send: `TIDEMARK_NOTIFY_MAIL` with the SMTP connection, `TIDEMARK_NOTIFY_WEBHOOK` with a POST of
JSON whose `text` chat tools show. Without either nothing is sent.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
from airflow.sdk import BaseNotifier, BaseOperator
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.exceptions import AirflowSkipException

from pipeline.runtime.settings import Settings, load_settings

SECONDS = 30  # to reach a webhook
FAILED = "{{ ti.dag_id }} {{ dag_run.partition_key or '' }}: {{ ti.task_id }} failed"
FAILED_WHY = "{{ exception or 'it ended without a message' }}"
LATE = "{{ dag_run.dag_id }} {{ dag_run.partition_key or '' }} is late"
LATE_WHY = (
    "{{ waited_for }} was due at {{ deadline.deadline_time }} and is not published; the run is {{ dag_run.state }}"
)
FEATURES = "user_features"
STALE_TOLD = 3  # reasons in one notice


class TellStale(BaseOperator):
    """Sends what has become stale, where somebody is to be told; skipped when nothing is."""

    ui_color = "#fdf3d8"

    def __init__(self, *, settings: Settings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.settings = settings

    def execute(self, context: Any) -> None:
        from pipeline.storage.lineage import Lineage

        own = [str(it) for it in Lineage(self.settings).stale if not it.follows]
        if not own:
            raise AirflowSkipException("nothing is stale")
        print(*own, sep="\n")
        # By way of the context: names of landed files are no templates.
        told = {**context, "stale": own, "why_stale": "; ".join(own[:STALE_TOLD])}
        for notice in notifiers(self.settings, "{{ stale | length }} partitions are stale", "{{ why_stale }}"):
            notice(told)


class Webhook(BaseNotifier):
    """Posts a notice as JSON. The address is read when it is sent, so that it is in no database of Airflow."""

    template_fields = ("title", "why")

    def __init__(self, title: str, why: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.title, self.why = title, why

    def notify(self, context: Any) -> None:
        httpx.post(load_settings().notify_webhook, json=self.body(context), timeout=SECONDS).raise_for_status()

    async def async_notify(self, context: Any) -> None:
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            answer = await client.post(load_settings().notify_webhook, json=self.body(context))
        answer.raise_for_status()

    def body(self, context: Any) -> dict[str, object]:
        """The notice: a text for people, and its parts for machines."""
        run, task = context["dag_run"], context.get("ti")
        return {
            "text": f"Tidemark: {self.title}: {self.why}",
            "dag": _of(run, "dag_id"),
            "run": _of(run, "run_id") or _of(run, "dag_run_id"),  # as the context of a deadline calls it
            "partition": _of(run, "partition_key"),
            "task": _of(task, "task_id") if task else None,
            "why": self.why,
        }


def notifiers(settings: Settings, title: str, why: str, context: Any = None) -> list[Any]:
    """One per way that is set; each sends the title and the reason, both templates."""
    made: list[Any] = []
    if settings.notify_mail:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        made.append(
            SmtpNotifier(
                to=[address.strip() for address in settings.notify_mail.split(",")],
                from_email=settings.notify_from,
                subject=f"Tidemark: {title}",
                html_content=f"<p>{_escaped(title)}</p><pre>{_escaped(why)}</pre>",
                context=context,
            )
        )
    if settings.notify_webhook:
        made.append(Webhook(title, why, context=context))
    return made


def on_failure(settings: Settings) -> list[Callable[[Any], None]]:
    """Callbacks of a task that failed for good: which task of which day, and its error."""
    return notifiers(settings, FAILED, FAILED_WHY)


def deadline(settings: Settings) -> DeadlineAlert | None:
    """The alert of a night that is late; None when nobody is to be told."""
    if not settings.deadline_minutes or not (settings.notify_mail or settings.notify_webhook):
        return None
    return DeadlineAlert(
        name="user_features is late",
        # A run of a partition has no logical date. It is queued at midnight, when the day ended.
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=settings.deadline_minutes),
        callback=AsyncCallback(late),
    )


async def late(context: Any = None) -> None:
    """Sends that the features of a day are late, from the triggerer.

    Says nothing of a backfill, whose runs queue as long as they must, nor when the features are published and only
    what follows them is at work.
    """
    run = context["dag_run"]
    if run["run_type"] == "backfill" or await asyncio.to_thread(_is_published, run["partition_key"]):
        return
    context = {**context, "waited_for": FEATURES}
    notices = notifiers(load_settings(), LATE, LATE_WHY, context)
    results = await asyncio.gather(*(_sent(notice) for notice in notices), return_exceptions=True)
    for failure in results:
        if isinstance(failure, BaseException):
            raise failure  # after the others were sent


async def _sent(notice: Any) -> None:
    await notice


def _is_published(ds: str) -> bool:
    from pipeline.storage.reading import published

    return ds in published(FEATURES, load_settings())


def _of(found: Any, name: str) -> object:
    """An attribute, or an entry: the context of a deadline is plain JSON."""
    return found.get(name) if isinstance(found, dict) else getattr(found, name, None)


def _escaped(template: str) -> str:
    """The template with every value escaped for HTML; Airflow renders mail without that."""
    return template.replace("{{ ", "{{ (").replace(" }}", ") | e }}")
