"""Builds notebooks from their sources, and the pages that are rendered from records."""
