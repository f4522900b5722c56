"""The embedded hub: one SQLite file, or none."""
