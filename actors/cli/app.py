"""
The grammar of the command line: from words to a request.

Imports nothing of the runtime, so that help and complaints come fast.
"""

from collections.abc import Sequence
from typing import Annotated, Final, TypeAlias

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

from .app_server_options import AppServerOptions, AppServerRequest
from .errors import UsageError
from .options import (
    ConfigOptions,
    ExecOptions,
    ForkOptions,
    HomeOptions,
    ListOptions,
    LoginOptions,
    ModelsOptions,
    ResumeOptions,
)
from .pool_options import PoolOptions, PoolRequest, PsOptions, PsRequest
from .requests import (
    ConfigRequest,
    ExecRequest,
    ForkRequest,
    Latest,
    ListRequest,
    LoginRequest,
    LogoutRequest,
    ModelsRequest,
    Request,
    ShowRequest,
    StatusRequest,
)
from .words import commands_first

__all__ = ["make_app", "read_command_line"]


def read_command_line(words: Sequence[str]) -> Request | None:
    """
    Tell what is to be done; None when it was done already, such as showing help.

    Raises:
        UsageError: The words make no sense.
    """
    app = make_app()
    try:
        command, bound, _ = app.parse_args(
            commands_first(words), print_error=False, exit_on_error=False, verbose=False
        )
    except CycloptsError as exc:
        if isinstance(exc, UnusedCliTokensError):
            problem = f"too many arguments: {' '.join(exc.unused_tokens or ())}"
        else:
            problem = " ".join(str(exc).split()).removesuffix(".")
        chain = " ".join(("treadle", *(exc.command_chain or ())))
        raise UsageError(f"{problem[:1].lower()}{problem[1:]}; see '{chain} --help'") from exc
    # Only read here, and not run by cyclopts, although it could: signals, exit codes
    # and the order of errors and output are ours.
    request: Request | None = command(*bound.args, **bound.kwargs)
    return request


def make_app() -> App:
    """Build the parser."""
    app = App(
        name="treadle",
        help="Conversations of AI agents that run, survive and come back.",
        version=_version,
        help_format="plaintext",  # the others load a parser of markup, 70 ms
        default_parameter=Parameter(negative=(), show_default=False),
    )
    execute = App(name="exec", usage="Usage: treadle exec [resume THREAD] [OPTIONS] [PROMPT]")
    execute.default(_exec)
    execute.command(_resume, name="resume")
    app.command(execute)
    threads = App(name="threads", usage="Usage: treadle threads [show|fork THREAD] [OPTIONS]")
    threads.default(_list)
    threads.command(_show, name="show")
    threads.command(_fork, name="fork")
    app.command(threads)
    app.command(_config, name="config")
    app.command(_models, name="models")
    login = App(name="login", usage="Usage: treadle login --with-api-key | status [OPTIONS]")
    login.default(_login)
    login.command(_status, name="status")
    app.command(login)
    app.command(_logout, name="logout")
    app.command(_app_server, name=("app-server", "serve"))
    app.command(_pool, name="pool")
    app.command(_ps, name="ps")
    return app


_PAGE: Final = 20
"""Threads in a list when nobody says how many."""

_WORKERS: Final = 2
"""Workers of a pool when nobody says how many."""

_MOST_WORKERS: Final = 64

_GRACE: Final = 30.0
"""Seconds that turns get when a pool ends; service managers kill after 90."""

_LONGEST: Final = 86400

_DIGITS: Final = 10
"""Numbers of so many digits, or more, are too large."""

_Prompt: TypeAlias = Annotated[
    str | None, Parameter(help="What to say; '-', or nothing, reads standard input.")
]
_Thread: TypeAlias = Annotated[str, Parameter(help="Its id, its name, or the path of its rollout.")]


def _exec(prompt: _Prompt = None, /, *, options: ExecOptions | None = None) -> Request:
    """
    Run one turn: give the model a prompt and show what it does.

    The conversation goes to standard output, notes go to standard error.
    Commands of the model run without asking: nobody is there to answer.

    Exit codes: 0 the turn came to its end, 1 it failed, 2 something about the
    command was wrong (1 with --json, unless the options make no sense), 128 plus
    the number of the signal that ended it.
    """
    return ExecRequest(options=options or ExecOptions(), prompt=prompt)


def _resume(
    thread: Annotated[
        str | None,
        Parameter(help="Its id, its name, or the path of its rollout; with --last the prompt."),
    ] = None,
    prompt: _Prompt = None,
    /,
    *,
    options: ResumeOptions | None = None,
) -> Request:
    """Run one turn in a recorded thread."""
    options = options or ResumeOptions()
    if options.last:
        if prompt is not None:
            raise UsageError("with --last there is only a prompt; leave out the thread or --last")
        resume = Latest(anywhere=options.all)
        return ExecRequest(options=options, prompt=thread, resume=resume)
    if options.all:
        raise UsageError("--all belongs to --last; add it, or leave out --all")
    if not thread:
        raise UsageError("no thread to resume: name one, or take the newest with --last")
    return ExecRequest(options=options, prompt=prompt, resume=thread)


def _list(*, options: ListOptions | None = None) -> Request:
    """List, read and fork recorded threads; those that changed last come first."""
    options = options or ListOptions()
    limit = _number("--limit", options.limit)
    return ListRequest(options=options, limit=limit or _PAGE)


def _show(thread: _Thread, /, *, options: HomeOptions | None = None) -> Request:
    """Show a whole conversation."""
    return ShowRequest(options=options or HomeOptions(), thread=thread)


def _fork(thread: _Thread, /, *, options: ForkOptions | None = None) -> Request:
    """Copy a thread, or its beginning, into a new one; prints its id and its rollout."""
    options = options or ForkOptions()
    return ForkRequest(options=options, thread=thread, before=_number("--before", options.before))


def _config(*, options: ConfigOptions | None = None) -> Request:
    """
    Show every setting that counts, with its value and where it is from.

    Later ones go before earlier ones: the system's file, config.toml of the home,
    .codex/config.toml of a trusted project, the profile, --config. Secrets are hidden.
    """
    return ConfigRequest(options=options or ConfigOptions())


def _models(*, options: ModelsOptions | None = None) -> Request:
    """List the models of the provider; the default is marked."""
    options = options or ModelsOptions()
    if options.refresh and options.offline:
        raise UsageError("--refresh asks the provider and --offline does not; leave out one")
    return ModelsRequest(options=options)


def _login(*, options: LoginOptions | None = None) -> Request:
    """
    Keep an API key in auth.json of the home, for all threads.

    The key is read from standard input, so that it is in no history of a shell:
    printenv OPENAI_API_KEY | treadle login --with-api-key
    """
    options = options or LoginOptions()
    if not options.with_api_key:
        raise UsageError(
            "there is only a login with an API key: pipe it into 'treadle login --with-api-key'; "
            "'treadle login status' says who is logged in"
        )
    return LoginRequest(options=options)


def _status(*, options: HomeOptions | None = None) -> Request:
    """Say who is logged in."""
    return StatusRequest(options=options or HomeOptions())


def _logout(*, options: HomeOptions | None = None) -> Request:
    """Forget the login that is kept in auth.json of the home."""
    return LogoutRequest(options=options or HomeOptions())


def _app_server(*, options: AppServerOptions | None = None) -> Request:
    """
    Serve clients of the app-server protocol, such as editors.

    Clients start threads and turns in it, are told what happens, and are asked for
    approvals. Threads go on when their clients have gone; at standard input and output
    there is one client, and the server ends with it.
    """
    return AppServerRequest(options=options or AppServerOptions())


def _pool(*, options: PoolOptions | None = None) -> Request:
    """
    Serve clients of the app-server protocol from several processes.

    Threads are spread over the workers. When one dies, others go on with its
    threads, its clients stay connected, and a new one takes its place.

    SIGTERM and Ctrl-C end it: turns that run may end first; at the second one
    nothing may. SIGHUP replaces the workers one after another, for a changed
    configuration or a new version, while clients stay connected. A service
    manager such as systemd (Type=notify-reload) is told how it is.

    Exit codes: 0 after SIGTERM, 128 plus the number of another signal that
    ended it, 1 its workers do not come up or died too often, 2 something about
    the command was wrong.
    """
    options = options or PoolOptions()
    workers = _number("--workers", options.workers, most=_MOST_WORKERS) or _WORKERS
    if options.listen == "stdio://":
        raise UsageError(
            "a pool has no client at standard input; give it --listen unix://PATH or "
            "ws://IP:PORT, or start 'treadle app-server'"
        )
    grace = _GRACE if options.grace is None else _seconds("--grace", options.grace)
    return PoolRequest(options=options, workers=workers, grace=grace)


def _ps(*, options: PsOptions | None = None) -> Request:
    """Show the workers and threads of a pool."""
    return PsRequest(options=options or PsOptions())


def _seconds(option: str, text: str) -> float:
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdecimal() and float(text) <= _LONGEST):
        raise UsageError(f"{option} takes seconds from 0 to {_LONGEST}, got {text!r}")
    return float(text)


def _number(option: str, text: str | None, *, most: int | None = None) -> int | None:
    if text is None:
        return None
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else 0
    if not 0 < number <= (most or number):
        end = "" if most is None else f" to {most}"
        raise UsageError(f"{option} takes a whole number from 1{end}, got {text!r}")
    return number


def _version() -> str:
    from actors.config import own_version  # noqa: PLC0415 -- see above

    return own_version()
