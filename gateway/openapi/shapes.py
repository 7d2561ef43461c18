"""From pydantic models to the schemas of the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

REFERENCE = "#/components/schemas/{model}"
Schema = dict[str, Any]


class Answer(BaseModel):
    """What is written below a field of these describes it in the document."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Untitled(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes up of names: `Top P` says no more than `top_p`."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> Schema:
        found = super().model_schema(schema)
        found.pop("title", None)
        return found

    def enum_schema(self, schema: core_schema.EnumSchema) -> Schema:
        found = super().enum_schema(schema)
        found.pop("title", None)
        return found


def schemas_of(models: list[type[BaseModel]], mode: JsonSchemaMode) -> dict[str, Schema]:
    """The schemas of these and of everything that is in them, by name."""
    _, found = models_json_schema(
        [(model, mode) for model in models], ref_template=REFERENCE, schema_generator=Untitled
    )
    defined: Mapping[str, Schema] = found["$defs"]
    return {name: _without_null_defaults(schema) for name, schema in defined.items()}


def ref(shape: type[BaseModel] | str) -> Schema:
    """A reference to the schema of that name."""
    return {"$ref": REFERENCE.format(model=shape if isinstance(shape, str) else shape.__name__)}


def lifted(schema: Schema) -> tuple[str, dict[str, Schema]]:
    """A schema as pydantic writes it by itself, for `components.schemas`: its name, and it with all that is in it."""
    name, defined = str(schema["title"]), schema.get("$defs", {})
    found = {name: {key: value for key, value in schema.items() if key != "$defs"}, **defined}
    return name, {one: _without_null_defaults(_moved(inner)) for one, inner in found.items()}


def _moved(schema: Any) -> Any:
    """Without titles, and with references to where it will stand."""
    if isinstance(schema, list):
        return [_moved(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            found[key] = {name: _moved(one) for name, one in value.items()}  # one of them may be called title
        elif key == "$ref":
            found[key] = REFERENCE.format(model=value.removeprefix("#/$defs/"))
        elif key != "title":
            found[key] = _moved(value)
    return found


def _without_null_defaults(schema: Schema) -> Schema:
    """That a field may be left out is said by `required`; that null stands for it, by its type."""
    properties = {
        name: {key: value for key, value in one.items() if (key, value) != ("default", None)}
        for name, one in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties} if properties else schema
