{#
    Every version is a reading, so this is a time series; a tombstone tells nothing about the charger, and what came back
    with its charger is the reading before the tombstone once more.
#}
with readings as (
    select
        changelog.*,
        _row_hash is not distinct from lag(_row_hash) over (
            partition by charger_id order by _synced_at, _row_hash
        ) as is_repeated
    from {{ source('lake', 'charger_states') }} as changelog
    where not _deleted
)

select
    charger_id,
    user_id,
    charging_location_id,
    charge_state,
    charge_power as charge_power_kw,
    time_stamp as read_at,
    row_number() over (partition by charger_id order by _synced_at desc, _row_hash desc) = 1 as is_latest,
    _synced_at as synced_at
from readings
where not is_repeated
