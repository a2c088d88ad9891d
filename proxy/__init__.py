"""The edge: HTTP, configuration, tenants, recording, replay, events, metrics and the command line."""
