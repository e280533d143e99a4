"""The function of /telegram/sessions."""

from lib.tgauth.endpoints.sessions import app as app
