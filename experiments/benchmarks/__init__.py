"""Speed and memory, each side in the same run; seconds are those of the machine."""
