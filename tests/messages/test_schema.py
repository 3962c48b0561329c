"""What we write is valid by the schemas that the reference itself generated."""

import functools
import json
from typing import Any

import jsonschema
import pytest

from messages import content, events, items
from messages.codec import from_json, to_json
from messages.codec.assembly import the_codec
from messages.codec.fields import fields_of
from messages.events import EventMsg
from messages.items import ResponseItem
from messages.ops import Op
from messages.rollout import SessionMeta, TurnContextItem
from tests.interop.codex_binary import CODEX_VERSION
from tests.interop.schemas import schema_folder, why_no_schemas

from .golden_events import EVENTS
from .golden_items import ITEMS, RECORDS
from .golden_ops import OPS

SCHEMAS = schema_folder(CODEX_VERSION)

pytestmark = pytest.mark.skipif(SCHEMAS is None, reason=why_no_schemas())

# Definitions of objects without a tag, by their name in the schema.
PARTS: dict[str, type] = {
    "ByteRange": content.ByteRange,
    "CallToolResult": events.McpToolResult,
    "CreditsSnapshot": events.CreditsSnapshot,
    "CustomPrompt": events.CustomPrompt,
    "GhostCommit": items.GhostCommit,
    "HistoryEntry": events.HistoryEntry,
    "McpInvocation": events.McpInvocation,
    "McpStartupFailure": events.McpServerFailure,
    "PlanItemArg": events.PlanStep,
    "RateLimitSnapshot": events.RateLimitSnapshot,
    "RateLimitWindow": events.RateLimitWindow,
    "RemoteSkillSummary": events.RemoteSkill,
    "RequestUserInputQuestion": events.UserInputQuestion,
    "RequestUserInputQuestionOption": events.QuestionOption,
    "ReviewCodeLocation": events.CodeLocation,
    "ReviewFinding": events.ReviewFinding,
    "ReviewLineRange": events.LineRange,
    "ReviewOutputEvent": events.ReviewOutput,
    "SessionNetworkProxyRuntime": events.NetworkProxy,
    "SkillErrorInfo": events.SkillError,
    "SkillMetadata": events.SkillMetadata,
    "SkillsListEntry": events.SkillsListEntry,
    "TextElement": content.TextElement,
    "TokenUsage": events.TokenUsage,
    "TokenUsageInfo": events.TokenUsageInfo,
}


@functools.cache
def loaded(name: str) -> Any:
    assert SCHEMAS is not None
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


@functools.cache
def event_validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(loaded("EventMsg"))


@functools.cache
def validator(name: str) -> jsonschema.Draft7Validator:
    """For one definition of the whole protocol, with all others to refer to."""
    definitions = loaded("codex_app_server_protocol.schemas")["definitions"]
    schema = {"$ref": f"#/definitions/{name}", "definitions": definitions}
    return jsonschema.Draft7Validator(schema)


@pytest.mark.parametrize("raw", [raw for _, raw in EVENTS], ids=lambda raw: raw["type"])
def test_event_is_valid(raw: dict[str, Any]) -> None:
    """Clients of the reference can read every event that we write."""
    written: Any = to_json(from_json(raw, EventMsg))

    # The generated schema describes response items by a type that is never written.
    if raw["type"] != "raw_response_item":
        event_validator().validate(written)


@pytest.mark.parametrize("raw", [raw for _, raw in ITEMS], ids=lambda raw: raw["type"])
def test_response_item_is_valid(raw: dict[str, Any]) -> None:
    """Items are valid, but for what the generated schema gets wrong about its own program."""
    written: Any = to_json(from_json(raw, ResponseItem))

    if raw["type"] == "reasoning":
        written.setdefault("id", "")  # required by the schema, and never written
    if raw["type"] == "function_call_output":
        output = written["output"]  # {body, success} in the schema, the body alone on the wire
        validator("FunctionCallOutputBody").validate(output)
        written["output"] = {"body": output}
    validator("ResponseItem").validate(written)


def test_settings_are_valid() -> None:
    """Sources, modes, tools and decisions are valid where the protocol has them."""
    metas = [from_json(raw, SessionMeta) for cls, _, raw in RECORDS if cls is SessionMeta]
    contexts = [
        from_json(raw, TurnContextItem) for cls, _, raw in RECORDS if cls is TurnContextItem
    ]
    ops = [from_json(raw, Op) for _, raw in OPS]

    for meta in metas:
        validator("SessionSource").validate(to_json(meta.source))
        for tool in meta.dynamic_tools:
            validator("v2/DynamicToolSpec").validate(to_json(tool))
    for context in contexts:
        if context.collaboration_mode is not None:
            mode = to_json(context.collaboration_mode)
            validator("v2/CollaborationMode").validate(mode)
    for op in ops:
        if (decision := getattr(op, "decision", None)) is not None and "approval" in str(type(op)):
            validator("ReviewDecision").validate(to_json(decision))


def _tagged(schema: Any) -> dict[str, Any]:
    return {each["properties"]["type"]["enum"][0]: each for each in schema["oneOf"]}


def _assert_same_members(cls: type, schema: Any) -> None:
    """The class has the members of the schema, and no required one can be missing."""
    shape = the_codec().shape(cls)
    fields = {field.member: field for field in fields_of(cls, shape)}
    tag = {shape.tag_key} if shape.tag is not None else set()

    assert {*fields} | tag == {*schema.get("properties", {})}
    required = {name for name, field in fields.items() if field.default is None}
    assert required <= {*schema.get("required", ())}


@pytest.mark.parametrize(("cls", "raw"), EVENTS, ids=lambda each: getattr(each, "__name__", ""))
def test_event_has_the_members_of_the_schema(cls: type, raw: dict[str, Any]) -> None:
    """No member is missing and none is invented."""
    _assert_same_members(cls, _tagged(loaded("EventMsg"))[raw["type"]])


@pytest.mark.parametrize("name", PARTS)
def test_part_of_events_has_the_members_of_the_schema(name: str) -> None:
    """The same for what events are made of."""
    _assert_same_members(PARTS[name], loaded("EventMsg")["definitions"][name])


def test_every_event_of_the_schema_is_known() -> None:
    """The union has no gaps."""
    tags = _tagged(loaded("EventMsg"))

    assert {raw["type"] for _, raw in EVENTS} == {*tags}


def test_defaults_of_the_schema_are_ours() -> None:
    """A member that is missing means the same to both."""
    differing: list[tuple[str, object]] = []
    for cls, raw in EVENTS:
        schema = _tagged(loaded("EventMsg"))[raw["type"]]
        for field in fields_of(cls, the_codec().shape(cls)):
            given = schema["properties"][field.member]
            if isinstance(given, dict) and "default" in given and field.default is not None:
                ours = to_json(field.default())
                if ours != given["default"]:
                    differing.append((f"{cls.__name__}.{field.name}", ours))

    assert differing == []
