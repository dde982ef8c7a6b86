"""A small stand-in for Google, for newcomers, demos and tests: OAuth 2.0 and Calendar v3 on this machine.

It knows nothing of the product, and the product nothing of it: they meet over HTTP only.
"""
