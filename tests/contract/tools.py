"""For suites that need what is not installed everywhere: a clear word where it is missing."""

import os
from typing import NoReturn

import pytest

from dev.upstash.valkey import Unavailable, Valkey


def lacks(what: object) -> NoReturn:
    """Skip the test and say what it needs; under REQUIRE_ALL=1, which CI sets, fail instead."""
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"REQUIRE_ALL=1, but {what}", pytrace=False)
    pytest.skip(str(what))


def start_valkey(*, faked_time: bool = False) -> Valkey:
    """A running server, or the test ends here (see `lacks`)."""
    try:
        return Valkey(faked_time=faked_time)
    except Unavailable as reason:
        lacks(reason)
