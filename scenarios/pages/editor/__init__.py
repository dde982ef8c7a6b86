"""The list of scenarios and the editor of one: its track, its panels, its versions."""
