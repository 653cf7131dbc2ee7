"""The HTTP API: one file of `routes/` per resource; `app.py` puts them together, `problem.py` says what went wrong."""
