"""Energy, carbon and water of a run, each number with its source."""
