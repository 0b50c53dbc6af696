"""The signature that MLflow shows beside a model."""

from pathlib import Path

import pyarrow as pa

from training.registry.signature import describe, schema_of


def test_arrow_types_have_their_counterparts() -> None:
    nested = pa.list_(pa.struct([("at", pa.timestamp("us", tz="UTC")), ("n", pa.int32())]))
    schema = pa.schema([pa.field("who", pa.string(), nullable=False), pa.field("what", nested)])
    found = schema_of(schema).to_dict()
    assert found[0] == {"name": "who", "type": "string", "required": True}
    inner = found[1]["items"]["properties"]
    assert {name: kind["type"] for name, kind in inner.items()} == {
        "at": "datetime",
        "n": "integer",
    }


def test_the_folder_tells_what_goes_in_and_out_and_holds_no_code(tmp_path: Path) -> None:
    from mlflow.models import Model

    describe(tmp_path, "some run")
    model = Model.load(str(tmp_path))
    assert model.signature is not None
    assert model.signature.inputs.input_names() == ["user_id", "platforms", "events", "daily"]
    assert {"next_items", "p_purchase_28d"} <= set(model.signature.outputs.input_names())
    assert model.flavors == {}
