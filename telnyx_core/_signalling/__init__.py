"""The socket's life: connecting, login, registration, health and the requests on it."""
