"""The function of /telegram/relay."""

from lib.tgauth.endpoints.relay import app as app
