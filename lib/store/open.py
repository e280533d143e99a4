"""Which store this process uses."""

from lib import log
from lib.errors import Misconfigured
from lib.settings import Settings
from lib.store.base import Store
from lib.store.memory import MemoryStore


def open_store(settings: Settings) -> Store:
    """The store that the settings name; credentials that do not work are an error, never memory."""
    if settings.store.kind != "memory":
        raise Misconfigured(
            "Redis credentials are set, but this version keeps sessions in memory only; remove "
            "UPSTASH_REDIS_REST_*, KV_REST_API_* and REDIS_URL"
        )
    log.event("store_selected", level="warning", store="memory", message=_MEMORY)
    return MemoryStore()


_MEMORY = "⚠️ Sessions are kept in memory (Redis is not configured)"
