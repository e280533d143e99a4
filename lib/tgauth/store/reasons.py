"""Why a store did not do what it was asked: what an owner reads, and /health's word for it.

Every text is `what is wrong; what to do` and a row of docs/REDIS_SETUP.md. Of an error's own text, which can
hold credentials, nothing is passed on but OpenSSL's words about a certificate or a handshake.
"""

import errno
import ssl
from collections.abc import Iterator
from socket import EAI_AGAIN, gaierror
from typing import Literal, NamedTuple

from ..errors import StoreUnavailable

Cause = Literal[
    "store",
    "store_unreachable",
    "store_credentials",
    "store_rights",
    "store_too_old",
    "store_full",
    "store_quota",
]


class Reason(NamedTuple):
    """What is said in the log, with `{server}` and `{detail}` to be filled in.

    `reached` is whether the command can have reached the database.
    """

    cause: Cause
    text: str
    reached: bool = True

    def fill(self, server: str = "{server}", detail: str = "{detail}") -> "Reason":
        """The same about this server."""
        return self._replace(text=self.text.replace("{server}", server).replace("{detail}", detail))


def _unreached(text: str) -> Reason:
    return Reason("store_unreachable", text, reached=False)


def _unanswered(text: str) -> Reason:
    return Reason("store_unreachable", text)


# No connection.
NO_NAME = _unreached(
    "there is no host {server}; copy the URL again, or look whether the database was archived or deleted"
)
NAMES_AWAY = _unreached(
    "the host of {server} cannot be looked up just now; wait, and look at the name servers of this host"
)
REFUSED = _unreached("{server} refuses connections; look whether the server runs, and at host and port")
NO_ROUTE = _unreached(
    "there is no way to {server} from here ({detail}); set an address that this host can reach"
)
NO_CONNECTION = _unreached(
    "no connection to {server} in time; look at host, port and firewall, and whether the server speaks TLS"
)
CERTIFICATE = _unreached(
    "the certificate of {server} is not accepted ({detail}); use the host that it is made out to, or name the"
    " file of your own authority in SSL_CERT_FILE"
)
REST_CERTIFICATE = _unreached(
    "the certificate of {server} is not accepted ({detail}); copy the REST URL, and give a server of your own"
    " a public certificate"
)
NO_TLS = _unreached(
    "{server} does not speak TLS; turn TLS on there, or on a private network write redis:// (one s)"
)
TLS_FAILED = _unreached(
    "the TLS handshake with {server} failed ({detail}); look at the server's TLS settings"
)

# No answer, or none that is the database's.
TLS_ONLY = _unanswered("{server} hung up; if it takes TLS only, write rediss:// (two s)")
HUNG_UP = _unanswered("{server} hung up; wait, and look into the server's log")
NO_ANSWER = _unanswered(
    "{server} did not answer in time; wait, and look whether it is near and not overloaded"
)
ANOTHER_PROTOCOL = _unanswered("{server} answers in another protocol than Redis'; look at host and port")
NOT_UPSTASH = _unanswered(
    "{server} does not answer as Upstash does; copy the REST URL from Upstash's console"
)
UNUSABLE = _unanswered("no usable answer from {server} ({detail}); wait, and look into the server's log")
REDIRECTED = _unanswered(
    "Upstash answered {detail}, which leads elsewhere; copy the REST URL from Upstash's console"
)
FORBIDDEN = _unanswered(
    "Upstash answered 403; look at the database's allowed addresses, and copy the REST URL again"
)
NO_PAGE = _unanswered("Upstash answered 404; there is no REST at this address, copy the REST URL")
TOO_MANY = _unanswered("Upstash answered 429; wait, or raise the database's plan")
NO_WORD = _unanswered("Upstash answered {detail} without a reason; copy the REST URL and the token again")
TROUBLE = _unanswered("Upstash answered {detail}; wait, and look at Upstash's status")
NO_DATABASE = _unanswered(
    "Upstash cannot reach the database; wait, and look at the database's page at Upstash"
)

# Answers of the database.
NOT_THE_FORM = Reason(
    "store", "an answer is not of the form it must have; use a server of a kind that tgauth is made for"
)
OUT_OF_TIME = Reason(
    "store", "no time is left to ask again; look at the lines before this one", reached=False
)
FAILED = Reason("store", "the server answered an error ({detail}); look into the server's log")
FULL = Reason("store_full", "the database is full; give it more memory, raise its plan or delete keys")
NO_DISK = Reason("store_full", "the server cannot save to its disk and takes no writes; make room there")
TOO_OLD = Reason(
    "store_too_old", "the server does not know HSETEX, HGETEX or HGETDEL; use Redis 8 or Valkey 9.1"
)
MONTH = Reason("store_quota", "the database has used up its month's commands; raise its plan")
DAY = Reason("store_quota", "the database has used up its day's commands; raise its plan")

TOKEN_REFUSED = Reason(
    "store_credentials", "the token was refused; copy URL and token from one database again"
)
STALE = Reason(
    "store_credentials",
    "Upstash itself cannot log in to the database; reset its credentials in Upstash's console and set the new"
    " token",
)
READ_ONLY_TOKEN = Reason("store_rights", "the token is read-only; set the standard token")

