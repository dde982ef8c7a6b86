"""Steps that speak plain HTTP: a request to any service, and the answer to a webhook."""
