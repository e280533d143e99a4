"""Spans of time, in seconds. A leaf."""

HOUR = 3600
DAY = 24 * HOUR

CLOCK_SKEW = 60
"""How far the clocks of this machine, of Telegram and of the store may differ."""
