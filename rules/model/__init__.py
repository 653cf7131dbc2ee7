"""What a rule file says, as frozen records: the language after reading and before compiling.

Made by `rules/load.py`, read by the checks, the compiler and the tools. Every record knows where it stands in its file.
Durations are microseconds. An absent part is None or empty.
"""
