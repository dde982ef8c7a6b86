"""The first page after signing in, and the ready-made example."""
