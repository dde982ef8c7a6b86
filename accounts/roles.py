"""Roles in a workspace, and who may what: the one table that pages, the API and tasks ask."""

from enum import StrEnum


class Role(StrEnum):
    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"

    def covers(self, needed: "Role") -> bool:
        """Whether somebody with this role may do what needs `needed`."""
        return RANK[self] >= RANK[needed]

    def at_most(self, limit: "Role") -> "Role":
        """The lesser of two roles: a token never may more than the person who made it."""
        return self if limit.covers(self) else limit


RANK = {Role.VIEWER: 1, Role.EDITOR: 2, Role.OWNER: 3}
