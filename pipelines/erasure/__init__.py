"""Takes a person out of the lake, and proves that nothing of them is left in a folder.

Does not belong here: what is built from the lake (warehouse/erase.py puts it all together).
"""
