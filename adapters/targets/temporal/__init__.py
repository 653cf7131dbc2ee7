"""The target kind `temporal`."""
