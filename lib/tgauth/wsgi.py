"""All endpoints as one WSGI application, for long-running servers: `gunicorn lib.tgauth.wsgi:app`.

Serve it at the root of a site, or mount it at /telegram of another application.
"""

from .routes import ROUTES, serve

app = serve(*ROUTES.values())
