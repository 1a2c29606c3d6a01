"""Actors: entities and their hosts, the links between processes, deployment on Ray, the command line."""
