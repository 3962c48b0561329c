"""What we write is valid by the schemas of both generations of clients."""

import functools
import json
from typing import Any

import jsonschema
import pytest

from messages.codec import to_json
from messages.codec.assembly import the_codec
from messages.codec.fields import fields_of
from messages.rpc import envelope
from messages.rpc.approvals import AcceptWithExecpolicyAmendment
from messages.rpc.notifications import METHOD
from messages.rpc.requests import CLIENT_REQUESTS, SERVER_REQUESTS
from messages.rpc.settings import DynamicToolSpec
from messages.rpc.thread_pages import ThreadItemsListAnchor
from messages.rpc.value import RpcParams
from messages.settings import AskForApproval
from tests.interop.codex_binary import CODEX_VERSION
from tests.interop.schemas import BUNDLE, NEWEST_VERSION, schema_folder, why_no_schemas

from .every_form import every_form
from .rpc_classes import RPC_CLASSES

OLD, NEW = CODEX_VERSION, NEWEST_VERSION
SCHEMAS = {generation: schema_folder(generation) for generation in (OLD, NEW)}

pytestmark = pytest.mark.skipif(None in SCHEMAS.values(), reason=why_no_schemas())

# Parts that the schemas do not name; they are checked as parts of others.
NAMELESS = {AcceptWithExecpolicyAmendment, DynamicToolSpec, ThreadItemsListAnchor}
ENVELOPES = {getattr(envelope, name) for name in envelope.__all__ if name[1].islower()}
# What only Treadle's own clients say and hear.
OURS_ALONE = {"messages.rpc.pool", "messages.rpc.treadle"}
KNOWN_CLASSES = [cls for cls in RPC_CLASSES if cls.__module__ not in OURS_ALONE]
SAID = [
    cls
    for cls in KNOWN_CLASSES
    if not issubclass(cls, RpcParams) and cls not in NAMELESS | ENVELOPES
]
ASKED = [cls for cls in KNOWN_CLASSES if issubclass(cls, RpcParams) and cls not in NAMELESS]

# A member that we need and a newer client may leave out, for one that we have not.
STRICTER = {("ImageUserInput", "url")}

# Of the first version of the protocol, or only of use in the cloud of the reference.
NOT_SERVED = {
    "addConversationListener", "archiveConversation", "cancelLoginChatGpt", "execOneOffCommand",
    "forkConversation", "getAuthStatus", "getConversationSummary", "getUserAgent",
    "getUserSavedConfig", "gitDiffToRemote", "interruptConversation", "listConversations",
    "loginApiKey", "loginChatGpt", "logoutChatGpt", "newConversation",
    "removeConversationListener", "resumeConversation", "sendUserMessage", "sendUserTurn",
    "setDefaultModel", "skills/remote/export", "skills/remote/list", "userInfo",
}  # fmt: skip
NOT_SAID = {"authStatusChange", "loginChatGptComplete", "sessionConfigured"}
NOT_ASKED = {"applyPatchApproval", "execCommandApproval"}

# A newer item; and two actions that go by the tags of another type of the same name there.
NOT_IN_OLD_SCHEMA = {"dynamicToolCall", "openPage", "findInPage"}


@functools.cache
def definitions(generation: str) -> dict[str, Any]:
    folder = SCHEMAS[generation]
    assert folder is not None
    return json.loads((folder / BUNDLE).read_text(encoding="utf-8"))["definitions"]


def title_of(variant: Any) -> str:
    return variant.get("title", "").replace("v2::", "")  # so for some that need a version


@functools.cache
def variants(generation: str) -> dict[str, str]:
    """The unions in which variants are described, by the title of the variant."""
    found: dict[str, str] = {}
    for prefix, group in (("v2/", definitions(generation)["v2"]), ("", definitions(generation))):
        for name, schema in group.items():
            if name.endswith(("Request", "ServerNotification", "Message")):
                continue  # titles of methods
            for variant in schema.get("oneOf", schema.get("anyOf", ())):
                found.setdefault(title_of(variant), prefix + name)
    return found


@functools.cache
def name_of(generation: str, cls: type) -> str | None:
    """Where the schemas describe a class; None when that generation does not know it."""
    known = definitions(generation)
    if cls.__name__ in known["v2"]:
        return f"v2/{cls.__name__}"
    return cls.__name__ if cls.__name__ in known else variants(generation).get(cls.__name__)


@functools.cache
def validator(generation: str, name: str) -> jsonschema.Draft7Validator:
    schema = {"$ref": f"#/definitions/{name}", "definitions": definitions(generation)}
    return jsonschema.Draft7Validator(schema)


def described(generation: str, cls: type) -> Any:
    """The schema of the class itself, not of the union that it belongs to."""
    name = name_of(generation, cls)
    assert name is not None
    *version, last = name.split("/")
    schema = definitions(generation)
    for part in (*version, last):
        schema = schema[part]
    for variant in schema.get("oneOf", schema.get("anyOf", ())):
        if title_of(variant) == cls.__name__:
            return variant
    return schema


def of(generation: str, classes: list[Any]) -> list[Any]:
    known = SCHEMAS[generation] is not None
    return [cls for cls in classes if not known or name_of(generation, cls) is not None]


