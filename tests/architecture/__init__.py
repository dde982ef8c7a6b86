"""Rules of the house that hold everywhere and that a reader cannot see at one place."""
