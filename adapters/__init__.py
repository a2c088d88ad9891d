"""What speaks to the outside: vocabulary, dialects, event streams, prices, upstreams, the simulated provider."""
