"""What holds for every test: it leaves nothing behind, and a long one waits to be asked for."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import leaks
from tests.effort import EXAMPLES, SOAK

leaks.mark_children()

# Who is started in the background of a script, or by nohup, ignores them, and so would
# all that the tests start and interrupt.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        usual = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)

# The machine may be busy: how long an example takes says nothing about what it shows.
settings.register_profile(
    "house",
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Register the way out."""
    config.addinivalue_line(
        "markers", "leaves(reason): leaves processes or file descriptors behind, by design"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip soak tests, but for ``-m soak`` or ``TREADLE_SOAK=1``."""
    wanted = str(config.getoption("markexpr") or "")
    chosen = "soak" in wanted and "not soak" not in wanted
    if chosen or os.environ.get(SOAK, "") not in {"", "0"}:
        return
    skip = pytest.mark.skip(reason=f"takes minutes; ask for it with -m soak or {SOAK}=1")
    for item in items:
        if item.get_closest_marker("soak") is not None:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """
    Fail a test that leaves a process or a file descriptor behind.

    First of all fixtures of a test, so what the others clear away is gone by then.
    What fixtures of modules and sessions hold was there before.
    """
    if request.node.get_closest_marker("leaves") is not None:
        yield
        return
    before = leaks.look()
    yield
    left = leaks.left_since(before)
    if left:
        pytest.fail("the test leaves behind:\n  " + "\n  ".join(left), pytrace=False)
