"""The sample app's functions, a blueprint per pattern."""
