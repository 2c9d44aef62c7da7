"""Pure functions from stored trials to rankings and reports; nothing measures here."""
