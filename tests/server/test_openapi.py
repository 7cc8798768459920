"""What ``/openapi.json`` says is true, whole, and what the server does."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlsplit

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from starlette.applications import Starlette
from starlette.routing import Route

from reviewbot import __version__
from reviewbot.config.load import read_settings
from reviewbot.core.events.events import Event
from reviewbot.jobs.options import BODY_ONLY, options_schema
from reviewbot.jobs.service import ReviewService, ServiceConfig
from reviewbot.server.app import ServerConfig, make_app
from reviewbot.server.http.guard import Guard
from reviewbot.server.openapi import openapi_document, openapi_json
from reviewbot.store import keys
from reviewbot.store.database import open_database
from reviewbot.store.keys import Limits
from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.server import connected
from tests.server.described import document, operations, resolved
from tests.server.nodes import (
    APART,
    DEMO,
    ROOT,
    Node,
    follow,
    get,
    long_diff,
    node,
    parsed,
    post,
)
from tests.support.examples import PROFILE
from tests.support.store_keys import CIPHER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHOLE = "urn:reviewbot:openapi"


def pointer(*steps: str | int) -> str:
    """A JSON pointer into the document (RFC 6901)."""
    return "/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def validator(at: str) -> Draft202012Validator:
    """For the schema at a JSON pointer of the document."""
    registry: Registry[Any] = Registry().with_resource(
        WHOLE, Resource.from_contents(document(), default_specification=DRAFT202012)
    )
    return Draft202012Validator(
        {"$ref": f"{WHOLE}#{at}"},
        registry=registry,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


# --- The document itself


@pytest.mark.parametrize("need_key", [False, True])
def test_it_is_valid_openapi_3_1(need_key: bool) -> None:
    found = json.loads(openapi_json(need_key=need_key))
    assert found["openapi"].startswith("3.1.")
    assert found["info"]["version"] == __version__
    assert not [error.message for error in OpenAPIV31SpecValidator(found).iter_errors()]


def test_it_holds_nothing_that_yaml_reads_another_way() -> None:
    text = (ROOT / "reviewbot" / "schemas" / "openapi.yaml").read_text("utf-8")
    for event in yaml.parse(text):
        if isinstance(event, yaml.ScalarEvent) and event.style is None:
            assert event.value.lower() not in ("on", "off", "yes", "no", "y", "n"), event.start_mark


def references(value: object) -> Iterator[str]:
    """Every reference, in an example or not."""
    match value:
        case dict():
            for key, item in value.items():
                if key == "$ref" or (key == "mapping" and isinstance(item, dict)):
                    yield from (item,) if isinstance(item, str) else item.values()
                yield from references(item)
        case list():
            for item in value:
                yield from references(item)


def test_every_part_is_referred_to_and_every_reference_leads_to_one() -> None:
    components = document()["components"]
    there = {
        f"#/components/{kind}/{name}"
        for kind, parts in components.items()
        if kind != "securitySchemes"
        for name in parts
    }
    assert set(references(document())) == there


def app_of(folder: Path) -> Starlette:
    """The application inside of what wraps it."""
    service = ReviewService(
        ServiceConfig(f"sqlite:///{folder / 'reviewbot.db'}", CIPHER),
        lambda _: read_settings({}, cwd=folder),
    )
    service.database.engine.dispose()  # it is never started, and so never ended
    app: Any = make_app(service, ServerConfig(need_key=False, guard=Guard(loopback=True)))
    while not isinstance(app, Starlette):
        app = app._app
    return app


def test_every_route_is_described_and_no_other(tmp_path: Path) -> None:
    routes = [route for route in app_of(tmp_path).routes if isinstance(route, Route)]
    assert len(routes) == len(app_of(tmp_path).routes)
    there = {
        f"{method} {route.path.replace('{path:path}', '')}"
        for route in routes
        for method in (route.methods or ())
        if method != "HEAD"  # RFC 9110, section 9.3.2: as GET
    }
    assert there == set(operations())


def test_it_has_every_call_and_every_status_that_the_documentation_names() -> None:
    text = (ROOT / "docs" / "http-api.md").read_text("utf-8")
    calls, errors = text.split("\n## ", 1)[0], text.split("## Errors")[1]
    named = set(re.findall(r"`(GET|POST|DELETE) (/[^`]*)`", calls))
    assert named
    assert {f"{method} {path}" for method, path in named} <= set(operations())
    rows = re.findall(r"^\| ([\d, ]+) \|", errors, re.MULTILINE)
    statuses = {status for row in rows for status in row.split(", ")}
    assert len(statuses) > 10
    declared = {status for operation in operations().values() for status in operation["responses"]}
    assert statuses <= declared


def test_each_operation_has_a_name_of_its_own_a_tag_and_words() -> None:
    found = operations().values()
    assert len({operation["operationId"] for operation in found}) == len(found)
    tags = {tag["name"] for tag in document()["tags"]}
    for operation in found:
        assert set(operation["tags"]) <= tags
        assert operation["summary"]
        assert operation["description"]
        for parameter in map(resolved, operation.get("parameters", ())):
            assert parameter["description"]


def test_each_error_is_a_problem() -> None:
    """RFC 9457; but for readiness, which monitoring reads."""
    for name, operation in operations().items():
        for status, response in operation["responses"].items():
            if status >= "400":
                kinds = set(resolved(response)["content"])
                assert kinds - ({"application/json"} if name == "GET /readyz" else set()) == {
                    "application/problem+json"
                }, (name, status)


@pytest.mark.parametrize("need_key", [False, True])
def test_it_says_whether_this_server_asks_for_a_key(need_key: bool) -> None:
    for path, item in openapi_document(need_key=need_key)["paths"].items():
        for method in {"get", "post", "delete"} & set(item):
            security = item[method]["security"]
            if not path.startswith("/v1/") and path != "/metrics":
                assert security == []
            else:
                assert security == ([{"key": []}] if need_key else [{}, {"key": []}])


def test_calls_that_need_a_key_document_the_wrong_scope() -> None:
    for name, operation in operations().items():
        described = resolved(operation["responses"]["403"])["description"]
        keyed = operation["security"] != []
        assert ("scope" in described) == keyed, name


# --- Options and events


def test_the_query_has_every_option_that_fits_into_one() -> None:
    options = set(options_schema()["properties"])
    parameters = map(resolved, operations()["POST /v1/reviews"]["parameters"])
    names = {one["name"] for one in parameters if one["in"] == "query"}
    assert names == (options - BODY_ONLY) | {"title", "description", "subject"}
    assert set(document()["components"]["schemas"]["Options"]["properties"]) == options


def test_every_type_of_event_is_in_it() -> None:
    types = {one.type for one in get_args(Event)}
    union = document()["components"]["schemas"]["Event"]
    assert set(union["discriminator"]["mapping"]) == types
    assert len(union["oneOf"]) == len(types)
    streamed = document()["components"]["schemas"]["StreamedEvent"]
    assert set(streamed["properties"]["event"]["enum"]) == types


STREAMS = sorted((ROOT / "fixtures" / "streams").glob("*.sse.txt"))


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.name)
def test_recorded_streams_are_as_it_describes_them(path: Path) -> None:
    of_one = validator(pointer("components", "schemas", "Event"))
    of_sent = validator(pointer("components", "schemas", "StreamedEvent"))
    found = parsed(path.read_text("utf-8"))
    assert found
    for one in found:
        assert not list(of_one.iter_errors(one))
        sent = {"event": one["type"], "id": str(one["seq"]), "data": json.dumps(one)}
        assert not list(of_sent.iter_errors(sent))


# --- Examples


def examples(value: object, *steps: str | int) -> Iterator[tuple[str, object]]:
    """Each example, with the place of the schema that it is for."""
    match value:
        case dict() if steps[:2] != ("components", "examples"):
            if isinstance(value.get("schema"), dict):
                at = pointer(*steps, "schema")
                if "example" in value:
                    yield at, value["example"]
                for one in value.get("examples", {}).values():
                    yield at, resolved(one)["value"]
            elif isinstance(value.get("examples"), list):
                yield from ((pointer(*steps), one) for one in value["examples"])
            for key, item in value.items():
                if key not in ("example", "examples"):
                    yield from examples(item, *steps, key)
        case list():
            for number, item in enumerate(value):
                yield from examples(item, *steps, number)


def test_every_example_is_valid() -> None:
    found = list(examples(document()))
    assert len(found) > 10
    for at, value in found:
        assert not [error.message for error in validator(at).iter_errors(value)], (at, value)


async def test_every_example_of_a_request_is_taken(server: Node) -> None:
    content = operations()["POST /v1/reviews"]["requestBody"]["content"]
    async with server.client() as client:
        for kind, media in content.items():
            for example in media["examples"].values():
                value = example["value"]
                body = value if isinstance(value, str) else json.dumps(value)
                answer = await client.post(
                    "/v1/reviews", content=body.encode(), headers={"Content-Type": kind}
                )
                assert answer.status_code == 201, answer.text


# --- What the server does


async def test_it_is_served_and_may_be_kept_for_a_while(tmp_path: Path) -> None:
    async with node(tmp_path) as one, one.client() as client:
        answer = await client.get("/openapi.json")
    assert answer.json() == document()
    assert "max-age" in answer.headers["cache-control"]


async def test_405_names_every_method_that_a_path_takes(server: Node) -> None:
    """RFC 9110, section 15.5.6."""
    async with server.client() as client:
        for path, item in document()["paths"].items():
            answer = await client.request("PUT", path.replace("{id}", "0" * 32))
            assert answer.status_code == 405
            told = set(answer.headers["allow"].split(", ")) - {"HEAD"}
            assert told == {method.upper() for method in item} & {"GET", "POST", "DELETE"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "sent", [b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 600_000]
)
async def test_what_is_no_request_is_answered_with_a_problem(tmp_path: Path, sent: bytes) -> None:
    async with node(tmp_path) as one, connected(urlsplit(one.url).port or 0) as client:
        await client.send(sent)
        answer = await client.answer()
        assert answer.status == answer.json()["status"] == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert await client.ended()


async def test_options_of_the_query_go_before_those_of_the_body(server: Node) -> None:
    body = {"diff": DEMO.decode(), "title": "body", "options": {"exclude": ["docs/"]}}
    async with server.client() as client:
        answer = await client.post("/v1/reviews?exclude=shop/&title=query", json=body)
        assert answer.status_code == 201
        found = answer.json()
        await follow(server, found["id"])
        reasons = {
            file["path"]: file["status"] for file in (await get(server, found["id"]))["coverage"]
        }
        assert found["title"] == "query"
        assert reasons["shop/orders.py"] == "skipped"
        for wrong in ({"title": "x" * 501}, {"options": {"exclude": 3}}):
            answer = await client.post("/v1/reviews?exclude=shop/&title=query", json=body | wrong)
            assert answer.status_code == 400


async def test_a_number_that_is_none_is_refused_wherever_it_stands(server: Node) -> None:
    async with server.client() as client:
        review_id = await post(server)
        path = f"/v1/reviews/{review_id}/events"
        for headers, query in (
            ({"Last-Event-ID": ""}, ""),
            ({}, "?after="),
            ({"Last-Event-ID": "1"}, "?after=x"),
        ):
            answer = await client.get(path + query, headers=headers)
            assert answer.status_code == 400, (headers, query)
        for body in (
            b'{"diff": "", "options": {"confidence": NaN}}',
            b'{"diff": "", "x": Infinity}',
        ):
            answer = await client.post(
                "/v1/reviews", content=body, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == 400
            assert "not JSON" in answer.json()["detail"]


@pytest.mark.slow
async def test_a_path_that_is_not_utf_8_leaves_the_review_readable(tmp_path: Path) -> None:
    """RFC 8259, section 8.1: JSON is UTF-8."""
    diff = b'--- "a/a\\377.py"\n+++ "b/a\\377.py"\n@@ -1,1 +1,1 @@\n-a\n+eval(x)\n'
    async with node(tmp_path) as one:
        review_id = await post(one, diff)
        await follow(one, review_id)
        found = await get(one, review_id)
    assert [file["path"] for file in found["coverage"]] == ["a\N{REPLACEMENT CHARACTER}.py"]
    assert found["findings"][0]["path"] == "a\N{REPLACEMENT CHARACTER}.py"


@pytest.mark.slow
async def test_a_cancelled_review_ends_and_stays_as_it_ended(tmp_path: Path) -> None:
    """In place of schemathesis's use_after_free: see schemathesis.toml."""
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
        one.client() as client,
    ):
        review_id = await post(one, long_diff(1))
        for _ in range(2):
            assert (await client.delete(f"/v1/reviews/{review_id}")).status_code == 204
            await follow(one, review_id)
            found = await get(one, review_id)
            assert (found["state"], found["outcome"]) == ("finished", "cancelled")
        assert (await client.get(f"/v1/reviews/{review_id}/sarif")).status_code == 200


