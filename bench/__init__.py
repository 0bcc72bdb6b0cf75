"""Measurements: CPU of our clients and server beside peers and floors, as ratios in one run.

Loopback only, plain HTTP/1.1. The measured process has a core to itself, where the
system can pin; whoever talks to it shares another. Numbers of different runs do not
compare, as machines change their speed; the ratios inside one run do.
"""
