"""Compare synthetic with real images."""
