"""The cabinet's shell: the page around every page, the parts that pages are made of, security headers."""
