"""Many copies of one world, for tenants of a size that the source has not: benchmarks, and tests of what is killed.

Every copy has ids of its own and lives some hours before the original: what happens to the original at 18:02 happened
to copy 3 at 15:02, prices and sun included, so that each copy agrees with itself. Nothing is held per copied session
but its place in the list: a row or an answer of a copy is the original's of those hours later, told with other ids and
times when somebody asks. The original is copy 0.
Does not belong here: anything about the world or the API; a tenant without copies does not come by.
"""

from demo.copies.estate import Copies

__all__ = ["Copies"]
