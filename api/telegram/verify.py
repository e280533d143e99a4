"""The function of /telegram/verify."""

from lib.tgauth.endpoints.verify import app as app
