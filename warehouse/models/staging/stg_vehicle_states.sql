{#
    Every version is a reading, so this is a time series; a tombstone tells nothing about the car, and what came back
    with its car is the reading before the tombstone once more.
#}
with readings as (
    select
        changelog.*,
        _row_hash is not distinct from lag(_row_hash) over (
            partition by vehicle_id order by _synced_at, _row_hash
        ) as is_repeated
    from {{ source('lake', 'vehicle_states') }} as changelog
    where not _deleted
)

select
    vehicle_id,
    user_id,
    charge_state,
    battery_level as battery_level_percent,
    range as range_km,
    updated_at as read_at,
    row_number() over (partition by vehicle_id order by _synced_at desc, _row_hash desc) = 1 as is_latest,
    _synced_at as synced_at
from readings
where not is_repeated
