"""The OpenAPI document: each type of the catalogue has a schema that takes what the decoder takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from django.test import Client

from agents.catalogue import OPERATIONS, ContainerMount, CreateContainer, PublishedPort
from agents.shapes import Length, Misfit, Pattern, Range, decode
from console.api.schema import document
from console.api.shapes import object_schema, schema_of


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_entry_of_the_catalogue_is_an_action_with_its_own_body() -> None:
    names = {operation["operationId"]: operation for _, _, operation in operations()}
    for kind in OPERATIONS.values():
        domain, _, word = kind.name.partition(".")
        operation = names[f"{word}_{domain}"]
        assert operation["summary"] == kind.summary
        assert kind.needs.value in operation["description"]
        assert {"200", "202", "401", "403", "409", "422"} <= operation["responses"].keys()


def test_names_are_used_once_and_every_parameter_is_described() -> None:
    found = list(operations())
    names = [operation["operationId"] for _, _, operation in found]
    assert len(names) == len(set(names))
    for path, method, operation in found:
        assert not path.endswith("/")
        for parameter in operation["parameters"]:
            if parameter["name"] != "id" and method != "delete":
                assert parameter.get("description"), (path, parameter)


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(document())
    components = document()["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) == components.keys()


def test_every_answer_and_problem_has_its_type() -> None:
    for path, method, operation in operations():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], (path, method, status)
            elif status != "204":
                assert response["content"], (path, method, status)


def test_the_comment_of_a_field_is_its_description() -> None:
    properties = object_schema(PublishedPort)["properties"]
    assert properties["host_port"]["description"] == "None: the engine chooses a free one"


@pytest.mark.parametrize(
    ("shape", "schema"),
    [
        (str, {"type": "string"}),
        (int | None, {"type": ["integer", "null"], "format": "int64"}),
        (list[bool], {"type": "array", "items": {"type": "boolean"}}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Annotated[int, Range(1, 5)], {"type": "integer", "format": "int64", "minimum": 1, "maximum": 5}),
        (Annotated[str, Length(1, 5)], {"type": "string", "minLength": 1, "maxLength": 5}),
        (
            Annotated[list[str], Length(0, 5)],
            {"type": "array", "items": {"type": "string"}, "minItems": 0, "maxItems": 5},
        ),
        (Annotated[str, Pattern("a|b", "must be a or b")], {"type": "string", "pattern": "^(?:a|b)$"}),
    ],
)
def test_a_type_has_its_schema(shape: Any, schema: dict[str, Any]) -> None:
    assert schema_of(shape) == schema


@pytest.mark.parametrize(
    "value",
    [
        {"image": "nginx"},
        {"image": "nginx", "ports": [{"container_port": 80, "host_port": None}], "memory_bytes": 1024.0},
        {"image": "nginx", "command": None, "cpus": 0.5, "restart_policy": {"name": "always"}},
        {"image": ""},
        {"image": "a b"},
        {"image": "nginx", "name": "x"},
        {"image": "nginx", "ports": [{"container_port": 65536}]},
        {"image": "nginx", "ports": {}},
        {"image": "nginx", "cpus": "1"},
        {"image": "nginx", "memory_bytes": 0.5},
        {"image": "nginx", "tty": 1},
        {"image": "nginx", "labels": {"a": None}},
        {"image": "nginx", "colour": "red"},
        {"image": "nginx", "mounts": [{"target": "data"}]},
        {},
    ],
)
def test_schema_and_decoder_agree(value: dict[str, Any]) -> None:
    try:
        jsonschema.validate(value, schema_of(CreateContainer), jsonschema.Draft202012Validator)
        fits = True
    except jsonschema.ValidationError:
        fits = False
    if fits:
        assert decode(CreateContainer, value, strict=True).image == value["image"]
    else:
        with pytest.raises(Misfit):
            decode(CreateContainer, value, strict=True)


def test_a_type_without_a_schema_is_an_error_at_once() -> None:
    with pytest.raises(TypeError):
        schema_of(set[str])


def test_nested_dataclasses_are_components() -> None:
    entered: dict[str, Any] = {}

    def refer(name: str, schema: dict[str, Any]) -> dict[str, Any]:
        entered[name] = schema
        return {"$ref": name}

    assert schema_of(list[ContainerMount], refer) == {"type": "array", "items": {"$ref": "ContainerMount"}}
    assert entered["ContainerMount"]["required"] == ["target"]


@pytest.mark.django_db
def test_the_browsable_page_is_for_who_signed_in_and_has_nothing_inline(
    settings: Any, django_user_model: Any
) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    client = Client()
    assert client.get("/api/v1/docs")["Location"].startswith("/login")
    client.force_login(django_user_model.objects.create_user("mira"))
    response = client.get("/api/v1/docs")
    page = response.content.decode()
    assert 'data-schema="/api/v1/schema"' in page
    assert "style=" not in page
    assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == ["", ""]
    assert "script-src 'self'" in response["Content-Security-Policy"]
