"""Query tables and queries: what has been folded from events, one row per key.

The feeder brings the tables up to date behind the log, so every answer says `as_of` which position it holds. The tables
can be thrown away and made again at any time.
"""
