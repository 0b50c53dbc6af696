"""Feast's history, read from the published table by `features.as_of`."""

from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
from feast.data_source import DataSource
from feast.feature_view import FeatureView
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
from feast.infra.offline_stores.offline_utils import infer_event_timestamp_from_entity_df
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import FeastConfigBaseModel, RepoConfig

from pipeline.features.as_of_join import as_of
from pipeline.features.feast.fields import Feature, features_of
from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.tables.registry import USER_FEATURES

Known = Literal["day", "publication"]
LOADED = (
    "feast: expected no materialization, the online store is loaded by the night from the "
    "published table (`python -m pipeline online load --ds D`)"
)


class TidemarkOfflineStoreConfig(FeastConfigBaseModel):
    """`known` is that of `features.as_of`; `home` the TIDEMARK_HOME that is read."""

    type: Literal["pipeline.features.feast.offline_store.TidemarkOfflineStore"]
    home: str
    known: Known = "day"


class TidemarkOfflineStore(OfflineStore):
    """Reads; `filter_by_created_timestamp` asks for what had been published by then."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        **asked: Any,
    ) -> RetrievalJob:
        """Lazy: reads when the job is asked for its rows."""
        if not isinstance(entity_df, pd.DataFrame):
            raise UsageError(
                f"entity_df: expected a pandas frame, found {type(entity_df).__name__}; for whole "
                "days read the table itself (docs/guides/read-features.md)"
            )
        [view] = feature_views
        by_publication = bool(asked.get("filter_by_created_timestamp"))
        return HistoryJob(config, view, feature_refs, entity_df, full_feature_names, by_publication)

    @staticmethod
    def pull_latest_from_table_or_query(*_: Any, **__: Any) -> RetrievalJob:
        raise UsageError(LOADED)

    @staticmethod
    def pull_all_from_table_or_query(*_: Any, **__: Any) -> RetrievalJob:
        raise UsageError(LOADED)

    def validate_data_source(self, config: RepoConfig, data_source: DataSource) -> None:
        """Nothing to check: reading a missing table raises its own error."""


class HistoryJob(RetrievalJob):
    """One `get_historical_features`."""

    def __init__(
        self,
        config: RepoConfig,
        view: FeatureView,
        feature_refs: list[str],
        entity_df: pd.DataFrame,
        full_feature_names: bool,
        by_publication: bool,
    ) -> None:
        self._offline, self._view, self._entity_df = config.offline_store, view, entity_df
        self._known: Known = "publication" if by_publication else self._offline.known
        self._full_feature_names = full_feature_names
        asked = {ref.split(":")[1] for ref in feature_refs}
        self._features = [it for it in features_of(USER_FEATURES) if it.name in asked]
        self._time = infer_event_timestamp_from_entity_df(dict(entity_df.dtypes))

    @property
    def full_feature_names(self) -> bool:
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        return []

    @property
    def metadata(self) -> RetrievalMetadata:
        times = self._entity_df[self._time]
        keys = [name for name in self._entity_df.columns if name != self._time]
        return RetrievalMetadata([it.name for it in self._features], keys, times.min(), times.max())

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        columns = list(dict.fromkeys(it.column.name for it in self._features))
        found = as_of(
            self._entity_df,
            columns,
            known=self._known,
            max_age=self._view.ttl or None,
            time=self._time,
            settings=settings_of(self._offline.home),
        )
        rows = found.select(list(self._entity_df.columns))
        for feature in self._features:
            rows = rows.append_column(self._name(feature), feature.of_table(found))
        return rows

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal(timeout).to_pandas()

    def _name(self, feature: Feature) -> str:
        prefix = f"{self._view.projection.name_to_use()}__" if self._full_feature_names else ""
        return prefix + feature.name


def settings_of(home: str) -> Settings:
    """The environment's settings, for the home that the repository belongs to."""
    return load_settings().model_copy(update={"home": Path(home)})
