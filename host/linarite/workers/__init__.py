"""How the host reaches user code."""
