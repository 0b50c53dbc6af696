"""Feast's online features, read from Tidemark's own online store: there is one copy online."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from feast.entity import Entity
from feast.feature_view import FeatureView
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from feast.type_map import python_values_to_proto_values
from feast.value_type import ValueType

from pipeline.features import online
from pipeline.features.feast.fields import Feature, features_of
from pipeline.features.feast.offline_store import LOADED, settings_of
from pipeline.features.point_in_time import day_end
from pipeline.runtime.errors import UsageError
from pipeline.tables.registry import USER_FEATURES

FEATURES = features_of(USER_FEATURES)
Row = tuple[datetime | None, dict[str, Value] | None]


class TidemarkOnlineStoreConfig(FeastConfigBaseModel):
    """The home whose settings name the store (TIDEMARK_ONLINE_URI)."""

    type: Literal["pipeline.features.feast.online_store.TidemarkOnlineStore"]
    home: str


class TidemarkOnlineStore(OnlineStore):
    """Read-only: what serves is loaded, switched and erased by Tidemark."""

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Row]:
        """Per key the end of the feature day and the values; (None, None) for an unknown user."""
        users = [key.entity_values[0].string_val for key in entity_keys]
        store, zone = opened(config.online_store.home)
        kinds = {field.name: field.dtype.to_value_type() for field in table.features}
        asked = set(requested_features or kinds)
        wanted = {it: kinds[it.name] for it in FEATURES if it.name in asked}
        return [_row(row, wanted, zone) for row in store.get(users)]

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[tuple[EntityKey, dict[str, Value], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        raise UsageError(LOADED)

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Nothing to do: definitions change no data."""

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Nothing to do: the store is not Feast's."""


@lru_cache(maxsize=8)
def opened(home: str) -> tuple[online.OnlineStore, str]:
    """One store, and its connections, per home; and the zone in which its days end."""
    settings = settings_of(home)
    return online.open_store(settings), settings.business_tz


def _row(row: dict[str, Any] | None, wanted: dict[Feature, ValueType], zone: str) -> Row:
    if row is None:
        return None, None
    values = {
        feature.name: python_values_to_proto_values([feature.of_row(row)], kind)[0] for feature, kind in wanted.items()
    }
    return datetime.fromtimestamp(day_end(row["ds"], [zone]) / 1e6, UTC), values
