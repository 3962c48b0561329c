"""What differs between our app-server and Codex 0.104 on purpose, and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from tests.interop.alike.comparing import (
    ABSENT,
    ANYTHING,
    Difference,
    Left,
    Member,
    Place,
    Reordered,
    Rewritten,
)
from tests.interop.alike.transcript import Entry, head_of

__all__ = ["DIFFERENCES"]

# fmt: off
_NEWER_MEMBERS: Final = "|".join((  # noqa: FLY002 -- a list that is read
    # of threads
    "agentNickname", "agentRole", "daybreakEnabled", "ephemeral", "forkedFromId", "historyMode",
    "model", "name", "originator", "parentThreadId", "projectId", "reasoningEffort", "recencyAt",
    "sessionId", "status",
    # of answers with threads
    "approvalsReviewer", "backwardsCursor", "collaborationMode", "initialTurnsPage",
    "instructionSources", "itemsBackwardsCursor", "multiAgentMode", "networkAccess",
    "runtimeWorkspaceRoots", "serviceTier", "turnsBackwardsCursor",
    # of turns, items and questions
    "cacheWriteInputTokens", "clientId", "completedAt", "completedAtMs", "durationMs",
    "itemsView", "kind", "namespace", "phase", "rootTurnId", "source", "startedAt", "startedAtMs",
    # of the handshake
    "codexHome", "platformFamily", "platformOs",
))
# fmt: on

_When = Callable[[Entry, Sequence[Entry]], bool]


def _after(head: str) -> _When:
    """Right behind such an entry."""
    return lambda _, before: bool(before) and re.fullmatch(head, head_of(before[-1])) is not None


def _usages(entry: Entry, before: Sequence[Entry]) -> list[Any]:
    return [each["params"] for each in before if each.get("says") == entry["says"]]


def _is_old_news(entry: Entry, before: Sequence[Entry]) -> bool:
    """The same numbers as the last time, of the same thread."""
    said = entry["params"]
    same = [each for each in _usages(entry, before) if each["threadId"] == said["threadId"]]
    return bool(same) and bool(same[-1]["tokenUsage"] == said["tokenUsage"])


def _is_inherited(entry: Entry, before: Sequence[Entry]) -> bool:
    """The first numbers of a thread are those of another."""
    said, usages = entry["params"], _usages(entry, before)
    return all(each["threadId"] != said["threadId"] for each in usages) and any(
        each["tokenUsage"] == said["tokenUsage"] for each in usages
    )


def _has_no_numbers(entry: Entry, _: Sequence[Entry]) -> bool:
    limits = entry["params"]["rateLimits"]
    return limits["primary"] is None and limits["secondary"] is None


def _was_told(entry: Entry, before: Sequence[Entry]) -> bool:
    """The last one of the kind says the same; or, of an item, it has ended already."""
    same = [each for each in before if head_of(each) == head_of(entry)]
    if "item" in entry["params"]:
        return any(each["params"]["item"]["id"] == entry["params"]["item"]["id"] for each in same)
    return bool(same) and same[-1] == entry


def _says(text: str) -> _When:
    return lambda entry, _: re.search(text, str(entry.get("said", entry.get("params")))) is not None


def _items(said: Any) -> list[list[Any]]:
    """The items of the turns of an answer with a thread."""
    return [turn["items"] for turn in said["thread"]["turns"]]


def _without_commands_not_run(said: Any) -> Any:
    for items in _items(said):
        items[:] = [
            item
            for item in items
            if item["type"] != "commandExecution"
            or item["status"] == "completed"
            or item["aggregatedOutput"] not in {None, "command aborted by user"}
        ]
    return said


def _without_tools(said: Any) -> Any:
    for items in _items(said):
        items[:] = [
            item for item in items if item["type"] not in {"commandExecution", "fileChange"}
        ]
    return said


def _without_skills_of_codex(said: Any) -> Any:
    for entry in said["data"]:
        entry["skills"] = [skill for skill in entry["skills"] if skill["scope"] != "system"]
    return said


def _without_secret_models(said: Any) -> Any:
    names = {"bengalfox", "boomslang"}
    return {**said, "data": [model for model in said["data"] if model["id"] not in names]}


def _with_paths_in_the_project(said: Any) -> Any:
    """Name files of a diff from the project on, and drop what only git's own diffs have."""
    diff = said["diff"].replace("/<project>/", "/")
    lines = [line for line in diff.splitlines() if not line.startswith("rename ")]
    return {**said, "diff": "\n".join(line.removesuffix(" 100644") for line in lines)}


