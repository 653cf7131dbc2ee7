"""The adapters that come with the house, one file each."""
