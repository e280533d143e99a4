"""The function of /telegram/start."""

from lib.tgauth.endpoints.start import app as app
