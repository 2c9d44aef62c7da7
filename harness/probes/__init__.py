"""One file a meter; a probe reads and never computes."""
