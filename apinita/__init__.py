"""The composition root: settings, addresses, processes. It imports all, and is imported by none."""

__version__ = "0.1.0"
