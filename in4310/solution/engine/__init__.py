"""What makes it fast and safe: hardware, launches, processes, checkpoints, passes over rows on disk."""
