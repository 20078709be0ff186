"""Glue for web frameworks. Each module needs its framework installed."""
