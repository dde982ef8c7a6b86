"""The composition root: starting, stopping, health, settings."""
