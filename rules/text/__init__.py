"""Rule files as text: from bytes to YAML nodes that know their places.

Knows YAML and nothing of rules; `rules.reading` makes records of what comes out of here.
"""
