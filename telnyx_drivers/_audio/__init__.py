"""A call's audio as applications use it: frames, readers, the paced writer, playback, recording, tones."""
