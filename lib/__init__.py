"""Knows nothing of the product: errors, egress, expressions, encryption, safe JSON, schedule rules."""
