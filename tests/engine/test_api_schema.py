"""The OpenAPI schema against the running console: schemathesis sends what it allows, and what it does not.

Every answer must be one that the schema documents (status, type, headers, body), what fits the schema must not
be refused for its form, what does not fit must be, and nothing may be a 500. Seeded, so a failure comes again.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.specs.openapi.checks import positive_data_acceptance

from console.api.schema import document
from tests.console import Console
from tests.fake_agent import FakeAgent, frame
from tests.unit.records import IMAGE_ID, container

pytest_plugins = ("tests.console_fixture",)
pytestmark = pytest.mark.timeout(300)

# Fields of these must also fit together (a gateway needs a subnet), which no schema of single fields says.
FIT_TOGETHER = ("create_container", "create_network", "ask", "get_container_logs")
KEY = re.compile(r"[!-~]{1,100}")
EXAMPLES = 4  # of each operation, besides those that cover each keyword of the schema

# A NUL in a text is refused everywhere, which JSON Schema could only say with a pattern on each.
config = schemathesis.Config.from_dict(
    {
        "generation": {"allow-x00": False},
        "checks": {"negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 405, 409, 413, 415, 422]}},
    }
)
schema = schemathesis.openapi.from_dict(document(), config=config)


NONE = {"count": 0, "active": 0, "size_bytes": 0, "reclaimable_bytes": 0}
DOCUMENTS = {
    **{f"{kind}.inspect": b"{}" for kind in ("container", "image", "network", "volume")},
    "container.top": b'{"titles": ["PID"], "processes": [["1"]]}',
    "container.changes": b'{"changes": [{"path": "/made", "change": "added"}]}',
    "image.history": b'{"layers": [{"created_by": "COPY . .", "size_bytes": 3}]}',
    "host.disk_usage": json.dumps(dict.fromkeys(("images", "containers", "volumes", "build_cache"), NONE)).encode(),
}


@pytest.fixture(scope="module")
def agent(console: Console) -> Iterator[FakeAgent]:
    """It keeps the host online, and everything that is asked of it succeeds at once."""
    _, _, token = console.ask("POST", "/join-tokens")
    made = FakeAgent(console.url, token["secret"], name="prod-01")
    made.add("container", *(container(n) for n in range(3)))
    made.add("image", {"id": IMAGE_ID, "tags": ["acme/shop:1"]})
    made.add("network", {"id": "n" * 25, "name": "front"})
    made.add("volume", {"id": "data"})
    made.log = lambda opened: [DOCUMENTS.get(opened.kind, frame("a line\n"))]
    with made:
        yield made


@pytest.fixture(scope="module")
def ids(console: Console, agent: FakeAgent) -> dict[str, Any]:
    """An id that is there, for each kind of address."""
    found = {}
    for plural in ("hosts", "containers", "images", "networks", "volumes"):
        while not (results := console.ask("GET", f"/{plural}")[2]["results"]):
            pass
        found[plural] = results[0]["id"]
    found["operations"] = console.ask("POST", f"/containers/{found['containers']}/start?wait=10")[2]["id"]
    return found


def test_the_schema_is_served(console: Console) -> None:
    served = console.ask("GET", "/schema")[2]
    here = document()
    for one in (served, here):
        del one["components"]["securitySchemes"]["session"]["name"]  # the cookie's, which has the port in it
    assert served == here


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_the_console_answers_as_the_schema_says(case: Any, console: Console, ids: dict[str, Any]) -> None:
    aim(case, ids)
    excluded = [positive_data_acceptance] if case.operation.definition.raw["operationId"] in FIT_TOGETHER else []
    headers = {"Authorization": f"Bearer {console.token}"}
    case.call_and_validate(base_url=console.url, headers=headers, timeout=30, excluded_checks=excluded)


def aim(case: Any, ids: dict[str, Any]) -> None:
    """Half of the valid ids become ones that are there, and so does the host: else most answers would be 404."""
    pk = case.path_parameters.get("id")
    domain = case.operation.path.split("/")[3]
    if domain == "tokens" and str(pk) == "1":  # the one that the test itself has
        case.path_parameters["id"] = 2
    removes = case.operation.path.endswith("{id}") and case.method == "DELETE" and domain == "hosts"
    if isinstance(case.body, dict) and isinstance(case.body.get("host"), str) and case.body["host"]:
        case.body["host"] = ids["hosts"]
    if case.headers and KEY.fullmatch(str(case.headers.get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex  # a second use is refused, and rightly
    if domain in ids and not removes and _is_uuid(pk) and uuid.UUID(pk).int % 2:
        case.path_parameters["id"] = ids[domain]


def _is_uuid(text: object) -> bool:
    try:
        return str(uuid.UUID(str(text))) == text
    except ValueError:
        return False
