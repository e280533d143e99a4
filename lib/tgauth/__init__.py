"""Log in with Telegram, and sessions that last.

Data flows one way, endpoints → web → telegram → sessions → store, and no layer imports one before it.
Leaves, for all of them: `settings`, `environment`, `credentials`, `errors`, `problem`, `log`, `budget`,
`deferred`, `http_client`, `http_connection`, `telegram.user`. Nothing is imported here.
"""

__version__ = "0.1.0"
