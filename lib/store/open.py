"""Which store this process uses."""

from lib import log
from lib.settings import Settings
from lib.store.base import Store


def open_store(settings: Settings) -> Store:
    """The store that the settings name, said once in the log.

    Credentials that do not work are an error at every request, and never a reason to use memory.
    """
    kind, store = settings.store.kind, settings.store
    # Each client costs a cold start as much as all the rest, so only the one in use is imported.
    if kind == "upstash":
        from lib.store.upstash import UpstashStore

        log.event("store_selected", store=kind, message="✅ Redis connected for session storage")
        return UpstashStore(store.url, store.token)
    if kind == "redis":
        from lib.store.redis import RedisStore

        log.event("store_selected", store=kind, message="✅ Redis connected for session storage")
        return RedisStore(store.url)
    from lib.store.memory import MemoryStore

    message = "⚠️ Sessions are kept in memory (Redis is not configured)"
    log.event("store_selected", level="warning", store=kind, message=message)
    return MemoryStore()
