"""Media: the engine protocol, the aiortc engine, and the audio that a call carries."""
