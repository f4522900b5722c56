"""Listeners: each watches one source and starts invocations. They notice; they decide nothing."""
