"""Other durable engines, doing the same work. Nothing of them is a dependency of linarite."""
