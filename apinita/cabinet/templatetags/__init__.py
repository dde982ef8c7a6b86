"""Template libraries of the cabinet."""
