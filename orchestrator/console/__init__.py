"""The console at `/`: pages for operators, made on the server, that also work as plain links and forms.

One file of `pages/` per subject; each asks the functions that the API's routes ask, never over HTTP. `site.py` dresses
what handlers answer, `recent.py` remembers the last half hour, `guard.py` keeps other sites from acting. `static/`
holds all that a browser needs, so nothing is loaded from elsewhere.
"""
