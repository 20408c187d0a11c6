"""What goes wrong between a tenant and who asks it: faults drawn from a seed, a request's number and its answer.

Pure: a kind of fault makes of a good answer what is sent instead (model.py says how); the shells that send it are
demo/server.py and, for a tenant in the asker's own process, the tests' transport.
Does not belong here: what is true of the tenant; a fault changes nothing of that.
"""
