"""Options: checking values, parsing names, addresses and ICE servers."""
