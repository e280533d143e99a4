"""The function of /telegram/logout."""

from lib.tgauth.endpoints.logout import app as app
