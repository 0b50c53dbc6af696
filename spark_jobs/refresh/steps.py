"""The steps of a refresh: what it reads, the night's transforms over it, what it stages."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.intraday.base import Base
from pipeline.intraday.hour import day_of
from pipeline.intraday.taken import Plan, as_facts, told_of
from pipeline.runtime.days import shift
from pipeline.tables.interests import ITEM_TOPICS, REVIEW_SENTIMENTS, USER_INTERESTS, USER_SIGNALS
from pipeline.tables.intraday import USER_HISTORY_INTRADAY
from pipeline.tables.registry import ITEMS, RAW_EVENTS, USER_HISTORY
from pipeline.tables.schema import Table
from spark_jobs.behaviour.signals import signals
from spark_jobs.engine.job import SparkJob
from spark_jobs.engine.persons import joined_accounts, with_users
from spark_jobs.events.clean import judge, keep_events, lookback_days, placed
from spark_jobs.interests.profile import user_interests
from spark_jobs.landing.ingest import ingest
from spark_jobs.landing.inspect import Landed, check_unchanged
from spark_jobs.refresh.touched import everyone, expected_rows, hold, of_users, tally, touched_users
from spark_jobs.states.history import accumulate
from spark_jobs.states.known import known_day


@dataclass(frozen=True)
class Refresh:
    """One refresh. The days of `job` are the open ones, of which `landed` are the files."""

    job: SparkJob
    base: Base
    hour: str
    landed: Landed
    plan: Plan
    began_at: datetime

    @property
    def day(self) -> str:
        return day_of(self.hour)

    def stage_histories(self) -> int:
        """Stages `user_history_intraday`; returns the number of users whose rows are new."""
        try:
            return self._stage_histories()
        except Exception:
            self._check_unchanged()  # names the file when that is why it could not be read
            raise

    def stage_profiles(self, users: int) -> None:
        """Stages interests and signals of the `users` whose rows are new."""
        today = self.job.read_staged(USER_HISTORY_INTRADAY, self.day)
        mine = today.where(F.col("hour") == self.hour)
        if not users:
            for table in (USER_INTERESTS, USER_SIGNALS):
                self.job.stage(table, self.job.no_rows(table), [self.day])
            return
        all_users = everyone(self._of_base(USER_HISTORY), today, self.day, self.job.settings.active_days)
        topics = self._of_base(ITEM_TOPICS).select("item_id", "topic_id").toArrow()
        interests = user_interests(mine, topics, self.day, all_users)
        self.job.stage(USER_INTERESTS, interests, [self.day])
        known = self._of_base(ITEMS), topics, self._of_base(REVIEW_SENTIMENTS)
        self.job.stage(USER_SIGNALS, signals(mine, *known, self.day, all_users), [self.day])

    def _stage_histories(self) -> int:
        job, settings = self.job, self.job.settings
        settled, unsettled = self._earlier_rows()
        persons = joined_accounts(job, self.base.ds)  # whoever joins today does so with the night
        raw = hold(with_users(self._ingested(unsettled), persons), self.plan.names)
        touched = touched_users(raw, self.plan.names, unsettled).persist()
        own = of_users(raw, touched)
        verdicts = self._judge(own, touched, persons).persist()
        events = with_users(keep_events(own, verdicts), persons).where(known_day() <= self.day)
        past = of_users(self._of_base(USER_HISTORY), touched)
        new = accumulate(past, events, [self.day], settings.active_days, settings.history_events).frame()
        others = settled.join(touched, "user_id", "left_anti")
        users, stay = expected_rows(past, events, others, self.day, settings.active_days)
        facts = {
            "rows": {self.day: users + stay},
            "refresh": self._facts(raw, verdicts, users),
            "began_at": self.began_at.isoformat(),
        }
        rows = new.withColumn("hour", F.lit(self.hour)).unionByName(others)
        job.stage(USER_HISTORY_INTRADAY, rows, [self.day], facts, self._check_unchanged)
        for frame in (raw, touched, verdicts):
            frame.unpersist()
        return users

    def _earlier_rows(self) -> tuple[DataFrame, DataFrame]:
        """Rows of earlier refreshes: those that stay, those that are made again."""
        if not self.plan.continues:
            nothing = self.job.no_rows(USER_HISTORY_INTRADAY)
            return nothing, nothing
        rows = self.job.read_range(USER_HISTORY_INTRADAY, self.day, self.day)
        stays = F.col("hour").isin(sorted(self.plan.settled))
        return rows.where(stays), rows.where(~stays)

    def _ingested(self, unsettled: DataFrame) -> DataFrame:
        """Everything that has landed since the base, unless nobody is touched."""
        if not self.plan.files and unsettled.isEmpty():
            return self.job.no_rows(RAW_EVENTS)
        return ingest(self.job.spark, self.landed, self.job.settings).frame()

    def _judge(self, own: DataFrame, touched: DataFrame, persons: pl.DataFrame) -> DataFrame:
        """Verdicts on the touched users' rows, judged together with what landed of them before."""
        job, settings = self.job, self.job.settings
        earliest = shift(job.first, -lookback_days(settings))
        before = with_users(placed(job.read_range(RAW_EVENTS, earliest, self.base.ds)), persons)
        rows = of_users(before, touched).unionByName(own)
        return judge(rows, job.days, settings, [source for source, _ in self.landed])

    def _facts(self, raw: DataFrame, verdicts: DataFrame, users: int) -> dict[str, object]:
        """What `intraday_refreshes` will say, as far as it is known now."""
        told = told_of(self.plan, self.base, self.day, self.hour, self.job.run)
        records = int(str(told["records"]))
        counts = tally(raw, verdicts, self.plan.names, records)
        return as_facts({**told, **counts, "users": users})

    def _of_base(self, table: Table) -> DataFrame:
        return self.job.read_range(table, self.base.ds, self.base.ds)

    def _check_unchanged(self) -> None:
        check_unchanged(self.landed)
