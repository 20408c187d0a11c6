"""What is gone, what is there again, and what that means for the rows below.

absence.py says which rows a list should have shown and did not; turns.py and unfinished.py which sessions are asked
for one by one; proving.py and owners.py ask whether single rows are there, details.py and work.py make readings of
their answers, listed.py asks a list for one row; candidates.py is what is remembered of rows that are not proved gone;
deleting.py and cascade.py delete, cascade.py brings back; upkeep.py is the check at the end of every run. follow_up.py
is the way in.
Does not belong here: absence of what hangs under a parent (pipelines/sync/fanout), where a second answer is the proof.
"""
