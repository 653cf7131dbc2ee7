"""Decision tables: what their cells mean, and which rows fit (RULES.md §7).

Pure functions of values: where inputs come from and what becomes of outputs is known to `rules.compile.table`. The
checks ask the same index what no row covers.
"""