def members(cls: type) -> dict[str, Any]:
    return {field.member: field for field in fields_of(cls, the_codec().shape(cls))}


def needed(cls: type) -> set[str]:
    return {name for name, field in members(cls).items() if field.default is None}


def test_every_class_that_we_say_is_known_to_a_generation() -> None:
    """No class is called by a name of our own."""
    unknown = [cls for cls in SAID if name_of(OLD, cls) is None and name_of(NEW, cls) is None]

    assert unknown == []


@pytest.mark.parametrize("cls", of(OLD, SAID), ids=lambda cls: cls.__name__)
def test_older_client_can_read_every_form_of_what_we_say(cls: type) -> None:
    """Newer members do not disturb it, and none that it needs is missing."""
    name = name_of(OLD, cls)
    assert name is not None

    for form in every_form(cls):
        raw = to_json(form)
        if not any(f"'type': '{tag}'" in str(raw) for tag in NOT_IN_OLD_SCHEMA):
            validator(OLD, name).validate(raw)


@pytest.mark.parametrize("cls", of(NEW, SAID), ids=lambda cls: cls.__name__)
def test_newer_client_can_read_every_form_of_what_we_say(cls: type) -> None:
    """None of the members that it needs is missing."""
    name = name_of(NEW, cls)
    assert name is not None

    for form in every_form(cls):
        # That policy is gone; a thread has it only where a configuration says so.
        if getattr(form, "approval_policy", None) is not AskForApproval.ON_FAILURE:
            validator(NEW, name).validate(to_json(form))


@pytest.mark.parametrize("cls", of(OLD, SAID), ids=lambda cls: cls.__name__)
def test_what_we_say_has_all_members_that_older_clients_know(cls: type) -> None:
    """Nothing is left out, and what is called so goes by the same name."""
    shape = the_codec().shape(cls)
    own = {*members(cls), shape.tag_key}

    assert {*described(OLD, cls).get("properties", {})} - {shape.wrapper} <= own


@pytest.mark.parametrize("cls", of(OLD, ASKED), ids=lambda cls: cls.__name__)
def test_what_older_clients_ask_is_understood(cls: type) -> None:
    """All of their members are known, and we need none that they may leave out."""
    schema = described(OLD, cls)

    assert needed(cls) <= {*schema.get("required", ())}
    assert {*schema.get("properties", {})} <= {*members(cls), the_codec().shape(cls).tag_key}


@pytest.mark.parametrize("cls", of(NEW, ASKED), ids=lambda cls: cls.__name__)
def test_what_newer_clients_ask_is_understood(cls: type) -> None:
    """We need no member that they may leave out, but for what there is no other way to say."""
    stricter = {name for owner, name in STRICTER if owner == cls.__name__}

    assert needed(cls) - stricter <= {*described(NEW, cls).get("required", ())}


def _methods(generation: str, union: str) -> set[str]:
    return {
        each["properties"]["method"]["enum"][0] for each in definitions(generation)[union]["oneOf"]
    }


def test_every_method_of_older_clients_is_known() -> None:
    """The tables have no gaps but those that are named here."""
    assert _methods(OLD, "ClientRequest") - {*CLIENT_REQUESTS} == NOT_SERVED
    assert _methods(OLD, "ServerRequest") - {*SERVER_REQUESTS} == NOT_ASKED
    assert _methods(OLD, "ServerNotification") - {*METHOD.values()} == NOT_SAID


def test_no_method_is_of_our_own_making() -> None:
    """Each is known to one generation at least, or says that it is Treadle's."""
    for union, ours in (
        ("ClientRequest", {*CLIENT_REQUESTS}),
        ("ServerRequest", {*SERVER_REQUESTS}),
        ("ServerNotification", {*METHOD.values()}),
    ):
        unknown = ours - _methods(OLD, union) - _methods(NEW, union)
        # Served by the newer generation, and left out of its schema.
        unknown -= {"rawResponseItem/completed"}
        assert {method for method in unknown if not method.startswith("treadle/")} == set()


@pytest.mark.parametrize("union", ["ClientRequest", "ServerRequest"])
@pytest.mark.parametrize("generation", [OLD, NEW])
def test_params_go_with_the_methods_that_the_schemas_say(union: str, generation: str) -> None:
    """No two rows of the tables are mixed up."""
    ours = CLIENT_REQUESTS if union == "ClientRequest" else SERVER_REQUESTS
    for each in definitions(generation)[union]["oneOf"]:
        method = each["properties"]["method"]["enum"][0]
        reference = each["properties"].get("params", {}).get("$ref", "")
        if method in ours and reference and isinstance(ours[method].params, type):
            theirs = reference.rpartition("/")[2].removeprefix("Nullable")
            assert ours[method].params.__name__ == theirs


def test_notifications_go_with_the_methods_that_the_schemas_say() -> None:
    """The same for what is told."""
    theirs = {
        each["properties"]["method"]["enum"][0]: each["properties"]["params"]["$ref"].rpartition(
            "/"
        )[2]
        for generation in (OLD, NEW)
        for each in definitions(generation)["ServerNotification"]["oneOf"]
        if "params" in each["properties"]
    }

    assert {cls.__name__ for cls in METHOD} == {theirs[method] for method in METHOD.values()}
    assert all(theirs[method] == cls.__name__ for cls, method in METHOD.items())
