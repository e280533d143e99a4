"""Log in with Telegram, and sessions that last.

Data flows one way, endpoints → web → relay → telegram → sessions → store, and no layer
imports one before it.
The modules beside this one are leaves, which every layer may import. Nothing is imported here.
"""

__version__ = "0.1.0"
