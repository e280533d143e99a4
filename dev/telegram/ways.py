"""Pages of the simulated Telegram where every way to log in can be clicked."""

from urllib.parse import quote, urlencode

from markupsafe import Markup
from werkzeug.wrappers import Response

from dev.serve.pages import BANNER, page
from dev.telegram.proofs import next_time, widget
from dev.telegram.users import USERS, User, full_name, who

_BUTTON = "/telegram/login?return_to=%2F"


def ways_page(origin: str) -> Response:
    """Every way that starts on a site; ways.js does what a site's own scripts would do."""
    options = Markup("\n").join(
        Markup('<option value="{}">{}</option>').format(user["id"], full_name(user))
        for user in USERS.values()
    )
    body = BANNER + Markup(
        "<h1>Ways to log in</h1>\n"
        '<p>Each as Telegram\'s own scripts and apps do it, on <a href="/">{origin}</a>.</p>\n'
        '<p id="outcome" role="status"></p>\n'
        "<h2>OpenID Connect</h2>\n"
        '<p><a class="action" id="redirect" href="/telegram/start">Redirect</a>'
        '<button class="action" id="popup" disabled>Popup</button></p>\n'
        '<p id="oidc-off" hidden>OpenID Connect is off here: TELEGRAM_CLIENT_SECRET is not set.</p>\n'
        "<p><small>The redirect is the code flow. The popup is what <code>telegram-login.js</code> opens; it "
        "hands an id_token to this page.</small></p>\n"
        "<h2>Login Widget</h2>\n"
        '<p><label>As <select id="user">{options}</select></label></p>\n'
        '<p><button class="action" id="widget-redirect" disabled>Redirect mode</button>'
        '<button class="action" id="widget-callback" disabled>Callback mode</button></p>\n'
        "<p><small>The embedded button with <code>data-auth-url</code> and with <code>data-onauth</code>."
        "</small></p>\n"
        "<h2>Direct link</h2>\n"
        '<p><button class="action" id="direct" disabled>Telegram\'s page</button></p>\n'
        "<p><small>Comes back to the login page with <code>#tgAuthResult=</code>.</small></p>\n"
        "<h2>From Telegram</h2>\n"
        '<p><a class="action" href="/_telegram/chat">Button in a chat</a>'
        '<a class="action" href="/_telegram/">Mini App</a></p>'
    ).format(origin=origin, options=options)
    return page("Ways to log in (simulated Telegram)", body, script="ways.js")


def chat_page(origin: str) -> Response:
    """A bot's message with a login_url button, as each of the users sees it."""
    items = Markup("").join(
        Markup(
            '<li>{who}<p><a class="action" href="{agree}">Log in</a>'
            '<a class="action" href="{refuse}">Refuse</a></p></li>\n'
        ).format(who=who(user), agree=_login_url(origin, user), refuse=f"{origin}{_BUTTON}")
        for user in USERS.values()
    )
    body = BANNER + Markup(
        "<h1>Chat with the bot</h1>\n"
        "<p>The bot sent a button with the <code>login_url</code> <code>{url}</code>. Telegram asks whether "
        "to log in there, and opens that address with the signed fields added, or as it is.</p>\n"
        '<p>Each of these works once, within five minutes. <a href="">Load the page again</a> for new ones.'
        "</p>\n"
        "<ul>{items}</ul>"
    ).format(url=f"{origin}{_BUTTON}", items=items)
    return page("Chat (simulated Telegram)", body)


def _login_url(origin: str, user: User) -> str:
    fields = widget(user, next_time(user))
    return f"{origin}{_BUTTON}&{urlencode(fields, quote_via=quote, safe='')}"
