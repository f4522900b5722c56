"""Storage that functions read and write."""
