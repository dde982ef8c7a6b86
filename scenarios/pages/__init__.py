"""The cabinet's pages of scenarios: the editor, the runs, the overview."""
