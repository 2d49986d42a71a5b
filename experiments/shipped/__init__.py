"""The model that the course ships, in five steps: train, calibrate, limits, export, judge.

Each step reads what the one before it wrote, and can be run again by itself: a new threshold needs
no new training."""
