"""OAuth 2.0 as Google speaks it: the consent page, the token endpoint, revocation, who the person is."""
