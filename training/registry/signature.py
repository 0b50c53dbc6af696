"""The model's signature, as MLflow shows it: from user_history to its part of user_features."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.tables.features import SCORED_USERS
from pipeline.tables.registry import USER_HISTORY

if TYPE_CHECKING:
    from mlflow.types.schema import Schema

ASKED = ("user_id", "platforms", "events", "daily")  # what scoring reads about a user


def describe(folder: Path, run_id: str) -> None:
    """Writes `MLmodel` into a model folder: the signature, without a flavour that would run code."""
    from mlflow.models import Model, ModelSignature

    given = pa.schema([USER_HISTORY.schema.field(name) for name in ASKED])
    signature = ModelSignature(schema_of(given), schema_of(SCORED_USERS.schema))
    Model(artifact_path="model", run_id=run_id, signature=signature).save(folder / "MLmodel")


def schema_of(schema: pa.Schema) -> "Schema":
    """An Arrow schema in MLflow's types."""
    from mlflow.types.schema import ColSpec, Schema

    return Schema([ColSpec(_type(field.type), field.name, required=not field.nullable) for field in schema])


def _type(arrow: pa.DataType) -> Any:
    from mlflow.types import DataType
    from mlflow.types.schema import Array, Object, Property

    if pa.types.is_list(arrow):
        return Array(_type(arrow.value_type))
    if pa.types.is_struct(arrow):
        fields = [arrow.field(number) for number in range(arrow.num_fields)]
        return Object([Property(f.name, _type(f.type), not f.nullable) for f in fields])
    simple = {
        pa.string(): DataType.string,
        pa.bool_(): DataType.boolean,
        pa.int32(): DataType.integer,
        pa.int64(): DataType.long,
        pa.float32(): DataType.float,
        pa.float64(): DataType.double,
    }
    return DataType.datetime if pa.types.is_timestamp(arrow) else simple[arrow]
