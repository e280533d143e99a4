"""What the doctor asks, answered here."""

from collections.abc import Iterator

import pytest
import responses


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    """Everything outside; what is not registered cannot be reached."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock
