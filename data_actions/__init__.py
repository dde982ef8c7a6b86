"""Steps that work on data alone: nothing leaves the installation."""
