"""The ways for browsers to log in: what @BotFather must know, and whether Telegram accepts the client secret.

Sources: https://core.telegram.org/bots/telegram-login and https://core.telegram.org/widgets/login, RFC 6749
§5.2. No method of the Bot API tells the domain of /setdomain or the Allowed URLs.
"""

from collections.abc import Iterator

from dev.doctor.client import Client, fields
from dev.doctor.report import Check, ok, problem, warning
from dev.doctor.telegram import reaching, strange
from lib.tgauth.errors import IdentityProviderUnavailable
from lib.tgauth.settings import Settings
from lib.tgauth.settings.reader import DEVELOPMENT_BOT_TOKEN
from lib.tgauth.telegram.jwks import parse
from lib.tgauth.telegram.oidc import redirect_uri
from lib.tgauth.telegram.widget import authorization_url

_WHERE = "in @BotFather's mini app (https://t.me/botfather?startapp), Bot Settings > Web Login"
_STEPS = "README.md#at-botfather"
_SECRET_FIX = f"copy the Client Secret of this bot {_WHERE}; it is not the bot token: {_STEPS}"
_PAGE = "Telegram's login page"
_TOKEN_ENDPOINT = "Telegram's token endpoint"
_KEYS = "the address of Telegram's keys"
_REFUSED_DOMAIN = "domain invalid"
_NO_CODE = "tgauth-doctor-has-no-code"


def check_login(settings: Settings, wrong: set[str], client: Client) -> Iterator[Check]:
    """What the settings turn on, and what has to be entered at @BotFather for it.

    Of the variables in `wrong` it is not known what is meant.
    """
    if (
        "TELEGRAM_CLIENT_SECRET" in wrong
        or settings.uses_relay
        or (settings.client_secret is None and settings.bot_token is None)
    ):
        return
    origin = settings.canonical_origin
    # A preview's names come and go with it.
    twin = next(iter(settings.hosts), None) if settings.environment == "production" else None
    if settings.client_secret is None:
        yield widget_hint(origin, twin)
        if origin and settings.bot_token != DEVELOPMENT_BOT_TOKEN:
            names = [origin, f"https://{twin}"] if twin else [origin]
            found = [check for name in names for check in _check_domain(settings, name, client)]
            # The bot has one domain: the name that does not redirect to the other.
            yield from [check for check in found if check.status == "ok"] or found
        return
    yield oidc_hint(origin, twin)
    if wrong := _shape(settings, settings.client_secret):
        yield problem("client-secret", f"TELEGRAM_CLIENT_SECRET {wrong}", _SECRET_FIX)
    else:
        checks = _client_secret(settings, settings.client_secret, origin, client)
        yield from reaching("client-secret", _TOKEN_ENDPOINT, settings.oauth_url, checks)
    yield from reaching("oidc-keys", _KEYS, settings.oauth_url, _keys(settings, client))


def widget_hint(origin: str | None, twin: str | None = None) -> Check:
    """What /setdomain must be; Telegram lets nobody read it. `twin` is the site's other name, with www."""
    domain = origin.partition("://")[2].partition(":")[0] if origin else "your site's domain"
    name = f"{domain} or {twin}, whichever does not redirect to the other" if twin else domain
    return ok(
        "login",
        "the Login Widget (TELEGRAM_CLIENT_SECRET is not set; a new bot should have OpenID Connect:"
        f" {_STEPS}). @BotFather must know the domain: /setdomain, choose the bot, send {name}",
    )


def oidc_hint(origin: str | None, twin: str | None = None) -> Check:
    """The Allowed URLs; Telegram lets nobody read them. `twin` is the site's other name, with www."""
    hint = f"OpenID Connect. Look whether the Allowed URLs {_WHERE}, have exactly these two: "
    if origin:
        hint += f"{redirect_uri(origin)} and {origin}"
    else:
        hint += "your site's origin (https:// and its domain), and the same with /telegram/callback behind it"
    if twin:
        hint += f"; and, unless https://{twin} redirects there: {redirect_uri(f'https://{twin}')} and https://{twin}"
    return ok("login", hint)


