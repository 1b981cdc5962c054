"""`gateway demo`: the main job on loopback, by the public command line and HTTP only."""
