"""A call as the frameworks for voice agents want it; each module needs the framework that it is named after."""
