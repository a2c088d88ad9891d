"""Pruning hooks and prompt-cache warming; its layers stand between the cache and the upstream."""