@pytest.mark.slow
async def test_many_reviews_cancelled_as_they_start_all_end(server: Node) -> None:
    """Whoever takes a review over from its run on the same node ends it, without a fault."""
    async with server.client() as client:

        async def start_and_cancel(number: int) -> str:
            review_id = await post(server, DEMO, title=str(number))
            await asyncio.sleep(number / 1000)
            assert (await client.delete(f"/v1/reviews/{review_id}")).status_code == 204
            return review_id

        for review_id in await asyncio.gather(*map(start_and_cancel, range(40))):
            assert (await follow(server, review_id))[-1]["type"] == "review.finished"


EXAMPLES = 25 if PROFILE == "nightly" else 6


@pytest.mark.parametrize(
    ("count", "need_key"),
    [
        (1, False),
        pytest.param(EXAMPLES, True, marks=pytest.mark.slow),
        *([pytest.param(EXAMPLES, False, marks=pytest.mark.slow)] if PROFILE == "nightly" else []),
    ],
)
async def test_schemathesis_finds_nothing(tmp_path: Path, count: int, need_key: bool) -> None:
    """All of its checks but those that ``schemathesis.toml`` gives a reason against."""
    database = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}")
    with database.engine.begin() as connection:
        _, secret = keys.add(connection, "schemathesis", Limits())
    database.engine.dispose()
    arguments = ("--require-keys",) if need_key else ()
    headers = ("--header", f"Authorization: Bearer {secret}") if need_key else ()
    async with node(tmp_path, *arguments) as one:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{one.url}/openapi.json", *headers),
            *("--max-examples", str(count)),
            *(() if count > 1 else ("--phases", "fuzzing")),
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
    lines = [line[:300] for line in out.decode().splitlines() if line.strip()]
    report = "\n".join(lines)
    assert process.returncode == 0, report
    total = len(operations()) - 1  # it leaves out where the document came from
    assert f"Operations:       {total} selected / {total} total" in report
    assert "incident" not in one.log
