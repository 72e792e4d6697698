"""Forgetting posts: each place that holds one is found, and rewritten or deleted."""
