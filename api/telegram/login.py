"""The function of /telegram/login."""

from lib.tgauth.endpoints.login import app as app
