"""The Functions host's admin API, below `/admin/`."""
