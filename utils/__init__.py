"""What lessons import, and nothing else: one module a concern, arrows one way (pyproject.toml)."""
