{#
    Whether smart charging was on for a car, version by version. What was read first is taken to hold before it was
    read, too: nothing older is known. Both bounds are always there (the years 1 and 9999), since a join over "or"
    would compare every pair of rows.
#}
with versions as (
    select
        vehicle_id,
        is_smart_charging_enabled,
        _deleted as is_deleted,
        _synced_at as first_seen_at,
        row_number() over by_vehicle as version,
        lead(_synced_at) over by_vehicle as replaced_at
    from {{ source('lake', 'charge_settings') }}
    window by_vehicle as (partition by vehicle_id order by _synced_at, _row_hash)
)

select
    vehicle_id,
    is_smart_charging_enabled,
    case when version = 1 then {{ instant_of_millis(-62135596800000) }} else first_seen_at end as valid_from,
    coalesce(replaced_at, {{ instant_of_millis(253402300799999) }}) as valid_until,
    is_deleted
from versions
