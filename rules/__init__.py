"""The rule language, from text to a compiled processor.

No input or output happens here: the shell hands over texts and times, and gets diagnostics, or a processor whose step
is a pure function of state and events. Tables are declared and changes produced here; logs commit them.
"""
