"""The helpers that lessons share: one module a concern, named after the lesson that teaches it."""
