"""What is known of a call in the forms of other tools: ``chrome://webrtc-internals`` dumps, and pcap."""
