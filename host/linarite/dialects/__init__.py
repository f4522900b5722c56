"""Translations between the core and a generation of the durable SDK, a package each."""