def _check_domain(settings: Settings, origin: str, client: Client) -> Iterator[Check]:
    return check_domain(authorization_url(settings, origin=origin, return_to=f"{origin}/"), origin, client)


def check_domain(address: str, origin: str, client: Client) -> Iterator[Check]:
    """Open the page at Telegram to which a widget's login goes; it says when the domain is not the bot's."""
    domain = origin.partition("://")[2].partition(":")[0]
    url = address.partition("/auth?")[0]
    yield from reaching("widget-domain", _PAGE, url, _domain(address, domain, url, client))


def _domain(address: str, domain: str, url: str, client: Client) -> Iterator[Check]:
    answer = client.ask("GET", address)
    # An observed text of a page that nobody has documented: its absence is no proof.
    if _REFUSED_DOMAIN in answer.text.lower():
        yield problem(
            "widget-domain",
            f"Telegram says that {domain} is not this bot's domain, so its logins fail there",
            f"send @BotFather /setdomain, choose the bot, send {domain}: {_STEPS}",
        )
    elif answer.status_code == 200:
        yield ok("widget-domain", f"Telegram's login page has nothing against {domain}")
    else:
        yield strange("widget-domain", _PAGE, url, answer.status_code)


def _shape(settings: Settings, secret: str) -> str:
    """What a client secret looks like that is something else; lib.tgauth.settings has refused bot tokens."""
    token = settings.bot_token or ""
    own = [other for other in settings.secrets if other != token]
    if secret == str(settings.bot_id):
        return "is the bot's id, which is the client id and no secret"
    if secret.isdigit():
        return "is a number, such as an id; the Client Secret is letters and digits"
    if token and secret == token.partition(":")[2]:
        return "is the second half of the bot token"
    if secret in (*own, settings.relay_secret, settings.admin_token):
        return "is another one of tgauth's secrets"
    if secret.startswith(("http://", "https://", "@")):
        return "is an address or a name"
    return ""


def _client_secret(settings: Settings, secret: str, origin: str | None, client: Client) -> Iterator[Check]:
    """Ask for an id_token with a code that is none: what is then refused is either the client or the code."""
    form = {
        "grant_type": "authorization_code",
        "code": _NO_CODE,
        "redirect_uri": redirect_uri(origin or "https://localhost"),
        "client_id": str(settings.bot_id),
        "code_verifier": "0" * 43,
    }
    answer = client.ask("POST", f"{settings.oauth_url}/token", data=form, auth=(str(settings.bot_id), secret))
    match answer.status_code, fields(answer).get("error"):
        case 400 | 401, "invalid_client":
            yield problem("client-secret", "Telegram refuses TELEGRAM_CLIENT_SECRET", _SECRET_FIX)
        case 400 | 401, "invalid_grant":
            yield ok("client-secret", "Telegram has nothing against it")
        case 400 | 401, "invalid_request" | "unauthorized_client" as error:
            yield warning(
                "client-secret",
                f"Telegram does not say whether it is right: it answers {error}",
                f"look whether OpenID Connect is on for the bot, and its Allowed URLs, {_WHERE}: {_STEPS}",
            )
        case status, _:
            yield strange("client-secret", _TOKEN_ENDPOINT, settings.oauth_url, status)


def _keys(settings: Settings, client: Client) -> Iterator[Check]:
    answer = client.ask("GET", f"{settings.oauth_url}/.well-known/jwks.json")
    try:
        found = parse(answer.content) if answer.status_code == 200 else {}
    except IdentityProviderUnavailable:
        found = {}
    if not found:
        yield strange("oidc-keys", _KEYS, settings.oauth_url, answer.status_code)
        return
    yield ok("oidc-keys", f"Telegram publishes {len(found)} that tgauth can use")
