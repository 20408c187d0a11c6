"""What happens to a tenant by itself, night after night: changes drawn from its state, a seed and a night's number.

Pure: a kind of change looks at a scene and gives what is to be put, removed or restored; who applies it is
demo/estate.py, through the same door as an edit that somebody asks for.
Does not belong here: what follows from a change (demo/world/putting.py), HTTP (demo/controls.py).
"""
