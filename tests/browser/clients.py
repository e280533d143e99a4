"""How Telegram's clients show a page: what they put into it, and what they answer.

From the clients' code: telegramdesktop/tdesktop (attach_bot_webview.cpp, bot_webview_shell_html/page.js),
TelegramMessenger/Telegram-iOS (WebAppWebView.swift, BrowserWebContent.swift), DrKLO/Telegram
(BotWebViewContainer.java), overtake/TelegramSwift (WebpageModalController.swift, WebsiteController.swift).
"""

_VIEWPORT = '"viewport_changed", { height: 600, is_state_stable: true, is_expanded: true }'


def _app(call: str) -> str:
    """An app that runs `call` in the page when it is asked about the page's size."""
    return f"""window.TelegramWebviewProxy = {{
      postEvent(type) {{
        if (type !== "web_app_request_viewport") return;
        setTimeout(() => {{ try {{ {call} }} catch {{}} }});
      }},
    }};"""


ANDROID = _app(f"window.Telegram.WebView.receiveEvent({_VIEWPORT})")
IOS = _app(
    "window.TelegramGameProxy && window.TelegramGameProxy.receiveEvent &&"
    f" window.TelegramGameProxy.receiveEvent({_VIEWPORT})"
)
DESKTOP = _app(f"if (window.TelegramGameProxy) window.TelegramGameProxy.receiveEvent({_VIEWPORT})")
WINDOWS_PHONE = f"""window.external.notify = (text) => {{
  if (JSON.parse(text).eventType === "web_app_request_viewport")
    setTimeout(() => window.TelegramGameProxy_receiveEvent({_VIEWPORT}));
}};"""
APPS = {"android": ANDROID, "ios": IOS, "desktop": DESKTOP, "windows phone": WINDOWS_PHONE}
"""Clients that show the page as a Mini App, by name: each answers in its own way."""

BROWSERS = {
    "ios": """window.TelegramWebviewProxyProto = function() {};
      TelegramWebviewProxyProto.prototype.postEvent = function() {};
      window.TelegramWebviewProxy = new TelegramWebviewProxyProto();""",
    "android": "window.TelegramWebview = { postEvent() {}, resolveShare() {} };",
}
"""The browsers inside of its apps, for ordinary links: that of iOS, and macOS, has the Mini Apps' object."""

WEB = "https://web.telegram.org"
"""Telegram Web, whose page frames Mini Apps."""


def telegram_web(address: str, frame: str = "") -> str:
    """A page that shows `address` in a frame, with these attributes, and answers it as Telegram Web does.

    `asked` there is what it was asked to open.
    """
    return f"""<!doctype html><iframe src="{address}" {frame}></iframe><script>
      const frame = document.querySelector("iframe");
      const asked = [];
      window.asked = asked;
      addEventListener("message", ({{ source, data }}) => {{
        if (source !== frame.contentWindow) return;
        const event = JSON.parse(data);
        if (event.eventType.startsWith("web_app_open_")) asked.push([event.eventType, event.eventData]);
        if (event.eventType !== "web_app_request_viewport") return;
        const [eventType, eventData] = [{_VIEWPORT}];
        source.postMessage(JSON.stringify({{ eventType, eventData }}), "*");
      }});
    </script>"""
