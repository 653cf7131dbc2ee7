"""The kind `smtp`: commands as mail."""
