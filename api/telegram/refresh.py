"""The function of /telegram/refresh."""

from lib.tgauth.endpoints.refresh import app as app
