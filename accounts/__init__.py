"""Who works here: users, workspaces, members and roles, language and zone, API tokens, audit."""
