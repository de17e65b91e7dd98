"""Calls as audio transports of frameworks for voice agents; each module needs the framework that it is named after."""
