"""From YAML nodes to the records of `rules.model`, one module a noun.

Each function takes a `Reader` and a node, reports what is wrong to the reader's findings, and returns a record, or None
after an error. `rules.load` puts the parts of all files together.
"""
