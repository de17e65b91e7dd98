"""How servers are reached: addresses, connections, HTTP requests."""
