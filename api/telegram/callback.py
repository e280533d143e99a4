"""The function of /telegram/callback."""

from lib.tgauth.endpoints.callback import app as app
