"""What holds for every test: it leaves nothing behind."""

from collections.abc import Iterator

import pytest

from tests import leaks

leaks.mark_children()


def pytest_configure(config: pytest.Config) -> None:
    """Register the way out."""
    config.addinivalue_line(
        "markers", "leaves(reason): leaves processes or file descriptors behind, by design"
    )


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
