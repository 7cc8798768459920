"""Writes ``openapi.json``: what GitHub's description says of the calls that the fake answers.

``python -m tests.fake_github.extract_openapi api.github.com.json``, where the file is
``package/generated/api.github.com.json`` of the npm package ``@octokit/openapi`` (MIT).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.fake_github import calls
from tests.fake_github.routing import ROUTES

NOTE = (
    "Excerpt of GitHub's REST API description as published in @octokit/openapi {version} (MIT "
    "License, see LICENSE.descriptions), without prose and examples: written by extract_openapi.py"
)
DROPPED = {
    *("description", "example", "examples", "title", "externalDocs", "deprecated", "format"),
    *("readOnly", "x-github", "x-github-breaking-changes", "default", "nullable"),
}


def converted(schema: Any) -> Any:
    """OpenAPI 3.0's dialect as JSON Schema, without prose."""
    if isinstance(schema, list):
        return [converted(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties") and isinstance(value, dict):
            result[key] = {name: converted(one) for name, one in value.items()}
        elif key == "$ref":
            result[key] = f"#/$defs/{value.rsplit('/', 1)[1]}"
        elif key not in DROPPED:
            result[key] = converted(value)
    if not schema.get("nullable"):
        return result
    if isinstance(result.get("type"), str) and "enum" not in result:
        return result | {"type": [result["type"], "null"]}
    return {"anyOf": [result, {"type": "null"}]}


class Excerpt:
    """Calls, and the named schemas that they lead to."""

    def __init__(self, whole: dict[str, Any]) -> None:
        self.whole = whole
        self.schemas: dict[str, Any] = {}

    def resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            _, kind, name = node["$ref"].removeprefix("#/").split("/")
            node = self.whole["components"][kind][name]
        return node

    def schema(self, node: dict[str, Any]) -> Any:
        found = converted(node)
        self._collect(found)
        return found

    def _collect(self, node: Any) -> None:
        if isinstance(node, list):
            for one in node:
                self._collect(one)
        elif isinstance(node, dict):
            if isinstance(ref := node.get("$ref"), str):
                name = ref.removeprefix("#/$defs/")
                if name not in self.schemas:
                    self.schemas[name] = None
                    self.schemas[name] = self.schema(self.whole["components"]["schemas"][name])
            for one in node.values():
                self._collect(one)

    def call(self, method: str, template: str) -> dict[str, Any]:
        operation = self.whole["paths"][template][method.lower()]
        parameters = [self.resolved(one) for one in operation.get("parameters", ())]
        found: dict[str, Any] = {
            "docs": operation["externalDocs"]["url"],
            "query": sorted(one["name"] for one in parameters if one["in"] == "query"),
        }
        if body := operation.get("requestBody"):
            found["body"] = self.schema(
                self.resolved(body)["content"]["application/json"]["schema"]
            )
        for status, answer in operation["responses"].items():
            content = self.resolved(answer).get("content", {}).get("application/json", {})
            if status.startswith("2") and "schema" in content:
                found[status] = self.schema(content["schema"])
        return found


def main(source: str) -> None:
    """Writes the excerpt beside this file."""
    calls.load()
    whole = json.loads(Path(source).read_text("utf-8"))
    excerpt = Excerpt(whole)
    documented = [one for one in ROUTES if one.template in whole["paths"]]
    found = {one.call: excerpt.call(one.method, one.template) for one in documented}
    lines = ['{"note": ' + json.dumps(NOTE.format(version=whole["info"]["version"])) + ","]
    for name, part in (("calls", found), ("schemas", excerpt.schemas)):
        rows = [
            f"{json.dumps(key)}:{json.dumps(part[key], separators=(',', ':'))}"
            for key in sorted(part)
        ]
        lines.append(
            f'"{name}": {{\n' + ",\n".join(rows) + "\n}" + ("," if name == "calls" else "")
        )
    text = "\n".join([*lines, "}\n"])
    Path(__file__).with_name("openapi.json").write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1])
