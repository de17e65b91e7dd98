"""A call's audio as applications meet it: frames, readers, the paced writer, playback, recording, tones."""