PASSWORD_REFUSED = Reason("store_credentials", "its user or password was refused; copy the URL again")
NO_PASSWORD = Reason("store_credentials", "has no password, and the server wants one; copy the whole URL")
NEEDLESS_PASSWORD = Reason(
    "store_credentials", "has a password, and the server has none; take user and password out of the URL"
)
NO_RIGHT = Reason("store_rights", "its user lacks a right; give it the rights that docs/REDIS_SETUP.md lists")
REPLICA = Reason("store_rights", "is a replica's, which only reads; set the primary's")
ORPHAN = Reason("store_rights", "is a replica's that has lost its primary; set the primary's")
LOADING = Reason("store", "the server is still loading its data; wait")
BUSY = Reason("store", "the server is busy with a script; wait, or end the script")
FEW_REPLICAS = Reason("store", "the server wants more replicas before it writes; look at its replicas")
NO_DATABASE_NUMBER = Reason(
    "store", "the server has no database of the number after the slash; remove the number"
)
CLUSTER = Reason("store", "is one server of a cluster; set a server that has all keys")
CROWDED = Reason("store", "the server has all the connections it takes; raise maxclients, or close some")
PROTECTED = Reason("store", "the server is in protected mode, for its own machine only; give it a password")

# What servers say, by a sign that is in it; the first counts. Sources: what Upstash explains
# (https://upstash.com/docs/redis/troubleshooting) and its users report, Redis' and Valkey's own texts.
UPSTASH = {
    # What people choose can stand behind these words.
    "unknown command": TOO_OLD,
    "Command is not available": TOO_OLD,
    "wrong username-password given": STALE,
    "DB connection refused": NO_DATABASE,
    "WRONGPASS": TOKEN_REFUSED,
    "Unauthorized": TOKEN_REFUSED,
    "NOPERM": READ_ONLY_TOKEN,
    "max requests limit": MONTH,
    "max daily request": DAY,
    "capacity quota": FULL,
    "OOM": FULL,
}
REDIS = {
    "unknown command": TOO_OLD,
    "without any password configured": NEEDLESS_PASSWORD,
    "no password is set": NEEDLESS_PASSWORD,
    "WRONGPASS": PASSWORD_REFUSED,
    "invalid password": PASSWORD_REFUSED,
    "NOAUTH": NO_PASSWORD,
    "NOPERM": NO_RIGHT,
    "READONLY": REPLICA,
    "MASTERDOWN": ORPHAN,
    "OOM": FULL,
    "MISCONF": NO_DISK,
    "LOADING": LOADING,
    "BUSY": BUSY,
    "NOREPLICAS": FEW_REPLICAS,
    "DB index": NO_DATABASE_NUMBER,
    "SELECT is not allowed": NO_DATABASE_NUMBER,
    "max number of clients": CROWDED,
    "DENIED": PROTECTED,
    "MOVED": CLUSTER,
    "ASK ": CLUSTER,
    "CLUSTERDOWN": CLUSTER,
    "CROSSSLOT": CLUSTER,
}

_STATUS = {401: TOKEN_REFUSED, 403: FORBIDDEN, 404: NO_PAGE, 429: TOO_MANY}
_STATUS_KINDS = {3: REDIRECTED, 4: NO_WORD, 5: TROUBLE}
# OpenSSL's words for an answer that is not TLS.
_PLAIN = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")


def known(text: str, signs: dict[str, Reason]) -> Reason | None:
    """What a server's error means, if one of these signs is in it."""
    return next((reason for sign, reason in signs.items() if sign in text), None)


def said(text: str, signs: dict[str, Reason]) -> Reason:
    """What a server's error means; of any other its first word is shown, which is its kind."""
    if reason := known(text, signs):
        return reason
    word = text.partition(" ")[0]
    return FAILED.fill(detail=word if word.isascii() and word.isalpha() and word.isupper() else "ERR")


def of_status(status: int) -> Reason:
    """What an HTTP status means that came without an error of the database's."""
    reason = _STATUS.get(status) or _STATUS_KINDS.get(status // 100, NOT_UPSTASH)
    return reason.fill(detail=str(status))


def unanswered(
    error: BaseException, *, rest: bool = False, secure: bool, default: Reason | None = None
) -> Reason:
    """Why there was no answer, as far as `error` or what is behind it tells; else `default`."""
    for found in _behind(error):
        match found:
            case ssl.SSLCertVerificationError():
                return (REST_CERTIFICATE if rest else CERTIFICATE).fill(detail=found.verify_message)
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                return HUNG_UP
            case ssl.SSLError():
                word = found.reason or "no reason given"
                return NO_TLS if word in _PLAIN else TLS_FAILED.fill(detail=word)
            case gaierror():
                return NAMES_AWAY if found.errno == EAI_AGAIN else NO_NAME
            case ConnectionRefusedError():
                return REFUSED
            case ConnectionError():
                return HUNG_UP if secure else TLS_ONLY
            case TimeoutError():
                return NO_ANSWER
            case OSError() if found.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
                return NO_ROUTE.fill(detail=errno.errorcode[found.errno])
    return default or UNUSABLE.fill(detail=type(error).__name__)


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, but not what an attempt before it met."""
    while error is not None and not isinstance(error, StoreUnavailable):
        yield error
        error = error.__cause__ or error.__context__
