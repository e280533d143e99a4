"""All endpoints as one WSGI application, for hosts that keep a process: `gunicorn lib.tgauth.wsgi:app`.

At the root of a site, or mounted at /telegram of another application.
"""

from .routes import ROUTES, serve

app = serve(*ROUTES.values())
