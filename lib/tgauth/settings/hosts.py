"""The names that a site can be reached by."""

import re

LOOPBACK = re.compile(r"(localhost|[a-z0-9.-]+\.localhost|127\.0\.0\.1)(:[0-9]{1,5})?")
HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")


def www_twin(host: str) -> str | None:
    """The same host with `www.` in front, or without it; None at vercel.app, where nobody has both.

    Vercel recommends redirecting one of the two to the other, and the production URL can name either.
    """
    twin = host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
    return None if "." not in host.strip(".") or "." not in twin or host.endswith(".vercel.app") else twin
