"""What GET /health says from outside: whether sessions work, and what to do about each problem."""

from requests import Response

from dev.doctor.client import fields
from dev.doctor.report import Check, ok, problem, warning
from dev.doctor.site import READ_THE_LOG

_SETUP = "docs/REDIS_SETUP.md"
_START = "docs/REDIS_QUICK_START.md"
_LOG = READ_THE_LOG.format(event="misconfigured or store_unavailable", where=f"{_SETUP}#troubleshooting")
_SAID_BY = {
    "settings": (
        "a variable is missing or wrong, or a package is missing",
        READ_THE_LOG.format(event="misconfigured", where=f"{_SETUP}#troubleshooting"),
    ),
    "origin": (
        "the deployment does not know its own address, so nobody can log in on its pages",
        (
            "at Vercel switch on “Enable access to System Environment Variables” under Settings > Environment"
            " Variables, anywhere else set AUTH_ORIGIN; then deploy again:"
            " README.md#when-something-does-not-work"
        ),
    ),
    "bot_token": (
        "Telegram refuses TELEGRAM_BOT_TOKEN, so nobody can log in by the widget or in Mini Apps",
        (
            "copy the token again from @BotFather (/mybots, choose the bot, API Token): one from before a"
            " /revoke is no longer good; then deploy again: README.md#deploy"
        ),
    ),
    "chat": (
        "the bot cannot see the chat of TELEGRAM_REQUIRE_CHAT, so nobody can log in",
        (
            "make the bot an administrator of that chat, and look at its id; `make doctor` with these"
            " variables says what Telegram answers: docs/API.md#members-only"
        ),
    ),
    "memory": (
        "there is no Redis: sessions end after 24 hours, and a logout reaches one function only",
        f"set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, and deploy again: {_START}",
    ),
    "memory_prefix": (
        (
            "Redis's variables have a prefix in front, such as STORAGE_KV_REST_API_URL, and nothing reads"
            " them there: sessions are in memory"
        ),
        (
            "set KV_REST_API_URL and KV_REST_API_TOKEN to the two values, or connect the database again"
            f" without a prefix; then deploy again: {_SETUP}#which-variables"
        ),
    ),
    "store_unreachable": (
        "Redis cannot be reached: no such host, a refused connection, TLS, or no answer in time",
        (
            "look whether the database is still there (a free one that was idle is archived), and copy its"
            f" URL again; the log's store_unavailable says which of these it is: {_SETUP}#troubleshooting"
        ),
    ),
    "store_credentials": (
        "Redis refuses its token, or user and password",
        (
            "copy URL and token once more from the page of one database, set both, and deploy again:"
            f" {_SETUP}#changing-secrets"
        ),
    ),
    "store_rights": (
        "Redis does not let tgauth write: a read-only token, a replica, or a user who lacks a right",
        (
            "set the standard token and not the read-only one; in REDIS_URL the primary's address, and a user"
            f" with the rights that are listed: {_SETUP}#redis-cloud-railway-a-server-of-your-own"
        ),
    ),
    "store_too_old": (
        "the Redis server is too old for tgauth, so nobody can log in",
        (
            "update it to Redis 8 or Valkey 9.1, or use Upstash:"
            f" {_SETUP}#redis-cloud-railway-a-server-of-your-own"
        ),
    ),
    "store_full": (
        "the database is full, so nobody can log in",
        (
            "choose a larger plan or give it more memory, or delete what else is in it:"
            f" {_SETUP}#eviction-persistence-idle-databases"
        ),
    ),
    "store_quota": (
        "the database has used up the commands of its plan",
        f"choose a larger plan, or wait for the next month: {_SETUP}#eviction-persistence-idle-databases",
    ),
    "store": ("the store fails", _LOG),
}


def check_health(answer: Response) -> Check:
    """One line. What is degraded works for somebody, but only a missing Redis is a choice."""
    match answer.status_code, fields(answer):
        case 200, {"status": "ok", "store": "memory"}:
            return warning(
                "health",
                "works, with sessions in memory: they end after 24 hours",
                f"set up Redis, unless this is for development: {_START}",
            )
        case 200, {"status": "ok", "store": "upstash" | "redis" as store}:
            return ok("health", f"works, with sessions in {'Upstash' if store == 'upstash' else 'Redis'}")
        case 200, {"status": "degraded"}:
            code = str(fields(answer).get("problem") or "memory")
            message, fix = _SAID_BY.get(code, ("something is wrong", _LOG))
            kind = problem if code in ("memory_prefix", "chat", "bot_token") else warning
            return kind("health", f"is degraded: {message}", fix)
        case 503, {"status": "down"}:
            code = str(fields(answer).get("problem"))
            message, fix = _SAID_BY.get(code, ("a setting is wrong, or Redis does not answer", _LOG))
            return problem("health", f"is down: {message}", fix)
        case status, _:
            return problem(
                "health", f"answers {status}, and not as tgauth does", f"deploy this version: {_START}"
            )
