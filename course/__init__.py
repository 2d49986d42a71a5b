"""What runs, builds, checks and publishes the course, `python -m course`: not for learners."""
