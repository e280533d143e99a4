"""The few HTML pages that the development server itself shows."""

from http import HTTPStatus

from markupsafe import Markup
from werkzeug.wrappers import Response

BANNER = Markup('<p class="banner">Simulated Telegram: local development only</p>')

_STYLE = Markup("""
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.25; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
.banner { margin: 0 0 1.5rem; padding: .5rem .75rem; border: 1px dashed; border-radius: .5rem;
  font-weight: 600; }
ul { list-style: none; padding: 0; }
li { padding: .75rem 0; border-top: 1px solid color-mix(in srgb, currentcolor 20%, transparent); }
li p { margin: .25rem 0; }
small { opacity: .75; }
pre { padding: 1rem; overflow-x: auto; border: 1px solid color-mix(in srgb, currentcolor 20%, transparent);
  border-radius: .5rem; font: .85rem/1.5 ui-monospace, monospace; }
.action { display: inline-block; margin: .25rem .5rem .25rem 0; padding: .35rem .75rem; border: 1px solid;
  border-radius: .5rem; background: none; color: LinkText; font: inherit; text-decoration: none;
  cursor: pointer; }
.action:disabled, a.action:not([href]) { opacity: .5; cursor: default; }
select { max-width: 100%; padding: .35rem; font: inherit; }
[role=status]:not(:empty) { padding: .5rem .75rem; border-left: .25rem solid; }
""")

_PAGE = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
{script}</head>
<body>
{body}
</body>
</html>
""")

_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
_SCRIPT_CSP = f"{_CSP}; script-src 'self'; connect-src 'self'"


def page(title: str, body: Markup, status: int = 200, *, script: str = "") -> Response:
    """An HTML page around `body`, with the module at the URL `script`; what is not Markup is escaped."""
    element = Markup('<script type="module" src="{}"></script>\n').format(script) if script else ""
    html = _PAGE.format(title=title, style=_STYLE, script=element, body=body)
    response = Response(html, status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _SCRIPT_CSP if script else _CSP
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def error_page(headline: str, advice: str, traceback: str) -> Response:
    """The page for code that could not be imported or that raised: what, what to do, and the traceback."""
    body = Markup("<h1>{}</h1>\n<p>{}</p>\n<pre>{}</pre>").format(headline, advice, traceback)
    return page(headline, body, HTTPStatus.INTERNAL_SERVER_ERROR)
