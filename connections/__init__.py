"""Whom the user lets us act for: connections, their templates, tokens, and the signed-in client made of them."""
