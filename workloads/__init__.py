"""The models, data and precisions that are measured: one readable file a family."""