_WITH_THREAD: Final = "answer thread/(read|resume|fork|rollback)"
_ITEM: Final = "says item/(started|completed) "

# The order of the rows is the order in which they are applied.
DIFFERENCES: Final[tuple[Difference, ...]] = (
    # What only one of the two says ------------------------------------------
    Left(
        what="Codex mirrors each event of its core",
        why="wire/07 7.5: gone in 0.169; ours has them for its own client only",
        head="says codex/event/.*",
        side="theirs",
    ),
    Left(
        what="ours says what a thread does, and when a question is no longer asked",
        why="wire/07 7.5: clients of 0.169 need both",
        head="says (thread/status/changed|serverRequest/resolved)",
        side="ours",
    ),
    Left(
        what="ours says that a thread is no longer loaded",
        why="wire/07 7.2: as 0.169 does",
        cases=("archive_*", "list_pages"),
        head="says thread/closed",
        side="ours",
    ),
    Left(
        what="ours warns on the wire",
        why="wire/07 7.2: so does 0.169; 0.104 has it among the mirrored events only",
        cases=("compaction", "model_context_window", "resume_after_a_restart", "resume_with_*"),
        head="says warning",
        side="ours",
    ),
    Left(
        what="ours tells calls of the client's tools as items",
        why="wire/03 3.5: as 0.169 does",
        cases=("dynamic_tool*",),
        head="says item/(started|completed) dynamicToolCall .*",
        side="ours",
    ),
    Left(
        what="ours says that the turn of a compaction begins",
        why="wire/03 3.9: each turn has a beginning, as in 0.169",
        cases=("compaction",),
        head="says turn/started",
        side="ours",
        when=_after("answer thread/compact/start"),
    ),
    Left(
        what="ours says the tokens to those who resume",
        why="wire/02 thread/resume: as 0.169 does",
        cases=("resume_*", "archive_and_unarchive"),
        head="says thread/tokenUsage/updated",
        side="ours",
        when=_after("answer thread/resume"),
    ),
    Left(
        what="Codex repeats the tokens when a response begins",
        why="wire/03 3.1: 0.169 says them once, at its end",
        head="says thread/tokenUsage/updated",
        side="theirs",
        when=_is_old_news,
    ),
    Left(
        what="Codex says the tokens of the original when a fork's first response begins",
        why="wire/03 3.1: 0.169 says tokens once, at the end of the response",
        cases=("fork",),
        head="says thread/tokenUsage/updated",
        side="theirs",
        when=_is_inherited,
    ),
    Left(
        what="Codex says limits of which nothing is known",
        why="wire/03 3.1: no news; observed.md 15",
        head="says account/rateLimits/updated",
        side="theirs",
        when=_has_no_numbers,
    ),
    Left(
        what="Codex says the tokens of a thread before it refuses to roll it back",
        why="a request that is refused changes nothing",
        cases=("rollback", "read_what_is_not_there"),
        head="says thread/tokenUsage/updated",
        side="theirs",
        when=_after("says thread/started|error thread/read"),
    ),
    Left(
        what="Codex completes what was declined twice",
        why="wire/README 8, wire/03 3.2: once, as in 0.169",
        cases=("patch_declined", "patch_answered_with_nonsense"),
        races=("patch_cancelled",),
        head="says item/completed .*",
        side="theirs",
        when=_was_told,
    ),
    Left(
        what="Codex repeats what the turn has changed after each request to the model",
        why="wire/03 3.3: the same text; ours says it when it changes",
        cases=("patch_applied", "patch_accepted*", "patch_in_a_command", "read_*ed"),
        head="says turn/diff/updated",
        side="theirs",
        when=_was_told,
    ),
    Left(
        what="Codex says nothing of the output of quick commands, or loses its beginning",
        why="observed.md 6",
        cases=("command*", "read_*ed"),
        head="says item/commandExecution/outputDelta .*",
    ),
    Left(
        what="a command that is asked about and not run has a beginning in ours only",
        why="wire/README 8: the item begins before the question about it",
        cases=(
            "command_declined",
            "command_cancelled",
            "command_answered_*",
            "interrupt_a_question",
            "command_asks_to_leave_the_sandbox",
        ),
        head="says item/started commandExecution .*",
        side="ours",
    ),
    Left(
        what="ours completes what an interrupt stops",
        why="DESIGN P3 and P15: whatever begins has one end, also when it is stopped",
        cases=("interrupt_a_command", "interrupt_a_question"),
        head="says item/completed commandExecution .*",
        side="ours",
    ),
    Left(
        what="Codex makes up a turn for input that joins the running one, and never ends it",
        why="wire/README 11",
        cases=("turn_start_during_a_turn",),
        head="says turn/started",
        side="theirs",
        when=lambda entry, before: any(each.get("says") == "turn/started" for each in before),
    ),
    Left(
        what="Codex begins a turn without input, and never ends it",
        why="observed.md 4: ours refuses it",
        cases=("turn_without_input",),
        head="(answer turn/start|says turn/started|error turn/start)",
    ),
    Left(
        what="Codex leaves an interrupt unanswered while no turn runs",
        why="wire/README 10",
        cases=("interrupt_nothing",),
        head="error turn/interrupt",
        side="ours",
    ),
    Left(
        what="Codex has no answer for a command that takes too long, but an error",
        why="wire/07 7.4.12: 0.169 answers with exit code 124",
        cases=("command_exec",),
        head="(answer|error) command/exec",
        when=_says("timed out|124"),
    ),
    # What comes elsewhere -----------------------------------------------------
    Reordered(
        what="Codex may answer turn/start after the first items of the turn",
        why="wire/README 6: the answer comes first",
        head="answer turn/start",
        place=Place.BEFORE_ROW,
        anchor="says (turn/started|item/(started|completed) userMessage)",
        side="theirs",
    ),
    Reordered(
        what="Codex may say that a turn began after its first items",
        why="wire/README 7: ours says it first, always",
        head="says turn/started",
        place=Place.BEHIND_LAST,
        anchor="answer turn/start",
        side="theirs",
    ),
    Reordered(
        what="tokens of a response come before or after what its calls do",
        why="wire/03 3.1: no fixed order",
        head="says thread/tokenUsage/updated",
        place=Place.BEFORE_NEXT,
        anchor="says turn/completed",
    ),
    Reordered(
        what="a command that is asked about begins after the answer in Codex",
        why="wire/README 8: the item begins before the question about it",
        cases=("command_accepted*",),
        head="says item/started commandExecution c1",
        place=Place.BEFORE_LAST,
        anchor="asks item/commandExecution/requestApproval c1",
        side="theirs",
    ),
    Reordered(
        what="what is written to a command is told before what comes of it",
        why="wire/03 3.2: nothing of an item comes after its end; Codex tells it after its wait",
        cases=("command_that_lasts",),
        head="says item/commandExecution/terminalInteraction c1",
        place=Place.BEFORE_LAST,
        anchor="says item/completed commandExecution c1",
        side="theirs",
    ),
    *(
        Reordered(
            what="of calls beside each other either may begin, and be done, first",
            why="they run at the same time",
            cases=("commands_beside_each_other",),
            head=f"says item/{head}",
            place=place,
            anchor=f"says item/started commandExecution {anchor}",
        )
        for head, place, anchor in (
            ("completed commandExecution c1", Place.BEHIND_LAST, "c1"),
            ("completed commandExecution c2", Place.BEHIND_LAST, "c2"),
            ("(started|completed) commandExecution c1", Place.BEFORE_LAST, "c2"),
        )
    ),
    # What is said in other words ------------------------------------------------
    Member(
        what="members that only newer clients know",
        why="wire/07 7.3 and 7.5: strict clients of 0.169 need them, older ones pass over them",
        at=rf".*[:.] ?({_NEWER_MEMBERS})",
        theirs=ABSENT,
    ),
    Member(
        what="ours says what is wrong with params in its own words, with the place",
        why="wire/README 2: only the beginning is fixed",
        at="error .*: message",
        theirs=re.compile("Invalid request: .*", re.DOTALL),
        ours=re.compile("Invalid request: .*", re.DOTALL),
    ),
    # Histories ------------------------------------------------------------------
    Rewritten(
        what="commands that were not run, or not to their end, are part of the history in ours",
        why="wire/README 14, wire/03 3.2: what was told is read back; 0.104 forgets them",
        cases=(
            "command_declined",
            "command_cancelled",
            "command_answered_*",
            "interrupt_a_command",
        ),
        head=_WITH_THREAD,
        rewrite=_without_commands_not_run,
        side="ours",
    ),
    Member(
        what="a turn that failed reads back as completed in Codex",
        why="wire/README 14: full items are kept in both modes",
        cases=("model_*", "read_limited"),
        at=rf"{_WITH_THREAD}: thread\.turns\[\d\]\.(status|error)",
        theirs=ANYTHING,
        ours=ANYTHING,
    ),
    Member(
        what="items of a response that a kill breaks off are no part of the history in ours",
        why="core L19: they are recorded when the response ends; a repeated one would say "
        "everything twice",
        cases=("resume_after_a_kill",),
        at=r"(answer thread/resume: thread\.turns\[0\]\.items|model request: input)",
    ),
    # Texts -------------------------------------------------------------------------
    Member(
        what="texts for the model are our own",
        why="DESIGN 5: prose is not copied, the tags are",
        cases=("interrupt_*", "compaction", "model_context_window"),
        at=r"model request: input\[\d\]\.content\[0\]\.text",
        theirs=re.compile(
            r"(<turn_aborted>.*</turn_aborted>|You are performing a CONTEXT|Another language model).*",
            re.DOTALL,
        ),
    ),
    Member(
        what="what the model is told of a question that was denied",
        why="core L41: Codex shows it the inside of an error",
        cases=("command_declined", "command_answered_*", "command_asks_*"),
        races=("interrupt_a_question",),
        at=r"model request: input\[\d\]\.output",
        theirs='exec_command failed: CreateProcess { message: "Rejected(\\"rejected by user\\")" }',
    ),
    Member(
        what="the compaction's estimate of tokens counts the prose that is sent",
        why="DESIGN 5: ours is shorter",
        cases=("compaction", "model_context_window", "rollback"),
        at=r"says thread/tokenUsage/updated: tokenUsage\.last\.totalTokens",
    ),
    Member(
        what="what the model is told of arguments that are no JSON",
        why="each parser has words of its own",
        cases=("calls_that_cannot_be",),
        at=r"model request: input\[\d\]\.output",
        theirs=re.compile("failed to parse function arguments: .*"),
        ours=re.compile("failed to parse function arguments: .*"),
    ),
    Member(
        what="a broken connection is told in other words",
        why="each HTTP client has its own",
        cases=("model_cut_stream", "model_is_asked_again"),
        at=r"says (error|turn/completed): (turn\.)?error\.(message|additionalDetails)",
        theirs=re.compile("stream disconnected before completion: Transport error: .*"),
        ours=re.compile("stream disconnected before completion: .*"),
    ),
    Member(
        what="what the model is told of a patch that was given to the shell",
        why="the same text; ours is never wrapped into JSON for models with freeform patches",
        cases=("patch_in_a_command",),
        at=r"model request: input\[\d\]\..*",
    ),
    Member(
        what="what is wrong with an id of a thread is told in other words",
        why="wire/02: only the beginning is fixed",
        cases=(
            "archive_and_unarchive",
            "fork",
            "read_what_is_not_there",
            "requests_that_are_none",
            "resume_a_loaded_thread",
        ),
        at="error .*: message",
        theirs=re.compile("invalid thread id: .*"),
        ours=re.compile("invalid thread id: .*"),
    ),
    Member(
        what="why a rollout cannot be read is told in other words",
        why="STYLE 6: that nothing was recorded yet is no fault of the disk",
        cases=("rollback",),
        at="error thread/rollback: message",
        theirs=re.compile("failed to load rollout .*"),
        ours=re.compile("failed to load rollout .*: nothing is recorded yet"),
    ),
    Member(
        what="what is wrong with a tool of the client is told with the way out",
        why="STYLE 6, core L38: names are checked as models want them",
        cases=("dynamic_tools_that_cannot_be",),
        at="error thread/start: message",
        theirs=re.compile("(dynamic tool|duplicate dynamic tool) .*"),
        ours=re.compile("dynamic tool .*"),
    ),
    Member(
        what="ours says of an archived thread that it is archived",
        why="STYLE 6: the way out; wire/07 7.4.10: so does 0.169",
        cases=("archive_and_unarchive",),
        at="error thread/(archive|resume): message",
        ours=re.compile("no rollout found for thread id .*; it is archived: unarchive it first"),
    ),
    Member(
        what="ours says which command there is not",
        why="STYLE 6: who, what, way out",
        cases=("command_exec",),
        at="error command/exec: message",
        theirs="exec failed: No such file or directory (os error 2)",
    ),
    # Values -------------------------------------------------------------------------
    Member(
        what="a refused key is told as such",
        why="wire/02 2.0: CodexErrorInfo has a word for it; 0.104 says other, 0.169 the status",
        cases=("model_unauthorized",),
        at=r"(says (error|turn/completed)|answer thread/read): .*codexErrorInfo",
        theirs="other",
        ours="unauthorized",
    ),
    Rewritten(
        what="what a turn has changed is told by paths from the project on, with moves and modes",
        why="wire/03 3.3: as in 0.169; 0.104 has absolute paths behind a/ and b/",
        cases=("patch_applied", "patch_accepted*", "patch_in_a_command", "read_*ed"),
        head="says turn/diff/updated",
        rewrite=_with_paths_in_the_project,
    ),
    Member(
        what="a file that is there is changed, not added",
        why="what is told is what happens to the file",
        cases=("patch_accepted_for_session",),
        at=r".*changes\[0\]\.(kind\.type|kind\.move_path|diff)",
    ),
    Member(
        what="a command is told in its parts only when all of them are understood",
        why="for display only: ours does not guess",
        cases=("command_accepted*", "command_*ed", "command_answered_*", "command_parts"),
        at=r".*commandActions(\[0\]\.(command|path))?",
    ),
    Member(
        what="a command that was asked about has the number that its process would have had",
        why="wire/README 8: the item begins before the question about it, with the number",
        cases=("command_declined", "command_cancelled", "command_answered_*", "command_asks_*"),
        at=r"says item/completed commandExecution c1: item\.processId",
        theirs=None,
        ours="<process>",
    ),
    Member(
        what="an answer that is an error declines; the first of the two ends of Codex says failed",
        why="wire/README 9",
        cases=("command_answered_with_an_error",),
        at=r"says item/completed commandExecution c1: item\.status",
        theirs="failed",
        ours="declined",
    ),
    Member(
        what="input for the running turn is answered with its id",
        why="wire/README 11",
        cases=("turn_start_during_a_turn",),
        at=r"answer turn/start: turn\.id",
    ),
    Member(
        what="a turn that runs, or that a crash has ended, reads back as what it is",
        why="wire/04 4.3: live state is laid over; DESIGN P3: every turn has its end",
        cases=("read_a_running_turn", "resume_after_a_kill"),
        at=r"answer thread/(read|resume): thread\.turns\[0\]\.status",
        theirs="completed",
        ours=re.compile("inProgress|interrupted"),
    ),
    Member(
        what="a thread that leaves nothing has a preview, too",
        why="wire/02 Thread: what the user said first; 0.104 reads it from the file",
        cases=("read_what_is_not_there",),
        at=r"answer thread/read: thread\.preview",
        theirs="",
        ours="go",
    ),
    Member(
        what="a resumed thread is said to be where it works now",
        why="the answer says the same place twice; Codex says where it was begun",
        cases=("resume_with_other_settings",),
        at=r"answer thread/resume: thread\.cwd",
    ),
    Rewritten(
        what="a patch that was cancelled may be no part of the history in Codex",
        why="observed.md 18: whether it is recorded before the turn ends is a race",
        cases=("patch_cancelled",),
        head=_WITH_THREAD,
        rewrite=_without_tools,
    ),
    Rewritten(
        what="calls of tools are part of the history in both modes",
        why="wire/README 14: 0.104 forgets them without persistExtendedHistory",
        cases=("read_limited",),
        head=_WITH_THREAD,
        rewrite=_without_tools,
        side="ours",
    ),
    Member(
        what="...and whether a turn without the extended history failed",
        why="wire/README 14",
        cases=("read_limited",),
        at=r"answer thread/read: thread\.turns\[1\]\.(status|error)",
    ),
    # Catalogues ----------------------------------------------------------------------
    Rewritten(
        what="Codex knows models that nobody else has",
        why="the catalogue holds what can be used",
        cases=("model_list",),
        head="answer model/list",
        rewrite=_without_secret_models,
        side="theirs",
    ),
    Member(
        what="models are described in our words, and the first choice is the one to change to",
        why="DESIGN 5: prose is not copied",
        cases=("model_list", "lines_that_are_none"),
        at=r"answer model/list: data\[\d+\]\.(upgrade|.*description|supportsPersonality)",
    ),
    Member(
        what="the texts of the modes are our own; the default mode needs none",
        why="DESIGN 5: prose is not copied; wire/07 7.1: the member is gone in 0.169",
        cases=("collaboration_modes",),
        at=r"answer collaborationMode/list: data\[[01]\]\.developer_instructions",
    ),
    Rewritten(
        what="Codex installs skills of its own",
        why="ours brings none",
        cases=("skills",),
        head="answer skills/list",
        rewrite=_without_skills_of_codex,
        side="theirs",
    ),
    Member(
        what="what is wrong with a skill is told with the way out",
        why="STYLE 6",
        cases=("skills",),
        at=r"answer skills/list: data\[\d\]\.errors\[\d\]\.message",
    ),
    Left(
        what="Codex takes a list for params without members",
        why="wire/02: params are objects",
        cases=("lines_that_are_none",),
        head="(answer|error) account/read",
        when=_says("requiresOpenaiAuth|expected an object, got a list"),
    ),
    Member(
        what="our own words for a path that leads nowhere",
        why="ours says what was looked for; the code is the same",
        cases=("resume_by_path_and_by_history",),
        at="error thread/resume: message",
        ours=re.compile("failed to load rollout .*"),
    ),
    Left(
        what="a loaded thread of which nothing is recorded can be resumed",
        why="ours joins it, as it joins every loaded one; 0.104 looks for its file",
        cases=("resume_a_loaded_thread",),
        head="(answer|error) thread/resume",
        when=_after("says thread/started"),
    ),
)
