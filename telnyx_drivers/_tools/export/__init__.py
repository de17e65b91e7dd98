"""Exports of a call in the formats of other tools: ``chrome://webrtc-internals`` dumps, and pcap."""
