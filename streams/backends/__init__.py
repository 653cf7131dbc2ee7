"""The backends that keep the contract of `streams/log.py`; `open_log` in `open.py` picks one by URL."""
