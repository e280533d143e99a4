"""The function of /health and /stats."""

from lib.tgauth.endpoints.status import app as app
