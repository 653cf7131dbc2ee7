"""Where query tables are kept: one module per kind of database."""
