"""Runs user code, in the app's own interpreter. Standard library and azure.functions only."""

TOO_OLD = 93
NO_SDK = 94
"""Exit codes of a child that cannot work under its interpreter; stderr says more."""
