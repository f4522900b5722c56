"""Runs user code, in the app's own interpreter. Standard library and azure.functions only."""
