"""Keys, policy, levels and the layers that answer from memory."""
