"""Deletion and return of users, addresses, cars, chargers and sessions at the second tenant.

What hangs under a thing is only out of reach while it is away, as its paths lead nowhere. Does not belong here: paths and
answers (other_under.py).
"""

OF_USERS = ("vehicles", "charging-locations", "sessions")
TABLES = {
    "users": "users",
    "vehicles": "vehicles",
    "charging_locations": "charging-locations",
    "sessions": "sessions",
}
"""Lists of the lake and what the tenant calls them."""


def take_away(tenant, collection, name, *, keeping=()):
    """Delete one thing; returns what `give_back` needs.

    keeping: what of a deleted user the tenant's own lists go on to show.
    """
    if collection == "chargers":
        return [(tenant.chargers, name, tenant.chargers.pop(name))]
    taken = [(tenant.rows[collection], name, tenant.rows[collection].pop(name))]
    if collection == "users":
        for below in OF_USERS:
            if below not in keeping:
                mine = [row["id"] for row in tenant.rows[below].values() if row["userId"] == name]
                taken += [(tenant.rows[below], id_, tenant.rows[below].pop(id_)) for id_ in mine]
    return taken


def give_back(taken):
    """The thing is there again, with all that went with it."""
    for rows, name, row in taken:
        rows[name] = row


def end_of(tenant, collection):
    """Something of which there are rows in many tables: the one with the most sessions."""
    field = {"users": "userId", "vehicles": "vehicleId", "charging-locations": "chargingLocationId"}[collection]
    held = [row[field] for row in tenant.rows["sessions"].values() if row[field] in tenant.rows[collection]]
    return max(sorted(set(held)), key=held.count)
