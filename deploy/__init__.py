"""How the service runs in several processes and on several machines: README.md."""
