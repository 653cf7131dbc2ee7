"""What caused what: from an event, a command or a key up to where it began, and down to all that followed.

`nodes.py` are the parts of an answer, `looking.py` finds things in the log, `tree.py` puts them together.
"""
