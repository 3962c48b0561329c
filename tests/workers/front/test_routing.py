"""Where requests go: every method has a place, and what only looks may look twice."""

from typing import Any

import pytest

from actors.server.methods.table import BESIDE
from actors.server.rpc_params import read_request
from actors.workers.front.routing import RULES, Effect, Target, route
from messages.ids import ThreadId
from messages.ops import Interrupt, SetThreadName, UserInput
from messages.rpc.requests import CLIENT_REQUESTS
from messages.rpc.treadle import TreadleSubmitParams

ID = "0199a213-81c0-7800-8aa1-bbab2a035a53"
OTHER = "0199a213-81c0-7800-8aa1-bbab2a035a54"
PATH = f"/home/x/sessions/2026/01/01/rollout-2026-01-01T00-00-00-{OTHER}.jsonl"


def _way(method: str, **params: Any) -> Any:
    return route(method, read_request(method, params))


def test_each_rule_is_of_a_method_that_there_is() -> None:
    """A method that is renamed must not lose its rule unnoticed."""
    assert set(RULES) <= set(CLIENT_REQUESTS)


def test_what_is_not_worth_waiting_for_is_not_waited_for() -> None:
    """What goes beside others in a worker gets to a worker that lets go of the thread."""
    looks = {"thread/read", "thread/turns/list", "thread/items/list", "turn/interrupt"}
    assert looks <= BESIDE
    assert all(RULES[method].lets_go for method in looks)


@pytest.mark.parametrize(
    ("method", "params", "target", "thread_id", "opens"),
    [
        ("thread/start", {}, Target.NEW, None, None),
        ("thread/resume", {"threadId": ID}, Target.OPEN, ID, ID),
        ("thread/resume", {"threadId": ID.upper()}, Target.OPEN, ID, ID),
        ("thread/resume", {"threadId": "", "path": PATH}, Target.OPEN, OTHER, OTHER),
        ("thread/resume", {"threadId": ID, "path": PATH}, Target.OPEN, OTHER, OTHER),
        ("thread/resume", {"threadId": ID, "path": "/x.jsonl"}, Target.OPEN, None, None),
        ("thread/resume", {"threadId": ID, "history": []}, Target.OPEN, ID, None),
        ("thread/resume", {"threadId": "nonsense"}, Target.OPEN, None, None),
        ("thread/fork", {"threadId": ID}, Target.OPEN, ID, None),
        ("thread/fork", {"threadId": ID, "path": PATH}, Target.OPEN, OTHER, None),
        ("thread/archive", {"threadId": ID}, Target.THREAD, ID, None),
        ("thread/rollback", {"threadId": ID, "numTurns": 1}, Target.THREAD, ID, None),
        ("turn/start", {"threadId": ID, "input": []}, Target.THREAD, ID, None),
        ("app/list", {}, Target.THREAD, None, None),
        ("app/list", {"threadId": ID}, Target.THREAD, ID, None),
        ("model/list", {}, Target.HOME, None, None),
        ("skills/config/write", {"path": "/x", "enabled": True}, Target.HOME, None, None),
        ("thread/loaded/list", {}, Target.FRONT, None, None),
    ],
)
def test_a_request_goes_where_its_thread_is(
    method: str, params: Any, target: Target, thread_id: str | None, opens: str | None
) -> None:
    """By the id that the method itself would take, however it is written."""
    way = _way(method, **params)

    assert (way.rule.target, way.thread_id, way.opens) == (target, thread_id, opens)


def test_methods_without_a_rule_go_by_what_they_name() -> None:
    """To the thread that they name, else to the client's own worker; and only once."""
    unknown = [method for method in CLIENT_REQUESTS if method not in RULES]
    assert "thread/rollback" in unknown
    assert "config/value/write" in unknown
    named, plain = _way("thread/rollback", threadId=ID, numTurns=1), _way("account/logout")
    assert (named.rule.target, named.rule.again) == (Target.THREAD, False)
    assert (plain.rule.target, plain.rule.again) == (Target.HOME, False)


def test_nothing_that_changes_something_twice_is_asked_twice() -> None:
    """What may be sent again looks, or opens or leaves a thread, or gives it a name."""
    again = {method for method, rule in RULES.items() if rule.again}
    changing = {"thread/start", "thread/resume", "thread/unsubscribe", "thread/name/set"}
    looking = {
        method
        for method in again
        if method.endswith(("/list", "/read")) or method == "fuzzyFileSearch"
    }

    assert again - looking - changing == {"mock/experimentalMethod"}
    assert {m for m, r in RULES.items() if r.effect is Effect.OPENS} == {
        "thread/start",
        "thread/resume",
        "thread/fork",
    }


def test_ops_are_told_apart_by_what_they_begin() -> None:
    """A new turn waits for a thread that moves; what is about the running one does not."""

    def rule(op: Any) -> tuple[bool, bool]:
        way = route("treadle/submit", TreadleSubmitParams(thread_id=ID, op=op))
        assert (way.rule.target, way.thread_id) == (Target.THREAD, ThreadId(ID))
        return way.rule.work, way.rule.lets_go

    assert rule(UserInput(items=())) == (True, False)
    assert rule(Interrupt()) == (False, True)
    assert rule(SetThreadName(name="x")) == (False, False)
