"""Which store this process uses."""

from .. import log
from ..settings import Settings, missing_package
from .base import Store


def open_store(settings: Settings) -> Store:
    """The store that the settings name. The log says which: Redis once it has answered, memory at once.

    Credentials that do not work are an error at every request, and never a reason to use memory. Raises
    `Misconfigured` if the client is not installed.
    """
    kind, credentials = settings.store.kind, settings.store
    if credentials.exposed:
        exposed = (
            f"{credentials.variable}: is not encrypted, and its host is not private; use rediss:// (two s)"
        )
        log.event("store_exposed", level="warning", store=kind, reason=exposed)
    # Each client costs as much at a cold start as all the rest, so only the one in use is imported.
    try:
        if kind == "upstash":
            from .upstash import UpstashStore

            return UpstashStore(credentials.url, credentials.token, credentials.variable)
        if kind == "redis":
            from .redis import RedisStore

            return RedisStore(credentials.url, credentials.variable)
    except ModuleNotFoundError as error:
        raise missing_package(error) from None
    from .memory import MemoryStore

    message = "⚠️ Sessions are kept in memory (Redis is not configured)"
    reason: str | None = None
    if settings.store_prefixed:
        names = ", ".join(settings.store_prefixed)
        reason = (
            f"{names}: has a prefix in its name and is not read; set it, and its token if any, without it"
        )
    log.event("store_selected", level="warning", store=kind, message=message, reason=reason)
    return MemoryStore()
