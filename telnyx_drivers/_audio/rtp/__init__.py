"""Audio over RTP for one peer: codecs, jitter buffer, concealment, pacing, RTCP. Plain calls, no task, no thread."""
